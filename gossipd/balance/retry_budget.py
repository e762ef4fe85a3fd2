"""``RetryBudget``: retries stay a share of the requests, so that they cannot become the load.

Finagle's window: over the last ten seconds, retries may be a share of the
requests plus a fixed number a second. Counted in slots of a second.
"""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.balance.settings import BalanceSettings

WINDOW = 10
"""Slots of a second that are remembered."""


class RetryBudget:
    """How many retries are left; never below 0."""

    __slots__ = ("_newest", "_requests", "_settings", "_spent")

    def __init__(self, settings: BalanceSettings) -> None:
        self._settings = settings
        self._requests = [0] * WINDOW
        self._spent = [0] * WINDOW
        self._newest: int | None = None

    def earn(self, now: float) -> None:
        """A request was made that is no retry."""
        slot = self._slot(now)
        self._requests[slot] += 1

    def spend(self, now: float) -> bool:
        """Take one retry; return whether there was one to take."""
        if self.left(now) < 1:
            return False
        self._spent[self._slot(now)] += 1
        return True

    def left(self, now: float) -> float:
        """Return how many retries are left as of ``now``."""
        self._slot(now)
        settings = self._settings
        granted = sum(self._requests) * settings.retry_share + settings.retry_least * WINDOW
        # what was earned leaves the window before what was spent of it
        return max(granted - sum(self._spent), 0.0)

    def _slot(self, now: float) -> int:
        second = math.floor(now)
        if self._newest is None:
            self._newest = second
        for passed in range(min(second - self._newest, WINDOW)):
            slot = (second - passed) % WINDOW
            self._requests[slot] = self._spent[slot] = 0
        self._newest = max(self._newest, second)
        return self._newest % WINDOW
