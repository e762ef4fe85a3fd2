"""``Alarm``: wakes a host at the deadline of its node, by the host's own clock.

However often the deadline moves, little is put into the world's queue: an
alarm that comes too early is set anew, and only an earlier deadline needs
another one at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from gossipd_sim.clock import LocalClock
from gossipd_sim.world import World


class Alarm:
    """At most one deadline at a time.

    Args:
        clock: of the host, on which deadlines are given.
        ring: called when the deadline has come.
    """

    __slots__ = ("_clock", "_deadline", "_delay", "_due", "_ring", "_world")

    def __init__(self, world: World, clock: LocalClock, ring: Callable[[], None]) -> None:
        self._world = world
        self._clock = clock
        self._ring = ring
        self._deadline: float | None = None
        self._delay = 0.0
        self._due = math.inf
        """World time of the earliest call that is set; others are void."""

    def set(self, deadline: float | None, delay: float = 0.0) -> None:
        """Ring ``delay`` seconds after ``deadline`` (local time), or not at all."""
        self._deadline = deadline
        self._delay = delay
        if deadline is None:
            return
        due = self._clock.world_time(deadline) + delay
        if due < self._due:
            due = max(due, self._world.now)
            if due < self._due:
                self._due = due
                self._world.at(due, self._on_due, due)

    def stop(self) -> None:
        """Do not ring; also before the clock changes, and then set it anew."""
        self._deadline = None
        self._due = math.inf

    def _on_due(self, due: float) -> None:
        if due != self._due:
            return  # an earlier one was set meanwhile
        self._due = math.inf
        deadline = self._deadline
        if deadline is None:
            return
        if self._clock.world_time(deadline) + self._delay > self._world.now:
            self.set(deadline, self._delay)  # it moved on since
            return
        self._clock.reach(deadline)  # rounding may leave it a hair before
        self._ring()
