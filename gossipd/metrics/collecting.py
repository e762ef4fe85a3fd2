"""``Collector``: reads all counters every ten seconds and keeps a minute of them (agent.md, 9).

Readings are raw. What they mean to a dashboard is worked out when somebody
wants to know, in ``interval.py``: an idle daemon pays for a few numbers only.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn, Protocol

import trio

from gossipd.ledger import Ledger
from gossipd.metrics.reading import INTERVAL, Reading
from gossipd.node.statistics import Statistics

if TYPE_CHECKING:
    from gossipd.metrics.interval import Interval

LAST_SENDING = 0.5
"""Seconds granted at the end to what is still to be sent."""
KEPT = 6
"""Finished intervals that are kept: one minute."""


class Sink(Protocol):
    """Where finished intervals go; kept by ``sinks.Sending``."""

    @property
    def lost(self) -> Mapping[str, int]:
        """Lines that could not be sent."""

    def take(self, interval: Interval) -> None:
        """Send it soon; must not block."""

    async def run(self) -> NoReturn:
        """Send what is taken; for ever."""

    async def finish(self) -> None:
        """Wait until everything is sent that can be."""


class Collector:
    """The readings of one daemon, the first of which is taken at once.

    Args:
        statistics: returns the node's counters.
        ledger: what the agent itself counts and measures.
        wall: calendar time, seconds since 1970.
    """

    def __init__(
        self,
        statistics: Callable[[], Statistics],
        ledger: Ledger,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._statistics = statistics
        self._ledger = ledger
        self._wall = wall
        self._readings: deque[Reading] = deque(maxlen=KEPT + 1)
        self.sinks: Sequence[Sink] = ()
        self._read()

    async def run(self) -> NoReturn:
        """Read at each full ten seconds; for ever."""
        while True:
            pause = INTERVAL - self._wall() % INTERVAL
            # a timer that comes a hair early is not asked to come twice
            await trio.sleep(pause if pause > INTERVAL / 20 else pause + INTERVAL)
            self.read()

    def read(self) -> None:
        """End the interval that runs now, and give it to the sinks."""
        self._read()
        if self.sinks:
            from gossipd.metrics.interval import interval_between

            finished = interval_between(self._readings[-2], self._readings[-1])
            for sink in self.sinks:
                sink.take(finished)

    async def finish(self) -> None:
        """Send what happened since the last reading; waits a moment for it to get away."""
        self.read()
        with trio.move_on_after(LAST_SENDING):
            for sink in self.sinks:
                await sink.finish()

    def dump(self) -> list[str]:
        """Return the finished intervals of the last minute as lines, as Serf prints them."""
        from itertools import pairwise

        from gossipd.metrics.dump import lines_of
        from gossipd.metrics.interval import interval_between

        kept = tuple(self._readings)
        intervals = [interval_between(one, next_) for one, next_ in pairwise(kept)]
        host = os.uname().nodename if self.sinks else ""
        return [line for interval in intervals for line in lines_of(interval, host)]

    def latest(self) -> tuple[Interval, float]:
        """Return what happened between the last two readings, and how many seconds that was.

        For a collector that does not ``run``: it reads now if the last reading is older than an
        interval, and looks no further back than the reading before.
        """
        from gossipd.metrics.interval import interval_between

        if len(self._readings) < 2 or self._wall() - self._readings[-1].at >= INTERVAL:
            self._read()
        before, after = self._readings[-2], self._readings[-1]
        return interval_between(before, after), max(after.at - before.at, 0.001)

    def _read(self) -> None:
        reading = Reading(
            self._wall(),
            self._statistics(),
            dict(self._ledger.counts),
            self._ledger.read(),
            runtime(),
        )
        self._readings.append(reading)


def runtime() -> dict[str, float]:
    """Return what the interpreter tells of itself, under Serf's names where they fit."""
    return {
        "num_goroutines": trio.lowlevel.current_statistics().tasks_living,
        "heap_objects": sys.getallocatedblocks(),
        "sys_bytes": _resident_bytes(),
        "total_gc_runs": sum(generation["collections"] for generation in gc.get_stats()),
    }


def _resident_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
