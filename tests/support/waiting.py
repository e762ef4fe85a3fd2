"""Bounded polling, for what real processes do in their own time.

Only tests and measurements against real processes use it; everything that
can run on a virtual clock does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_INTERVAL = 0.05
"""Seconds between two looks."""


class NotInTime(AssertionError):
    """What was waited for did not happen; the text says what was seen last."""


def wait_for(
    look: Callable[[], T],
    timeout: float,
    what: str,
    *,
    interval: float = POLL_INTERVAL,
    seen: Callable[[], object] | None = None,
) -> T:
    """Return the first true value of ``look``, called again and again.

    Args:
        look: asks the world; connection errors count as "not yet".
        timeout: seconds.
        what: ends the sentence "waited 5 s for ...".
        seen: tells the last state of the world in the failure's text.

    Raises:
        NotInTime: ``look`` gave nothing true in time.
    """
    deadline = time.monotonic() + timeout
    trouble: OSError | None = None
    while True:
        try:
            if found := look():
                return found
        except OSError as error:
            trouble = error
        if time.monotonic() >= deadline:
            break
        time.sleep(interval)
    text = f"waited {timeout:g} s for {what}"
    if trouble is not None:
        text += f"; last error: {trouble}"
    if seen is not None:
        text += f"; seen: {_describe(seen)}"
    raise NotInTime(text)


def _describe(seen: Callable[[], object]) -> str:
    try:
        return str(seen())
    except OSError as error:
        return f"nothing ({error})"
