"""Runs of real scripts: what they are given, how they end, and hostile ones."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from gossipd.agent.handlers.script import OUTPUT_BYTES_MAX, Outcome, run_script

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
    """Wait in real time, whatever clock the test has: a script's processes tell of no event."""
    for _ in range(round(IN_TIME / 0.01)):
        if holds():
            return
        await trio.to_thread.run_sync(time.sleep, 0.01)
    raise AssertionError("not in time")


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


async def run_out_of_time(
    text: str, is_begun: Callable[[], bool], clock: trio.testing.MockClock
) -> Outcome:
    """Let the time of a script run out when ``is_begun`` says so, however slow this machine."""
    outcomes: list[Outcome] = []

    async def go() -> None:
        outcomes.append(await run_script(text, ENVIRONMENT, b"", LONG))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(go)
        while not is_begun():
            assert not outcomes, "it ended before its time"
            await trio.to_thread.run_sync(time.sleep, 0.005)
            clock.jump(0.005)
        while not outcomes:
            clock.jump(LONG)
            await trio.to_thread.run_sync(time.sleep, 0.01)
    return outcomes[0]


def noting(what: str, path: Path) -> str:
    """Return the words that write ``what`` to ``path`` in one go."""
    return f"echo {what} > {path}.new; mv {path}.new {path}"


async def test_a_script_that_hangs_is_killed_with_all_its_children(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    pids = tmp_path / "pids"
    text = f"echo begun; sleep 100 & {noting('$! $$', pids)}; sleep 100"
    outcome = await run_out_of_time(text, pids.exists, mock_clock)
    assert outcome == Outcome("killed after 60s", b"begun\n", b"begun\n")
    for pid in pids.read_text().split():
        await wait_until_ended(int(pid))


async def test_children_in_sessions_of_their_own_are_killed_too(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    pids = tmp_path / "pids"
    deaf = f"trap '' TERM; (sleep 100 & {noting('$! $$', pids)}; wait); sleep 100"
    text = f'setsid sh -c "{deaf.replace("$", chr(92) + "$")}" & wait'
    assert (await run_out_of_time(text, pids.exists, mock_clock)).error == "killed after 60s"
    for pid in pids.read_text().split():
        await wait_until_ended(int(pid))


async def test_a_cancelled_run_kills_the_sessions_of_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    text = f"setsid sh -c '{noting('$$', pids)}; sleep 100' & wait"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_script, text, ENVIRONMENT, b"", LONG)
        await wait_until(pids.exists)
        nursery.cancel_scope.cancel()
    await wait_until_ended(int(pids.read_text()))


async def test_a_script_that_does_not_care_for_sigterm_is_killed(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    pids = tmp_path / "pids"
    deaf = f"trap '' TERM; (sleep 100 & wait) & {noting('$$', pids)}; while :; do sleep 1; done"
    assert (await run_out_of_time(deaf, pids.exists, mock_clock)).error == "killed after 60s"
    await wait_until_ended(int(pids.read_text()))


async def test_a_child_that_ignores_sigterm_ends_with_its_parent_that_does_not(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    pids = tmp_path / "pids"
    child = f'trap "" TERM; {noting("$$", pids)}; while :; do sleep 1; done'
    text = f"sh -c '{child}' & wait"
    assert (await run_out_of_time(text, pids.exists, mock_clock)).error == "killed after 60s"
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


async def test_a_flood_is_bounded_and_killed_and_holds_up_nobody(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    flooded = tmp_path / "flooded"
    text = f"yes flood | head -c 4000000; {noting('x', flooded)}; yes flood"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        outcome = await run_out_of_time(text, flooded.exists, mock_clock)
        nursery.cancel_scope.cancel()
    assert outcome.error == "killed after 60s"
    assert outcome.answer is None
    assert len(outcome.output) == OUTPUT_BYTES_MAX
    assert turns > 4000000 // 65536  # one for each read at least


async def test_a_cancelled_run_kills_its_script(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            run, f"trap '' TERM; echo $$ > {pids}.new; mv {pids}.new {pids}; sleep 99"
        )
        await wait_until(pids.exists)
        nursery.cancel_scope.cancel()
    assert not is_running(int(pids.read_text()))
