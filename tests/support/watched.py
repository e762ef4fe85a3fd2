"""A few simulated hosts under the eyes of chosen checkers, for tests that plant violations."""

from __future__ import annotations

from gossipd.config.model import NodeConfig, SerfConfig, SwimConfig, WireConfig
from gossipd.swim.member import Member
from gossipd.value import replace
from gossipd_sim.checkers.choice import Complaints, make_inspector
from gossipd_sim.host import Host
from gossipd_sim.laws import Laws
from gossipd_sim.measures import Measures
from gossipd_sim.site import Site
from gossipd_sim.truth import Truth


class Watched:
    """``nodes`` hosts n000, n001, ... that have joined and come to rest.

    As in scenarios, nobody loses its name by a vote: who moved or took a name stays.

    Args:
        checkers: names of those that watch; none is all.
        calm_from: when faults are over, for the checker ``rest``.
        swim: what all of them are configured with.
    """

    def __init__(
        self,
        *checkers: str,
        nodes: int = 4,
        seed: int = 1,
        laws: Laws | None = None,
        calm_from: float = 0.0,
        settle: float = 10.0,
        swim: SwimConfig | None = None,
    ) -> None:
        self._swim = swim or SwimConfig()
        self.site = site = Site(seed, laws)
        self.complaints = Complaints()
        self.truth = Truth(site.hosts, site.network, site.world)
        self.measures = Measures(self.truth, site.network, site.world)
        self.inspector = make_inspector(
            checkers, self.complaints, self.truth, calm_from, self.measures
        )
        site.observers += [self.truth, self.inspector]
        for number in range(nodes):
            self.add(f"n{number:03d}")
        for host in self.hosts:
            host.boot()
            host.join(self.hosts[:1])
        site.run(settle)

    @property
    def hosts(self) -> list[Host]:
        """The machines in order."""
        return list(self.site.hosts.values())

    @property
    def now(self) -> float:
        """Virtual time in seconds."""
        return self.site.world.now

    def add(self, name: str, *, node: str = "", wire: WireConfig | None = None) -> Host:
        """Add a machine that is not booted; its node is named like it by default."""
        serf = SerfConfig(resolve_name_conflicts=False)
        config = NodeConfig(
            name=node or name, swim=self._swim, serf=serf, wire=wire or WireConfig()
        )
        return self.site.add_host(name, config)

    def crash(self, host: Host) -> None:
        """Crash ``host`` now, as a fault does."""
        self.site.tell_fault(f"crash {host.name}")
        host.crash()

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self.site.run(seconds)

    def plant(self, host: Host, name: str, **changes: object) -> Member:
        """Change the entry of ``name`` in the table of ``host`` as no claim could; look at it."""
        assert host.node is not None
        table = host.node._swim._membership.table
        known = table.get(name)
        assert known is not None
        member = table[name] = replace(known, **changes)
        self.look(host)
        return member

    def look(self, host: Host) -> None:
        """Have everybody look at ``host`` as after a step."""
        for observer in self.site.observers:
            observer.on_step(host, self.now)

    def found(self) -> list[tuple[str, str]]:
        """Return checker and host of each complaint so far."""
        return [(one.checker, one.host) for one in self.complaints.violations]

    def texts(self) -> list[str]:
        """Return the sentences of all complaints so far."""
        return [one.text for one in self.complaints.violations]
