"""``PeakEwma``: how slow an instance is, quick to see it and slow to forget it.

Finagle's: a slower sample counts at once and whole, a faster one pulls the
average down with time. What was not asked for long fades too, so that a slow
instance is tried again now and then.
"""

from __future__ import annotations

import math


class PeakEwma:
    """A moving average of seconds that jumps up and decays down.

    Args:
        memory: time constant of the decay in seconds.
    """

    __slots__ = ("_at", "_memory", "_value")

    def __init__(self, memory: float) -> None:
        self._memory = memory
        self._value: float | None = None
        self._at = 0.0

    @property
    def is_known(self) -> bool:
        """Whether there was any sample."""
        return self._value is not None

    def add(self, sample: float, now: float) -> None:
        """Take in one answer that took ``sample`` seconds."""
        sample = max(sample, 0.0)
        if self._value is None or sample >= self._value:
            self._value = sample
        else:
            kept = self._kept(now)
            # rounding must not lift it above what was seen
            self._value = min(sample + (self._value - sample) * kept, self._value)
        self._at = max(self._at, now)

    def value(self, now: float) -> float | None:
        """Return the average in seconds as of ``now``; ``None`` without a sample."""
        return None if self._value is None else self._value * self._kept(now)

    def forget(self) -> None:
        """Drop what is known, as after a break."""
        self._value = None

    def _kept(self, now: float) -> float:
        return math.exp(-max(now - self._at, 0.0) / self._memory)
