"""The snapshot on a real file system: one owner, whole files, and what operators do to them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossipd.agent.state import snapshot_file
from gossipd.agent.state.durable import replace_file
from gossipd.agent.state.snapshot_file import SnapshotFile
from gossipd.errors import ConfigError


def content(file: SnapshotFile) -> bytes:
    return b"".join(file.chunks())


def test_what_is_appended_is_read_back_by_the_next_owner(tmp_path: Path) -> None:
    path = str(tmp_path / "snapshot")
    file = SnapshotFile(path)
    assert content(file) == b""
    file.append(b"clock: 1\n")
    file.append(b"clock: 2\n")
    file.close()
    assert content(SnapshotFile(path)) == b"clock: 1\nclock: 2\n"


def test_a_large_file_is_read_in_portions(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    path.write_bytes(b"x" * 200_000)
    sizes = [len(chunk) for chunk in SnapshotFile(str(path)).chunks()]
    assert len(sizes) > 1
    assert sum(sizes) == 200_000


def test_a_rewrite_replaces_the_file_and_leaves_nothing_aside(tmp_path: Path) -> None:
    file = SnapshotFile(str(tmp_path / "snapshot"))
    file.append(b"old\n")
    pieces = [b"line %d\n" % i for i in range(100_000)]
    assert file.rewrite(iter(pieces)) == len(b"".join(pieces))
    file.append(b"more\n")
    assert (tmp_path / "snapshot").read_bytes() == b"".join(pieces) + b"more\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["snapshot"]


def test_a_file_in_use_is_refused_before_and_after_a_rewrite(tmp_path: Path) -> None:
    path = str(tmp_path / "snapshot")
    file = SnapshotFile(path)
    for _ in range(2):
        with pytest.raises(ConfigError, match="is in use by a running daemon: stop it"):
            SnapshotFile(path)
        file.rewrite([b"x\n"])
    file.close()
    SnapshotFile(path).close()


def test_a_rewrite_keeps_the_mode_and_follows_a_link(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_bytes(b"")
    real.chmod(0o640)
    link = tmp_path / "snapshot"
    link.symlink_to(real)
    SnapshotFile(str(link)).rewrite([b"x\n"])
    assert link.is_symlink()
    assert real.read_bytes() == b"x\n"
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_rewrite_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    file = SnapshotFile(str(tmp_path / "snapshot"))
    file.append(b"old\n")

    def torn() -> Iterator[bytes]:
        yield b"x" * 600_000
        raise OSError(28, "full")

    with pytest.raises(OSError, match="full"):
        file.rewrite(torn())
    file.append(b"more\n")
    assert (tmp_path / "snapshot").read_bytes() == b"old\nmore\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["snapshot"]


def test_a_file_that_was_taken_away_is_noticed_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    file = SnapshotFile(str(path))
    path.unlink()
    with pytest.raises(FileNotFoundError):
        file.append(b"lost\n")
    file.rewrite([b"all\n"])
    file.append(b"more\n")
    assert path.read_bytes() == b"all\nmore\n"


def test_a_file_that_was_replaced_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    file = SnapshotFile(str(path))
    (tmp_path / "other").write_bytes(b"")
    (tmp_path / "other").rename(path)
    with pytest.raises(FileNotFoundError):
        file.append(b"lost\n")


def test_a_folder_that_is_gone_is_an_error_of_the_write(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    file = SnapshotFile(str(folder / "snapshot"))
    (folder / "snapshot").unlink()
    folder.rmdir()
    with pytest.raises(FileNotFoundError):
        file.rewrite([b"x\n"])
    folder.mkdir()
    file.rewrite([b"x\n"])
    assert (folder / "snapshot").read_bytes() == b"x\n"


def test_a_file_closed_during_a_write_is_given_back_when_the_write_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that is cancelled leaves its thread to itself; the file must not stay locked."""
    monkeypatch.setattr(snapshot_file, "CLOSE_PATIENCE", 0.0)
    path = str(tmp_path / "snapshot")
    file = SnapshotFile(path)
    begun, may_end = threading.Event(), threading.Event()

    def slow() -> Iterator[bytes]:
        begun.set()
        assert may_end.wait(10.0)
        yield b"x\n"

    writer = threading.Thread(target=file.rewrite, args=(slow(),))
    writer.start()
    assert begun.wait(10.0)
    file.close()
    with pytest.raises(ConfigError, match="in use"):
        SnapshotFile(path)
    may_end.set()
    writer.join(10.0)
    assert content(SnapshotFile(path)) == b"x\n"
    with pytest.raises(OSError, match="descriptor"):
        file.rewrite([b"late\n"])
    with pytest.raises(FileNotFoundError):
        file.append(b"late\n")


@pytest.mark.parametrize("kind", ["folder", "pipe", "nowhere"])
def test_what_can_be_no_snapshot_ends_the_start_with_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "snapshot"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path = tmp_path / "missing" / "snapshot"
    with pytest.raises(ConfigError) as caught:
        SnapshotFile(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_replacing_a_file_is_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tags.json"
    replace_file(str(path), b"one", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    replace_file(str(path), b"two", 0o600)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644
    (tmp_path / f"tags.json.{os.getpid()}.new").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_file(str(path), b"three", 0o600)
    assert path.read_bytes() == b"two"


def test_what_a_write_that_was_cut_off_left_is_not_written_into(tmp_path: Path) -> None:
    left = tmp_path / f"keys.json.{os.getpid()}.new"
    left.write_bytes(b"half of it")
    left.chmod(0o644)
    with left.open("rb") as reader:
        replace_file(str(tmp_path / "keys.json"), b"secret", 0o600)
        assert reader.read() == b"half of it"
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["keys.json"]
