"""``Quota``: how much of something may be done on average, and how much of it at once."""

from __future__ import annotations


class Quota:
    """A token bucket, full at first.

    Args:
        saved: how much may be done at once after a rest.
        per_second: what is earned.
    """

    __slots__ = ("_counted_at", "_left", "_per_second", "_saved")

    def __init__(self, saved: float, per_second: float) -> None:
        self._saved = saved
        self._per_second = per_second
        self._left = saved
        self._counted_at = 0.0

    def has(self, now: float, wanted: float = 1.0) -> bool:
        """Say whether ``wanted`` is left at ``now`` (seconds, monotonic)."""
        earned = max(0.0, now - self._counted_at) * self._per_second
        self._left = min(self._saved, self._left + earned)
        self._counted_at = now
        return self._left >= wanted

    def spend(self, amount: float = 1.0) -> None:
        """Count what was done; more than is left, if that was not known before."""
        self._left -= amount
