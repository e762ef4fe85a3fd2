"""Functions that worker processes of a test can import by name."""

from __future__ import annotations

import os
import signal


def square(number: int) -> int:
    """Return the square of ``number``."""
    return number * number


def is_deaf_to_interrupts(number: int) -> bool:
    """Return whether Ctrl-C was kept from this process before it ran any code of ours."""
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def work_for_ever(number: int) -> int:
    """Return this process's id for 0; for anything else wait until ended."""
    if number:
        signal.pause()
    return os.getpid()


def end_itself(number: int) -> int:
    """Kill the worker, as the kernel does that is out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return number
