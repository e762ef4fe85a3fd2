"""Workloads: what goes on in a cluster all the time, as a stream of faults.

Churn comes and goes by chance at a mean pace; a schedule turns it into single
faults before the run, so that each can be seen, replayed and left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from gossipd.value import Value
from gossipd_sim.faults import Crash, HostFault, Leave


class Churn(Value, kw_only=True):
    """Hosts crash or leave, and come back.

    ``at`` and ``lasts``: when it begins and how long it goes on, in seconds.
    ``every``: mean seconds between two departures (exponential, as in a Poisson
    process). ``away``: mean seconds a host stays away (half to one and a half
    times that). ``leaves``: the share of departures that are graceful.
    ``remembers``: the share of returns with memory. ``hosts``: one at a time of
    these, who must be one name, range or group.
    """

    at: float
    lasts: float
    every: float
    away: float = 10.0
    leaves: float = 0.5
    remembers: float = 0.5
    hosts: str = "all"

    def faults(self, random: Random) -> Iterator[HostFault]:
        """Yield single departures, in order of time, none returning after the end."""
        end = self.at + self.lasts
        at = self.at + random.expovariate(1.0 / self.every)
        while at < end:
            away = self.away * random.uniform(0.5, 1.5)
            leaves, remembers = random.random() < self.leaves, random.random() < self.remembers
            kind = Leave if leaves else Crash
            if at + away < end - 0.01:  # so that rounding takes none beyond
                yield kind(
                    at=round(at, 3),
                    lasts=round(away, 3),
                    hosts=f"random:1 of {self.hosts}",
                    remember=remembers,
                )
            at += random.expovariate(1.0 / self.every)
