"""Which keys a start takes: those of the configuration, or those that were changed since."""

from __future__ import annotations

from pathlib import Path

import pytest

from gossipd.agent.state.folder import with_state_folder
from gossipd.agent.state.key_source import KeySource, key_source
from gossipd.agent.state.keyring_file import write_keyring
from gossipd.config.agent_model import AgentConfig
from gossipd.config.model import NodeConfig
from gossipd.errors import ConfigError

OLD, NEW = b"o" * 16, b"n" * 16


def source(*keys: bytes, data_dir: Path | str = "", keyring_file: Path | str = "") -> KeySource:
    node = NodeConfig(name="a", keys=keys)
    config = AgentConfig(node=node, data_dir=str(data_dir), keyring_file=str(keyring_file))
    return key_source(with_state_folder(config))


def test_a_keyring_file_is_read_and_written(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    write_keyring(str(file), (NEW, OLD))
    assert source(keyring_file=file, data_dir=tmp_path) == KeySource((NEW, OLD), str(file))


def test_without_keys_nothing_is_kept(tmp_path: Path) -> None:
    assert source() == KeySource((), "")
    assert source(data_dir=tmp_path / "new") == KeySource((), "")


def test_a_key_that_cannot_be_kept_is_said_to_be_lost_at_a_restart() -> None:
    found = source(OLD)
    assert (found.keys, found.path) == ((OLD,), "")
    assert [level for level, _ in found.notes] == ["INFO"]


def test_changes_of_a_configured_key_are_kept_in_the_data_folder(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    kept = str(folder / "keyring.json")
    assert source(OLD, data_dir=folder) == KeySource((OLD,), kept)
    write_keyring(kept, (OLD, NEW))
    assert source(OLD, data_dir=folder) == KeySource((OLD, NEW), kept)
    write_keyring(kept, (NEW,))
    found = source(OLD, data_dir=folder)
    assert (found.keys, found.path) == ((NEW,), kept)
    [(level, text)] = found.notes
    assert level == "WARN"
    assert kept in text


def test_without_a_configured_key_what_was_kept_does_not_count_and_that_is_said(
    tmp_path: Path,
) -> None:
    write_keyring(str(tmp_path / "keyring.json"), (NEW,))
    found = source(data_dir=tmp_path)
    assert (found.keys, found.path) == ((), "")
    assert [level for level, _ in found.notes] == ["WARN"]


def test_a_damaged_file_or_folder_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "keyring.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"keyring\.json: Keyring file contains no keys"):
        source(OLD, data_dir=tmp_path)
    with pytest.raises(ConfigError, match=r"data_dir .*: not a directory"):
        source(OLD, data_dir=tmp_path / "keyring.json" / "under")
