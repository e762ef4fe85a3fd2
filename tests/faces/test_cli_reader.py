"""Commands that go on for ever and end with whoever reads their output."""

from __future__ import annotations

import os
import queue
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossipd_cli import reader
from gossipd_cli.exits import FAILED

SECONDS = 30.0
"""Far more than a thread needs to be told."""


@pytest.fixture(params=["pipe", "socket"])
def ends(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """Return the ends to read and to write."""
    if request.param == "pipe":
        read, write = os.pipe()
    else:
        read, write = (one.detach() for one in socket.socketpair())
    yield read, write
    os.close(write)


def test_the_end_of_the_reader_is_noticed_without_writing(ends: tuple[int, int]) -> None:
    read, write = ends
    codes: queue.Queue[int] = queue.Queue()
    reader.end_with_reader(write, codes.put)
    os.write(write, b"what is written is no end\n")
    assert os.read(read, 10) == b"what is wr"
    assert codes.empty()
    os.close(read)
    assert codes.get(timeout=SECONDS) == FAILED


def test_a_file_has_no_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr("_thread.start_new_thread", lambda *args: started.append(args))
    with (tmp_path / "out").open("w") as out:
        reader.end_with_reader(out.fileno())
    assert started == []
