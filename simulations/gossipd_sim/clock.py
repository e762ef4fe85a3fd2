"""``LocalClock``: the monotonic clock of one host, which may leap ahead or go too fast."""

from __future__ import annotations

from gossipd.errors import UsageError
from gossipd_sim.world import World


class LocalClock:
    """Seconds as one host counts them; equal to the world's until something is wrong with it."""

    __slots__ = ("_floor", "_local", "_rate", "_since", "_world")

    def __init__(self, world: World) -> None:
        self._world = world
        self._rate = 1.0
        self._since = 0.0
        self._local = 0.0
        """Local time at the world time ``_since``."""
        self._floor = 0.0
        """The latest moment that was told; no later answer is before it."""

    def now(self) -> float:
        """Return the local time; never less than before."""
        if self._rate == 1.0:
            local = self._world.now + (self._local - self._since)
        else:
            local = self._local + (self._world.now - self._since) * self._rate
        if local > self._floor:
            self._floor = local
        return self._floor

    def world_time(self, local: float) -> float:
        """Return the world time at which this clock shows ``local``."""
        if self._rate == 1.0:
            return local - (self._local - self._since)
        return self._since + (local - self._local) / self._rate

    def reach(self, local: float) -> None:
        """Show at least ``local`` from now on; for rounding."""
        self._floor = max(self._floor, local)

    def jump(self, seconds: float) -> None:
        """Leap ahead.

        Raises:
            UsageError: ``seconds`` is negative.
        """
        if not seconds >= 0:
            raise UsageError(f"a clock jump of {seconds:g} s: a monotonic clock only leaps ahead")
        self._settle()
        self._local += seconds

    def drift(self, rate: float) -> None:
        """Gain ``rate`` seconds a second on the world from now on; 0 is right, below 0 is slow.

        Raises:
            UsageError: ``rate`` is not above -1.
        """
        if not rate > -1:
            raise UsageError(f"a clock drift of {rate:g}: it must be above -1")
        self._settle()
        self._rate = 1.0 + rate

    def _settle(self) -> None:
        """Begin a new stretch of time here."""
        self._local, self._since = self.now(), self._world.now
