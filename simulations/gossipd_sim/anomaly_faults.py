"""Faults of the Lifeguard paper: hosts that hang in what they send and receive, or starve."""

from __future__ import annotations

from functools import partial

from gossipd_sim.faults import FROZEN, UP, Fault, HostFault, Stage
from gossipd_sim.host import Host
from gossipd_sim.latency import LogNormal


class Anomaly(HostFault, kw_only=True):
    """The hosts block before each send and after each receive; only timers go on.

    The anomaly of the Lifeguard paper (section V-D): several hosts change state in
    lock step, and ``times`` and ``every`` make intervals of it.
    """

    do = "anomaly"
    needs = frozenset({UP, FROZEN})

    def befall(self, host: Host, stage: Stage) -> None:
        host.block_receiving()
        host.block_sending()

    def undo(self, at: float) -> Fault:
        return AnomalyOver(at=at, hosts=self.hosts)


class AnomalyOver(HostFault, kw_only=True):
    """What was held back goes out, then what waits is read."""

    do = "anomaly_over"
    needs = frozenset({UP, FROZEN})

    def befall(self, host: Host, stage: Stage) -> None:
        host.unblock_sending()
        host.unblock_receiving()


class Starve(HostFault, kw_only=True):
    """The process seldom gets the processor: it handles one thing after another.

    Each takes a time of its own: half of them less than ``median`` seconds, with a
    spread ``sigma`` of the logarithm (2: one of 100 takes 100 times as long). A
    ``median`` of 0 is as usual.
    """

    median: float
    sigma: float = 0.0

    do = "starve"
    needs = frozenset({UP, FROZEN})

    def befall(self, host: Host, stage: Stage) -> None:
        if self.median > 0:
            chance = stage.world.random(f"starvation of {host.name} at {self.at!r}")
            host.starve(partial(LogNormal(self.median, self.sigma).sample, chance))
        else:
            host.starve(None)

    def undo(self, at: float) -> Fault:
        return Starve(at=at, hosts=self.hosts, median=0.0)

    def describe(self) -> str:
        return f"starve {self.hosts}, {self.median:g} s each"


FAULTS_OF_ANOMALIES: tuple[type[HostFault], ...] = (Anomaly, AnomalyOver, Starve)
