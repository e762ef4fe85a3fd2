"""How a weight follows a reported load: within a second, damped, bounded.

A report is where the load is going; what is told approaches it like a low-pass
with a time constant of ``DAMPING`` (an EWMA that does not depend on how often
somebody reports). So one spike moves little, a step arrives within a second,
and the weight stays between 1 and what the operator defined.
"""

from __future__ import annotations

from math import exp

DAMPING = 0.3
"""Seconds in which 63 % of a step arrive; 96 % after one second."""
MOVE_MIN = 0.05
"""A load that moved by less is not worth telling, unless it has arrived."""
ARRIVED = 0.01
"""So near to the report the load is taken to be there."""


def is_load(load: float) -> bool:
    """Return whether ``load`` says how busy a service is: 0 (idle) to 1 (full)."""
    return 0.0 <= load <= 1.0


def weight_under(load: float | None, weight: int) -> int:
    """Return the share of requests of a service of ``weight`` at that load, at least 1 of it."""
    if load is None or weight <= 1:
        return weight
    return max(1, int(weight * (1.0 - load) + 0.5))


class LoadMeter:
    """The load of one service: what was reported, and what of it counts by now.

    Args:
        load: the first report, 0 to 1; counts at once.
        now: seconds, monotonic.
    """

    __slots__ = ("_level", "_moved_at", "_reported", "told", "told_at")

    def __init__(self, load: float, now: float) -> None:
        self._reported = self._level = load
        self._moved_at = now
        self.told: float | None = None
        """What others know."""
        self.told_at = float("-inf")

    def report(self, load: float, now: float) -> None:
        """Take a report; what counts moves there from now on."""
        self._move(now)
        self._reported = load

    def level(self, now: float) -> float:
        """Return what counts at ``now``, 0 to 1 with two digits."""
        self._move(now)
        return round(self._level, 2)

    def is_news(self, now: float) -> bool:
        """Return whether others should be told what counts at ``now``."""
        level = self.level(now)
        if self.told is None:
            return True
        return level != self.told and (
            not self.is_moving(now) or abs(level - self.told) >= MOVE_MIN
        )

    def is_moving(self, now: float) -> bool:
        """Return whether what counts is still on its way to what was reported."""
        self._move(now)
        return self._level != self._reported

    def tell(self, now: float) -> float:
        """Return what counts, which others are told now."""
        self.told = self.level(now)
        self.told_at = now
        return self.told

    def _move(self, now: float) -> None:
        passed = max(0.0, now - self._moved_at)
        self._moved_at = now
        distance = self._level - self._reported
        if distance:
            distance *= exp(-passed / DAMPING)
            self._level = self._reported + (distance if abs(distance) >= ARRIVED else 0.0)
