"""Many runs at once: results come as they finish, an interrupt keeps them.

The one way in which fuzz, compare, sweep and their kin spread work: over
processes started for the purpose, or over any executor of
``concurrent.futures`` that is handed in (``workers.py`` has one for Dask).
Started workers are processes that ignore Ctrl-C; whoever asked for the runs
gets it, keeps what is done and ends the workers; it is never raised in the
middle of an executor, which would not stand it (``interrupts.py``). If that process dies without
a word, they end by themselves.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import ParamSpec, TypeAlias, TypeVar

from gossipd.errors import Unavailable
from gossipd.value import Value
from gossipd_sim.interrupts import HeldInterrupts, unseen_by_children

Task = TypeVar("Task")
Result = TypeVar("Result")
Args = ParamSpec("Args")


class Crew(Value):
    """An executor of which it is known how many ``workers`` it has."""

    executor: Executor
    workers: int


Workers: TypeAlias = int | Executor | Crew
"""Processes to start, >= 1, or an executor that is there already."""

AHEAD = 2
"""Tasks handed out for each worker, so that none waits for us and few are lost."""
HANDED_OUT_MAX = 1000
"""Tasks handed at a time to an executor that does not say how many workers it has."""


def run_all(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: Workers
) -> Generator[tuple[Task, Result], None, None]:
    """Yield each task with its result as it is finished, in no promised order.

    Close the iterator to end early: processes that it started are ended at
    once, and what an executor has not begun is taken back from it.

    Args:
        work: a function of a module, so that another process can find it.
        workers: with one process, the work is done here; an executor is left
            open for its owner.

    Raises:
        Unavailable: workers ended before their work was done.
    """
    if isinstance(workers, Crew):
        yield from _spread(workers.executor, work, tasks, AHEAD * workers.workers)
    elif isinstance(workers, Executor):
        yield from _spread(workers, work, tasks, HANDED_OUT_MAX)
    elif workers == 1:
        for task in tasks:
            yield task, work(task)
    else:
        yield from _spawned(work, tasks, workers)


class _OwnProcesses(ProcessPoolExecutor):
    """Starts its processes, which it does as tasks come, where no Ctrl-C is seen."""

    def submit(
        self, fn: Callable[Args, Result], /, *args: Args.args, **kwargs: Args.kwargs
    ) -> Future[Result]:
        with unseen_by_children():
            return super().submit(fn, *args, **kwargs)


def _spawned(
    work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
) -> Generator[tuple[Task, Result], None, None]:
    before = multiprocessing.active_children()
    executor = _OwnProcesses(
        jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_serve_parent
    )
    is_done = False
    try:
        yield from _spread(executor, work, tasks, AHEAD * jobs)
        is_done = True
    finally:
        with HeldInterrupts():
            if not is_done:  # ended early: nobody wants what the workers are doing
                for child in multiprocessing.active_children():
                    if child not in before:
                        child.terminate()
            executor.shutdown(wait=True, cancel_futures=True)


def _spread(
    executor: Executor, work: Callable[[Task], Result], tasks: Sequence[Task], at_a_time: int
) -> Generator[tuple[Task, Result], None, None]:
    waiting: dict[Future[Result], Task] = {}
    finished: SimpleQueue[Future[Result] | None] = SimpleQueue()
    todo = iter(tasks)
    try:
        while True:
            with HeldInterrupts(wake=partial(finished.put, None)):
                for task in islice(todo, at_a_time - len(waiting)):
                    future = executor.submit(work, task)
                    waiting[future] = task
                    future.add_done_callback(finished.put)
                if not waiting:
                    return
                done = finished.get()
                if done is None:  # an interrupt, raised here
                    continue
                result = done.result()
            yield waiting.pop(done), result
    except (BrokenExecutor, CancelledError) as error:
        raise Unavailable(
            "a worker ended before its work was done: out of memory, or ended by somebody;"
            " fewer --jobs need less memory"
        ) from error
    finally:
        with HeldInterrupts():
            for future in waiting:
                future.cancel()


def _serve_parent() -> None:
    """Prepare a worker: Ctrl-C is its parent's, and without its parent it has nothing to do."""
    ignore_interrupts()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A worker holds both ends of the queue that it waits at, and would wait there for ever.
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def ignore_interrupts() -> None:
    """Leave Ctrl-C to others from now on; for the main thread of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
