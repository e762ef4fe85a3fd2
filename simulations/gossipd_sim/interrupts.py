"""Ctrl-C held back while others' code runs that cannot be cut off.

An interrupt is an exception between any two steps of the main thread. Inside
``threading`` and what is built on it, executors above all, it can leave a lock
taken for ever, and the next thread that wants it waits as long.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class HeldInterrupts:
    """Holds interrupts back within ``with``; one that came is raised as it ends.

    Meant are SIGINT and SIGTERM where they raise ``KeyboardInterrupt``; whoever
    handles them in another way goes on doing so. Only the main thread is ever
    interrupted: elsewhere this does nothing.

    Args:
        wake: called when one comes; it must be safe in a signal handler, as
            ``SimpleQueue.put`` is.
    """

    __slots__ = ("_came", "_taken", "_wake")

    def __init__(self, wake: Callable[[], object] | None = None) -> None:
        self._wake = wake
        self._came = False
        self._taken: list[signal.Signals] = []

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in _NUMBERS:
                if signal.getsignal(number) is signal.default_int_handler:
                    self._taken.append(number)
                    signal.signal(number, self._note)

    def __exit__(self, *_: object) -> None:
        for number in self._taken:
            signal.signal(number, signal.default_int_handler)
        if self._came:  # also instead of an error: what failed may have got the same signal
            raise KeyboardInterrupt

    def _note(self, number: int, frame: object) -> None:
        self._came = True
        if self._wake is not None:
            self._wake()


@contextmanager
def unseen_by_children() -> Iterator[None]:
    """Let processes that are started within never see a Ctrl-C of the terminal.

    It reaches the whole process group, also whoever is only about to ignore it.
    """
    # the tracker takes the block away from the thread that starts it: it has to run before
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited by processes
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
