"""Runs of real scripts: what they are given, how they end, and hostile ones."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from gossipd.agent import script
from gossipd.agent.script import OUTPUT_BYTES_MAX, Outcome, run_script

LONG = 60.0
ENVIRONMENT = {b"PATH": os.environb[b"PATH"], b"X": b"given"}
IN_TIME = 20.0
"""Seconds after which a test fails rather than hangs."""


async def run(text: str, data: bytes = b"", timeout: float = LONG) -> Outcome:
    with trio.fail_after(IN_TIME):
        return await run_script(text, ENVIRONMENT, data, timeout)


def is_running(pid: int) -> bool:
    """Return whether ``pid`` runs; one that ended and that nobody waited for does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(") ")[2][0] != "Z"


async def wait_until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(IN_TIME):
        while not holds():  # noqa: ASYNC110 (processes of the script tell us of no event)
            await trio.sleep(0.01)


async def wait_until_ended(pid: int) -> None:
    await wait_until(lambda: not is_running(pid))


async def test_a_script_reads_its_input_and_sees_only_the_given_environment() -> None:
    outcome = await run("cat; echo $X; echo $HOME; echo oops >&2", b"a\tb\n")
    assert outcome.error == ""
    assert outcome.answer == b"a\tb\ngiven\n\n"
    assert sorted(outcome.output.splitlines()) == sorted(b"a\tb\ngiven\n\noops\n".splitlines())


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("exit 3", "exit status 3"),
        ("/no/such/script.sh", "exit status 127 (command not found)"),
        ("/etc/passwd", "exit status 126 (not executable)"),
        ("kill -9 $$", "signal: killed"),
    ],
)
async def test_a_failure_is_told_in_words(text: str, error: str) -> None:
    assert (await run(text)).error == error


async def test_a_missing_shell_is_a_failure_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = trio.lowlevel.open_process

    async def without_shell(command: list[str], **options: object) -> trio.Process:
        return await opened(["/no/such/sh", *command[1:]], **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(trio.lowlevel, "open_process", without_shell)
    assert await run("echo x") == Outcome("no such file or directory", b"", b"")


async def test_a_script_that_does_not_read_costs_nothing() -> None:
    outcome = await run("exec <&-; echo done", b"x" * 1_000_000)
    assert outcome == Outcome("", b"done\n", b"done\n")


async def test_a_script_that_hangs_is_killed_with_all_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    outcome = await run(f"sleep 100 & echo $! $$ > {pids}; echo begun; sleep 100", timeout=0.5)
    assert outcome == Outcome("killed after 0.5s", b"begun\n", b"begun\n")
    for pid in pids.read_text().split():
        await wait_until_ended(int(pid))


async def test_a_script_that_does_not_care_for_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "TERMINATE_GRACE", 0.2)
    pids = tmp_path / "pids"
    deaf = f"trap '' TERM; echo $$ > {pids}; (sleep 100 & wait); sleep 100"
    assert (await run(deaf, timeout=0.3)).error == "killed after 0.3s"
    await wait_until_ended(int(pids.read_text()))


async def test_a_child_that_ignores_sigterm_ends_with_its_parent_that_does_not(
    tmp_path: Path,
) -> None:
    pids = tmp_path / "pids"
    text = f"sh -c 'trap \"\" TERM; echo $$ > {pids}; while :; do sleep 1; done' & wait"
    assert (await run(text, timeout=0.5)).error == "killed after 0.5s"
    await wait_until_ended(int(pids.read_text()))


async def test_a_background_child_that_holds_the_output_open_is_not_waited_for(
    tmp_path: Path,
) -> None:
    pids = tmp_path / "pids"
    outcome = await run(f"sleep 100 & echo $! > {pids}; echo done")
    child = int(pids.read_text())
    try:
        assert outcome == Outcome("", b"done\n", b"done\n")
        assert is_running(child)  # it is the script's own affair
    finally:
        os.kill(child, signal.SIGKILL)


async def test_of_a_long_output_the_end_is_kept_and_the_answer_whole() -> None:
    outcome = await run("seq 1 20000")
    whole = b"".join(b"%d\n" % number for number in range(1, 20001))
    assert outcome == Outcome("", whole[-OUTPUT_BYTES_MAX:], whole)


async def test_a_flood_is_bounded_and_killed_and_holds_up_nobody() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        outcome = await run("yes flood", timeout=0.5)
        nursery.cancel_scope.cancel()
    assert outcome.error == "killed after 0.5s"
    assert outcome.answer is None
    assert len(outcome.output) == OUTPUT_BYTES_MAX
    assert turns > 100


async def test_a_cancelled_run_kills_its_script(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            run, f"trap '' TERM; echo $$ > {pids}.new; mv {pids}.new {pids}; sleep 99"
        )
        await wait_until(pids.exists)
        nursery.cancel_scope.cancel()
    assert not is_running(int(pids.read_text()))
