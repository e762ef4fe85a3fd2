"""``Cluster``: one run of one scenario, from the first boot to its outcome.

Everything is decided by the scenario and the seed: two clusters made of the
same do the same, to the bit, and ``Outcome.trace`` tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gossipd.value import Value
from gossipd_sim.checkers.choice import Complaints, make_inspector
from gossipd_sim.collector import collecting_seldom
from gossipd_sim.faults import Fault
from gossipd_sim.formed import Formed
from gossipd_sim.host import Host
from gossipd_sim.laws import Laws
from gossipd_sim.measures import Measures
from gossipd_sim.network import Network
from gossipd_sim.observer import Observer, Violation
from gossipd_sim.schedule import make_schedule
from gossipd_sim.script import FORMED, Scenario
from gossipd_sim.service_measures import ServiceMeasures
from gossipd_sim.site import Site
from gossipd_sim.streams import VirtualStreams
from gossipd_sim.trace import Trace
from gossipd_sim.truth import Truth
from gossipd_sim.world import World

__all__ = ["Cluster", "Observer", "Outcome", "Violation"]


class Outcome(Value, kw_only=True):
    """What came of a run; equal runs have equal outcomes.

    ``trace``: the hash of everything that happened. ``measures``: by name, plain
    numbers, texts, lists and mappings of such.
    """

    scenario: str
    seed: int
    trace: str
    virtual_seconds: float
    events_done: int
    violations: tuple[Violation, ...]
    measures: Mapping[str, object]
    sealed_bytes: int = 0
    """Bytes of all datagrams after compression and encryption; known by wire only."""


class Cluster:
    """Hosts that boot, suffer and settle as ``scenario`` has it.

    Args:
        seed: the root of all chance in this run.
        trace: to give one that keeps its lines.
        by_wire: seal and open every packet and stream, as daemons do, instead of handing
            messages over by reference; the run is the same, and slower.

    Raises:
        ScenarioError: something in it is impossible; the message names the key.
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        *,
        trace: Trace | None = None,
        by_wire: bool = False,
    ) -> None:
        by_wire = by_wire or scenario.by_wire
        self.scenario = scenario
        self.seed = seed
        self.site = Site(seed, scenario.laws, trace, by_wire=by_wire)
        schedule = make_schedule(scenario, self.world.random("schedule"))
        self.law_book = schedule.law_book
        self.law_book.install(self.network)
        for name in schedule.names:
            self.site.add_host(name, schedule.configs[name])
        if self.begins_formed:
            self._form(boot.hosts for boot in schedule.boots)
        self.faults: tuple[Fault, ...] = schedule.faults
        """Plain faults of one moment each, in order of time."""
        self.truth = Truth(self.hosts, self.network, self.world)
        self._measures = Measures(self.truth, self.network, self.world)
        rest_from = scenario.horizon - scenario.settle / 2
        self._services = ServiceMeasures(self.truth, self.network, self.world, rest_from=rest_from)
        self._complaints = Complaints()
        self.observers.append(self.truth)  # before those who ask it
        self.observers.append(
            make_inspector(
                scenario.checkers,
                self._complaints,
                self.truth,
                scenario.calm_from,
                self._measures,
                *([self._services] if self.has_services else []),
                by_wire=by_wire,
            )
        )
        for boot in schedule.boots:
            self.world.at(boot.at, boot.apply, self)
        for fault in schedule.faults:
            self.world.at(fault.at, self._apply, fault)

    @property
    def world(self) -> World:
        """The clock and the queue."""
        return self.site.world

    @property
    def network(self) -> Network:
        """The links."""
        return self.site.network

    @property
    def streams(self) -> VirtualStreams:
        """The streams over the links."""
        return self.site.streams

    @property
    def trace(self) -> Trace:
        """The running hash."""
        return self.site.trace

    @property
    def hosts(self) -> dict[str, Host]:
        """The machines by name, in order."""
        return self.site.hosts

    @property
    def observers(self) -> list[Observer]:
        """Told everything, in this order; add before the run."""
        return self.site.observers

    @property
    def measures(self) -> Measures:
        """What is counted while it runs."""
        return self._measures

    @property
    def begins_formed(self) -> bool:
        """Whether its first members know each other from the start."""
        return self.scenario.bootstrap.kind == FORMED

    @property
    def has_services(self) -> bool:
        """Whether any host takes part in the catalog."""
        return any(host.config.catalog.enabled for host in self.hosts.values())

    def usual_laws(self, source: str, target: str) -> Laws:
        """Return the laws of a link while no fault touches it."""
        return self.law_book.between(source, target)

    @property
    def violations(self) -> list[Violation]:
        """What the checkers have found so far."""
        return self._complaints.violations

    def run(self) -> Outcome:
        """Run to the horizon, have the observers look at the end, and return what came of it."""
        with collecting_seldom():
            self.world.run_until(self.scenario.horizon)
        now = self.world.now
        for observer in self.observers:
            observer.at_end(self, now)
        return Outcome(
            scenario=self.scenario.name,
            seed=self.seed,
            trace=self.trace.hexdigest(),
            virtual_seconds=now,
            events_done=self.world.events_done,
            violations=tuple(self.violations),
            measures=self._measures.values() | self._services.values(),
            sealed_bytes=self.network.sealed_bytes,
        )

    def _form(self, names: Iterable[str]) -> None:
        """Let those hosts begin as members of one cluster."""
        hosts = [self.hosts[name] for name in sorted(names)]
        formed = Formed((host.address, host.config) for host in hosts)
        for host in hosts:
            host.begins_with = formed

    def _apply(self, fault: Fault) -> None:
        self.site.tell_fault(fault.describe())
        fault.apply(self)
