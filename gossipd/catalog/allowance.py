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

    def take(self, now: float, *, share_kept: float = 0.0) -> bool:
        """Say whether one more may happen, and count it.

        Args:
            now: seconds, monotonic.
            share_kept: of what may happen at once, so much is left to others.
        """
        self._earn(now)
        if self._left < 1.0 + share_kept * (self._most() - 1.0):
            return False
        self._left -= 1.0
        return True

    def wait(self, now: float, wanted: float = 1.0, *, share_kept: float = 0.0) -> float:
        """Return the seconds until ``wanted`` of them may happen."""
        self._earn(now)
        wanted = min(wanted + share_kept * (self._most() - 1.0), self._most())
        return max(0.0, (wanted - self._left) / self._rate)

    def _most(self) -> float:
        return max(1.0, self._rate * SECONDS_SAVED)

    def _earn(self, now: float) -> None:
        self._left = min(self._most(), self._left + max(0.0, now - self._counted_at) * self._rate)
        self._counted_at = now
