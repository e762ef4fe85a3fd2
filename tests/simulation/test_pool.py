"""Tasks on several processes: all are done, and an early end leaves nobody behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from contextlib import closing
from threading import Event
from typing import Any

import pytest

from gossipd.errors import Unavailable
from gossipd_sim.pool import Crew, run_all
from support.pool_tasks import end_itself, is_deaf_to_interrupts, square, work_for_ever


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_task_comes_back_with_its_result(jobs: int) -> None:
    tasks = list(range(25))
    assert sorted(run_all(square, tasks, jobs)) == [(task, task * task) for task in tasks]


def test_closing_early_ends_the_workers_that_are_still_busy() -> None:
    before = multiprocessing.active_children()
    with closing(run_all(work_for_ever, [0, 1, 2, 3], 2)) as results:
        task, worker = next(results)
    assert task == 0
    assert worker != os.getpid()
    assert multiprocessing.active_children() == before


def test_any_executor_does_the_work_and_is_left_open() -> None:
    tasks = list(range(25))
    with ThreadPoolExecutor(3) as executor:
        assert sorted(run_all(square, tasks, executor)) == [(task, task * task) for task in tasks]
        assert executor.submit(square, 3).result() == 9


def test_a_crew_is_handed_no_more_than_it_can_do_soon() -> None:
    class Counting(ThreadPoolExecutor):
        handed = 0

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            self.handed += 1
            return super().submit(fn, *args, **kwargs)

    with Counting(2) as executor:
        with closing(run_all(square, list(range(50)), Crew(executor, 2))) as results:
            next(results)
        assert executor.handed <= 4


def test_closing_early_takes_back_what_an_executor_has_not_begun() -> None:
    go_on, begun = Event(), list[int]()

    def work(task: int) -> int:
        begun.append(task)
        if task:
            go_on.wait()
        return task

    with ThreadPoolExecutor(1) as executor:
        with closing(run_all(work, list(range(50)), executor)) as results:
            assert next(results) == (0, 0)
        go_on.set()
    assert len(begun) <= 2


def test_a_worker_that_dies_is_told_in_one_line() -> None:
    with pytest.raises(Unavailable, match="a worker ended before its work was done"):
        list(run_all(end_itself, [1, 2, 3], 2))


def test_workers_cannot_be_interrupted_while_they_start() -> None:
    assert list(run_all(is_deaf_to_interrupts, [0], 2)) == [(0, True)]


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Let SIGINT and SIGTERM raise, whatever they did in the process that runs the tests."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_never_cuts_an_executor_off(number: signal.Signals) -> None:
    class Interrupted(ThreadPoolExecutor):
        is_whole = True

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            self.is_whole = False
            signal.raise_signal(number)
            future = super().submit(fn, *args, **kwargs)
            self.is_whole = True
            return future

    with Interrupted(2) as executor:
        with pytest.raises(KeyboardInterrupt):
            list(run_all(square, [1, 2, 3], Crew(executor, 2)))
        assert executor.is_whole
    assert signal.getsignal(number) is signal.default_int_handler


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_ends_the_waiting_for_results() -> None:
    go_on = Event()

    def work(task: int) -> int:
        if task:
            os.kill(os.getpid(), signal.SIGINT)
            go_on.wait()
        return task

    finished: list[tuple[int, int]] = []
    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(KeyboardInterrupt), closing(run_all(work, [0, 1, 2], executor)) as runs:
            finished.extend(runs)
        go_on.set()
    assert finished == [(0, 0)]


@pytest.mark.usefixtures("interrupts")
def test_workers_that_a_signal_to_all_ended_are_no_failure() -> None:
    class Ended(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            signal.raise_signal(signal.SIGTERM)
            raise BrokenExecutor

    with Ended(1) as executor, pytest.raises(KeyboardInterrupt):
        list(run_all(square, [1, 2, 3], executor))


def test_workers_end_when_the_process_that_wants_their_work_is_killed() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED_AT_WORK],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    # the pipe has its end when the last of them is gone: each holds it open
    output, _ = process.communicate(timeout=60)
    assert process.returncode == -9
    assert output == b"one is done\n"


_KILLED_AT_WORK = """
import os, signal
from gossipd_sim.pool import run_all
from support.pool_tasks import work_for_ever

if __name__ == "__main__":
    next(run_all(work_for_ever, [0, 1, 2, 3], 2))
    print("one is done", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
