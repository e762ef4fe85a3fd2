"""The bench of the Rapid paper: a large cluster whose members write down their view sizes.

Suresh, Malkhi, Gopalan, Porto Carreiro, Lokhandwala, "Stable and consistent
membership at scale with Rapid" (USENIX ATC 2018), section 7: memberlist with
its LAN defaults. What Serf adds to it, to try members that failed
again and again, is off; there is no model of the processor.
"""

from __future__ import annotations

from collections.abc import Sequence

from gossipd.config.model import NodeConfig, SerfConfig, SwimConfig, WireConfig
from gossipd.node.events import NodeEvent
from gossipd.swim.events import MemberFailed, MemberJoined, MemberLeft
from gossipd_sim.formed import Formed
from gossipd_sim.host import Host
from gossipd_sim.latency import Constant
from gossipd_sim.laws import Laws
from gossipd_sim.observer import Watcher
from gossipd_sim.papers.recipe import Effort
from gossipd_sim.selectors import host_names
from gossipd_sim.site import Site

PART = "Rapid's measurements of memberlist"
PAPER = "Suresh et al., Stable and Consistent Membership at Scale with Rapid (USENIX ATC 2018)"
FULL_SIZE, QUICK_SIZE = 1000, 60
LINKS = Laws(latency=Constant(0.00025))
"""A round trip of half a millisecond."""
NEVER = 1e9
"""Seconds between tries of Serf's to reach the failed: plain memberlist makes none."""


def size_of(effort: Effort) -> int:
    """Return how many members a cluster of most recipes has."""
    return FULL_SIZE if effort is Effort.FULL else QUICK_SIZE


class Views(Watcher):
    """The size of each member's view, itself included, as events change it.

    Args:
        begins_with: members that everybody knows at first, 0 of a cluster yet to form.
    """

    def __init__(self, names: Sequence[str], begins_with: int = 0) -> None:
        self.sizes = dict.fromkeys(names, begins_with)
        self.seen: set[int] = set()
        """All sizes that anybody wrote down."""
        self.removals: list[tuple[float, str, str]] = []
        """When, at whom, and who."""
        self.returns: list[tuple[float, str, str]] = []
        """The same of those who joined after ``count_returns``."""
        self.changed_at = 0.0
        self._counts_returns = begins_with > 0

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Follow a view."""
        match event:
            case MemberJoined(member=member):
                if self._counts_returns and member.name == host.name:
                    return  # a formed cluster's members know themselves
                self.sizes[host.name] += 1
                if self._counts_returns:
                    self.returns.append((now, host.name, member.name))
            case MemberFailed(member=member) | MemberLeft(member=member):
                self.sizes[host.name] -= 1
                self.removals.append((now, host.name, member.name))
            case _:
                return
        self.changed_at = now

    def write_down(self, names: Sequence[str]) -> tuple[int, int]:
        """Note the sizes of ``names``; returns the smallest and the largest."""
        sizes = [self.sizes[name] for name in names]
        self.seen.update(sizes)
        return min(sizes), max(sizes)


class LargeCluster:
    """``count`` members on one network, not booted yet.

    Args:
        stream_ping: whether probes fall back to TCP.
        compression: of packets and streams.
        by_wire: whether packets are sealed, so that their bytes are those of the wire.
    """

    def __init__(
        self,
        count: int,
        seed: int,
        *,
        stream_ping: bool = True,
        compression: bool = False,
        by_wire: bool = False,
    ) -> None:
        self.site = Site(seed, LINKS, by_wire=by_wire)
        swim = SwimConfig(stream_ping=stream_ping)
        serf = SerfConfig(reconnect_interval=NEVER)
        wire = WireConfig(compression=compression)
        self.names = host_names(count)
        self.hosts = [
            self.site.add_host(name, NodeConfig(name=name, swim=swim, serf=serf, wire=wire))
            for name in self.names
        ]
        self.views = Views(())

    def form(self) -> None:
        """Boot all as members that know each other."""
        formed = Formed((host.address, host.config) for host in self.hosts)
        self.views = Views(self.names, len(self.names))
        self.site.observers.append(self.views)
        for host in self.hosts:
            host.begins_with = formed
            host.boot()

    def bootstrap(self, at: float, over: float) -> None:
        """Boot the first now, and the others from ``at`` on within ``over``; they join it."""
        self.views = Views(self.names)
        self.site.observers.append(self.views)
        seed, *others = self.hosts
        seed.boot()
        chance = self.site.world.random("bootstrap")
        for host in others:
            self.site.world.at(at + chance.random() * over, _boot_and_join, host, seed)

    def victims(self, count: int) -> tuple[list[str], list[str]]:
        """Return the names of ``count`` members chosen by chance, and of the others."""
        chosen = set(self.site.world.random("victims").sample(self.names, count))
        return sorted(chosen), [name for name in self.names if name not in chosen]


def _boot_and_join(host: Host, seed: Host) -> None:
    host.boot()
    host.join([seed])
