"""Where the daemon's tasks stand, as bug reports show it: names alone, and bounded."""

from __future__ import annotations

import tarfile
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from gossipd.client.tasks import LINES_MAX as TAKEN_MAX
from gossipd.client.tasks import read_tasks_untrusted
from gossipd.errors import WireError
from gossipd.rpc.tasks import CHARACTERS_MAX, DEPTH_MAX, LINES_MAX, TASKS_MAX, told_tasks
from gossipd_cli.main import main
from support.cli_daemon import found_daemon


async def waits(secret: str = "") -> None:
    await inner(secret)


async def inner(secret: str) -> None:
    await trio.sleep_forever()


async def nests(depth: int) -> None:
    async with trio.open_nursery() as nursery:
        if depth:
            nursery.start_soon(nests, depth - 1)
        await trio.sleep_forever()


class Holder:
    """Something whose ``repr`` tells what it holds."""

    def __repr__(self) -> str:
        return "sesam-in-repr"

    async def __call__(self) -> None:
        await trio.sleep_forever()


async def test_each_task_is_told_with_where_it_stands() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits, "sesam")
        nursery.start_soon(partial(waits, secret="sesam"))
        nursery.start_soon(Holder())
        await trio.testing.wait_all_tasks_blocked()
        lines = told_tasks()
        nursery.cancel_scope.cancel()
    text = "\n".join(lines)
    assert lines[0] == "<init>"
    assert "waits (2 times)" in text
    assert "inner (tests/faces/test_tasks_told.py:" in text
    stack = next(at for at, line in enumerate(lines) if "waits (2 times)" in line)
    assert [line.strip().split(" (")[0] for line in lines[stack + 1 :][:3]] == [
        "at waits", "at inner", "at sleep_forever",
    ]  # fmt: skip
    assert "sesam" not in text
    assert "a task" in text
    assert "/" + str(Path(__file__).parts[1]) not in text, "whose machine it is"


async def test_what_is_told_is_bounded() -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(TASKS_MAX + 500):
            nursery.start_soon(waits)
        for _ in range(5):
            nursery.start_soon(nests, DEPTH_MAX + 60)
        await trio.testing.wait_all_tasks_blocked()
        lines = told_tasks()
        nursery.cancel_scope.cancel()
    assert len(lines) <= LINES_MAX + 2
    assert max(map(len, lines)) <= CHARACTERS_MAX
    assert f"tasks in all; {TASKS_MAX} were looked at" in lines[-1]


async def test_what_lies_too_deep_is_a_number() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(nests, DEPTH_MAX + 60)
        await trio.testing.wait_all_tasks_blocked()
        lines = told_tasks()
        nursery.cancel_scope.cancel()
    assert lines[-1].endswith("1 deeper")


@pytest.mark.parametrize(
    "body", [None, [], {"Tasks": "x"}, {"Tasks": [1]}, {"Tasks": [""] * (TAKEN_MAX + 1)}]
)
def test_an_answer_that_is_none_is_refused(body: object) -> None:
    with pytest.raises(WireError):
        read_tasks_untrusted(body)


def test_an_older_daemon_tells_nothing() -> None:
    assert read_tasks_untrusted({"Settings": []}) == []


def test_a_daemon_tells_where_its_own_tasks_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with found_daemon(tmp_path, monkeypatch):
        path = tmp_path / "b.tar.gz"
        assert main(["debug", "bundle", "-o", str(path)]) == 0
        with tarfile.open(path) as archive:
            found = archive.extractfile("gossipd-debug/tasks.txt")
            assert found is not None
            text = found.read().decode()
    assert "at serve_rpc (gossipd/rpc/server.py:" in text
