"""The keyring file: primary first, and a reason for each way it can be unusable."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from gossipd.agent.state.keyring_file import read_keyring, write_keyring
from gossipd.errors import ConfigError, Unavailable


def test_keys_come_in_the_order_of_the_file_each_once(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    path.write_text('["AQEBAQEBAQEBAQEBAQEBAQ==", "AAAAAAAAAAAAAAAAAAAAAA==", '
                    '"AQEBAQEBAQEBAQEBAQEBAQ=="]')  # fmt: skip
    assert read_keyring(str(path)) == (b"\1" * 16, bytes(16))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[]", "Keyring file contains no keys"),
        ("{}", "keyring_file"),
        ("nonsense", "keyring_file"),
        ('["AAAA"]', "a key has 16, 24 or 32 bytes"),
        (None, "no such file or directory"),
    ],
)
def test_an_unusable_file_is_refused_with_its_path(
    tmp_path: Path, text: str | None, complaint: str
) -> None:
    path = tmp_path / "k.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=complaint) as caught:
        read_keyring(str(path))
    assert str(path) in str(caught.value)


@pytest.mark.timeout(5)
def test_a_pipe_that_nobody_writes_to_does_not_hold_up_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="not a regular file"):
        read_keyring(str(tmp_path / "pipe"))


# -- writing ---------------------------------------------------------------------------

OLD, NEW = b"\1" * 16, b"\2" * 32


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    write_keyring(str(path), (NEW, OLD))
    assert read_keyring(str(path)) == (NEW, OLD)
    assert mode_of(path) == 0o600
    assert os.listdir(tmp_path) == ["k.json"], "nothing is left beside it"


@pytest.mark.parametrize("mode", [0o644, 0o400, 0o640])
def test_an_existing_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "k.json"
    path.write_text("[]")
    path.chmod(mode)
    write_keyring(str(path), (NEW,))
    assert mode_of(path) == mode
    assert read_keyring(str(path)) == (NEW,)


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    path, link = tmp_path / "k.json", tmp_path / "link.json"
    path.write_text("[]")
    link.symlink_to(path)
    write_keyring(str(link), (NEW,))
    assert link.is_symlink()
    assert read_keyring(str(path)) == (NEW,)


def test_it_is_on_disk_before_it_takes_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "k.json"
    write_keyring(str(path), (OLD,))
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        steps.append(f"sync {kind}, holding {len(read_keyring(str(path)))}")
        fsync(descriptor)

    def noted_replace(source: str, target: str) -> None:
        steps.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    write_keyring(str(path), (NEW, OLD))
    assert steps == ["sync file, holding 1", "replace", "sync folder, holding 2"]


@pytest.mark.parametrize("step", ["fsync", "replace", "fchmod"])
def test_a_full_disk_leaves_the_old_keys_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "k.json"
    write_keyring(str(path), (OLD,))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(Unavailable, match=r"k\.json: no space left on device"):
        write_keyring(str(path), (NEW,))
    monkeypatch.undo()
    assert read_keyring(str(path)) == (OLD,)
    assert os.listdir(tmp_path) == ["k.json"]


def test_what_killed_daemons_left_is_removed(tmp_path: Path) -> None:
    """Their files hold keys, which may have been removed from the cluster since."""
    names = ["k.json.17.new", "k.json.18.new", "k.json.x.new", "other.json.17.new", "k.json.17"]
    for name in names:
        (tmp_path / name).write_text("old")
        os.utime(tmp_path / name, (0, 0))
    os.utime(tmp_path / names[1])  # a daemon that shares the file may be writing it now
    write_keyring(str(tmp_path / "k.json"), (NEW,))
    assert set(os.listdir(tmp_path)) == {"k.json", *names[1:]}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"gone/k\.json: no such file or directory"):
        write_keyring(str(tmp_path / "gone" / "k.json"), (NEW,))
