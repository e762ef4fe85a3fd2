"""How much may happen in a time: so many a second on average, some seconds' worth at once."""

from __future__ import annotations

SECONDS_SAVED = 10.0
"""After a rest as much as in so many seconds may happen at once."""


class Allowance:
    """A token bucket, full at first.

    Args:
        rate: how many a second.
        now: seconds, monotonic.
    """

    __slots__ = ("_counted_at", "_left", "_rate")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._left = self._most()
        self._counted_at = now

    def take(self, now: float) -> bool:
        """Say whether one more may happen, and count it."""
        self._earn(now)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def wait(self, now: float, wanted: float = 1.0) -> float:
        """Return the seconds until ``wanted`` of them may happen."""
        self._earn(now)
        return max(0.0, (min(wanted, self._most()) - self._left) / self._rate)

    def _most(self) -> float:
        return max(1.0, self._rate * SECONDS_SAVED)

    def _earn(self, now: float) -> None:
        self._left = min(self._most(), self._left + max(0.0, now - self._counted_at) * self._rate)
        self._counted_at = now
