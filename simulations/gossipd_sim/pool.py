"""Many seeds on several cores: results come as they finish, an interrupt keeps them.

Workers are processes that ignore Ctrl-C; whoever asked for the runs gets it,
keeps what is done and ends the workers.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD = 2
"""Tasks handed out for each worker, so that none waits for us and few are lost."""


def run_all(
    work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
) -> Generator[tuple[Task, Result], None, None]:
    """Yield each task with its result as it is finished, in no promised order.

    Close the iterator to end the workers at once.

    Args:
        work: a function of a module, so that another process can find it.
        jobs: processes to use, >= 1; with one, the work is done here.
    """
    if jobs == 1:
        for task in tasks:
            yield task, work(task)
        return
    before = multiprocessing.active_children()
    executor = ProcessPoolExecutor(
        jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_ignore_interrupts
    )
    waiting: dict[Future[Result], Task] = {}
    todo = iter(tasks)
    try:
        while True:
            for task in todo:
                waiting[executor.submit(work, task)] = task
                if len(waiting) >= AHEAD * jobs:
                    break
            if not waiting:
                break
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in [one for one in waiting if one in done]:
                yield waiting.pop(future), future.result()
    finally:
        if waiting:  # ended early: nobody wants what the workers are doing
            for child in multiprocessing.active_children():
                if child not in before:
                    child.terminate()
        executor.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
