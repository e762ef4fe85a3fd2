"""The bench of the Lifeguard paper: agents that settle, and some of them in anomalies.

Dadgar, Phillips, Currey, "Lifeguard: SWIM-ing with situational awareness"
(arXiv 1707.00788 v2, DSN 2018), sections V-C to V-E. 128 agents on one
machine settle for 15 s. Then some, chosen by chance, block immediately before
each send and immediately after each receive, in lock step, for a time D:
once (Threshold), or again and again with I between (Interval).

An agent with no anomaly is *healthy* here. What is counted is told by the
nodes themselves: a failure event about a healthy agent is false (FP), and
FP- if a healthy agent tells it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gossipd.config.model import NodeConfig, SwimConfig, WireConfig
from gossipd.node.events import NodeEvent
from gossipd.swim.events import MemberFailed
from gossipd.value import Value, replace
from gossipd_sim.formed import Formed
from gossipd_sim.host import Host
from gossipd_sim.latency import Latency, Uniform
from gossipd_sim.laws import Laws
from gossipd_sim.network import UDP
from gossipd_sim.observer import Watcher
from gossipd_sim.selectors import host_names
from gossipd_sim.site import Site

AGENTS = 128
SETTLING = 15.0
"""Seconds between the first start and the first anomaly."""
INTERVAL_LASTS = 120.0
"""Seconds after which an Interval run ends with the anomaly that ends next."""
CONCURRENCIES = (1, 4, 8, 12, 16, 20, 24, 28, 32)
DURATIONS_MS = (128, 512, 2048, 8192, 16384, 32768)
INTERVALS_MS = (1, 4, 16, 64, 256, 1024, 4096, 16384)
LOOPBACK = Laws(latency=Uniform(0.00005, 0.00015))
"""All agents ran in one virtual machine."""
CONFIRMATIONS = 3
"""K of LHA-Suspicion; the same for every tuning, where memberlist has alpha - 2."""
HANDLING = 0.00003
"""Seconds that the task of an agent that reads the socket takes for a datagram, rounded.

Measured, not published: a real agent of Serf, which is memberlist, takes 52 µs of processor
time for a ping and the ack it sends, and 23 µs for what it only reads
(``tests/bench/handling.py``). What is gossiped it hands to another task, which goes on
while nothing can be sent or received. 17 to 38 % of what a sick agent reads are pings.
"""
HEALTH_LEVELS = 8
"""S of LHA-Probe; memberlist's score stays below it."""
ALPHA, BETA = 5, 6
"""The tuning of all tables but VII: minimum in log10(n) intervals, maximum in minima."""


class Parts(Value, kw_only=True):
    """Which of Lifeguard's three parts are on (section IV)."""

    lha_probe: bool
    lha_suspicion: bool
    buddy: bool
    by_paper: bool = True
    """Local health by the paper's rules (IV-A); otherwise by memberlist's, as the daemon's."""


CONFIGURATIONS = {
    "SWIM": Parts(lha_probe=False, lha_suspicion=False, buddy=False),
    "LHA-Probe": Parts(lha_probe=True, lha_suspicion=False, buddy=False),
    "LHA-Suspicion": Parts(lha_probe=False, lha_suspicion=True, buddy=False),
    "Buddy": Parts(lha_probe=False, lha_suspicion=False, buddy=True),
    "Lifeguard": Parts(lha_probe=True, lha_suspicion=True, buddy=True),
}
"""In the order of the tables; everything else of memberlist is on in all of them."""
BY_CODE = {name: f"{name} by memberlist's rules" for name in ("LHA-Probe", "Lifeguard")}
"""The names of what the daemon runs; without LHA-Probe no rule of health matters.

A nack is due when the whole probe time-out is over, one round trip after a well
prober has given up: each probe of a dead member counts three, not one.
"""
ALL_CONFIGURATIONS = {
    **CONFIGURATIONS,
    **{label: replace(CONFIGURATIONS[name], by_paper=False) for name, label in BY_CODE.items()},
}


def swim_of(parts: Parts, alpha: int = ALPHA, beta: int = BETA) -> SwimConfig:
    """Return the settings of memberlist's LAN profile with these parts and this tuning.

    Also without LHA-Probe the paper's rules let a helper nack after 0.8 of the time-out.

    Without LHA-Suspicion a suspicion lasts its minimum, whatever ``beta`` is.
    """
    return SwimConfig(
        suspicion_mult=alpha,
        suspicion_max_timeout_mult=beta,
        suspicion_confirmations=CONFIRMATIONS,
        lha_suspicion=parts.lha_suspicion,
        buddy_system=parts.buddy,
        awareness_max_multiplier=HEALTH_LEVELS if parts.lha_probe else 1,
        paper_health=parts.by_paper,
    )


class Tally(Watcher):
    """Counts the failures that the paper counts, from ``begin`` on.

    ``sick``: names of the agents with anomalies.
    """

    def __init__(self, sick: frozenset[str]) -> None:
        self.sick = sick
        self.false = 0
        self.false_at_healthy = 0
        self.seen: dict[str, dict[str, float]] = {name: {} for name in sorted(sick)}
        """By sick agent: which healthy one saw it fail first when, in seconds from the begin."""
        self._begun_at: float | None = None

    def begin(self, now: float) -> None:
        """Count from now on."""
        self._begun_at = now

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Count a failure."""
        if type(event) is not MemberFailed or self._begun_at is None:
            return
        is_healthy = host.name not in self.sick
        name = event.member.name
        if name not in self.sick:
            self.false += 1
            self.false_at_healthy += is_healthy
        elif is_healthy:
            self.seen[name].setdefault(host.name, now - self._begun_at)


class Bench:
    """Agents that know each other and have settled, ``sick`` of them chosen by chance.

    They begin as a formed cluster: how they met is over in less than the time they settle.

    Handling a datagram takes the sick ones ``handling`` seconds, one after another, while
    their other tasks go on. It decides how much of its backlog such an agent gets through
    in a short break; well agents have none, so that their time is spared.

    Args:
        swim: the settings of all agents.
        seed: the root of all chance.
        agents: how many; the paper has 128.
        handling: seconds that a sick agent takes for each datagram and stream event, >= 0.
    """

    def __init__(
        self,
        swim: SwimConfig,
        sick: int,
        seed: int,
        agents: int = AGENTS,
        handling: float = HANDLING,
    ) -> None:
        self._handling = handling
        self.site = Site(seed, LOOPBACK)
        names = host_names(agents)
        wire = WireConfig(compression=False)
        hosts = [
            self.site.add_host(name, NodeConfig(name=name, swim=swim, wire=wire)) for name in names
        ]
        chosen = sorted(self.site.world.random("sick").sample(range(agents), sick))
        self.sick = [hosts[index] for index in chosen]
        self.tally = Tally(frozenset(host.name for host in self.sick))
        self.site.observers.append(self.tally)
        formed = Formed((host.address, host.config) for host in hosts)
        for host in hosts:
            host.begins_with = formed
            host.boot()
        self.site.run(SETTLING)
        self.tally.begin(self.site.world.now)
        self._sent_before = self.site.network.sent.total(UDP)

    @property
    def sent(self) -> tuple[int, int]:
        """Datagrams (compound messages) sent since the agents settled, and their bytes."""
        before, now = self._sent_before, self.site.network.sent.total(UDP)
        return now.packets - before.packets, now.bytes - before.bytes

    def threshold(self, seconds: float) -> list[tuple[float, float | None]]:
        """Let one anomaly of ``seconds`` happen.

        Returns:
            For each sick agent that was seen to fail before the anomaly ended: the
            seconds from its start until the first healthy agent saw it, and until the
            last did, ``None`` if not all did in time.
        """
        healthy = len(self.site.hosts) - len(self.sick)

        def all_seen() -> bool:
            return all(len(seen) == healthy for seen in self.tally.seen.values())

        self._block()
        _run_until(self.site, all_seen, seconds)
        found = []
        for seen in self.tally.seen.values():
            if seen:
                full = max(seen.values()) if len(seen) == healthy else None
                found.append((min(seen.values()), full))
        return found

    def interval(self, seconds: float, between: float, lasts: float = INTERVAL_LASTS) -> None:
        """Let anomalies of ``seconds`` happen, ``between`` apart, for ``lasts`` at least."""
        started_at = self.site.world.now
        if self._handling:
            for host in self.sick:
                host.pace(lambda: self._handling)
        while True:
            self._block()
            self.site.run(seconds)
            self._unblock()
            if self.site.world.now - started_at >= lasts:
                return
            self.site.run(between)

    def exhaust(self, service: Latency, seconds: float) -> None:
        """Let the sick ones handle everything one by one, each as ``service`` has it."""
        for host in self.sick:
            chance = self.site.world.random(f"service of {host.name}")
            host.starve(partial(service.sample, chance))
        self.site.run(seconds)

    def _block(self) -> None:
        for host in self.sick:
            host.block_receiving()
            host.block_sending()

    def _unblock(self) -> None:
        for host in self.sick:
            host.unblock_sending()
        for host in self.sick:
            host.unblock_receiving()


def _run_until(site: Site, condition: Callable[[], bool], limit: float) -> None:
    """Run for ``limit`` seconds, or until ``condition`` holds at the end of one of them."""
    left = limit
    while left > 0 and not condition():
        site.run(min(1.0, left))
        left -= 1.0
