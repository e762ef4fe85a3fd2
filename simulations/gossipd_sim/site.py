"""``Site``: a world with a network and hosts on it, and those who watch.

What a cluster runs on. Tests that need a few hosts and no scenario use it as
it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gossipd.address import Address
from gossipd.config.model import DEFAULT_PORT, NodeConfig
from gossipd.errors import UsageError
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.birth import MakeNode
from gossipd_sim.host import Host
from gossipd_sim.laws import Laws
from gossipd_sim.network import Network
from gossipd_sim.observer import Observer
from gossipd_sim.streams import VirtualStreams
from gossipd_sim.trace import Trace
from gossipd_sim.world import World

FIRST_IP = 10 << 24


class Site:
    """Hosts on one network.

    Args:
        seed: the root of all chance.
        laws: of all links that get no others.
        trace: to give one that keeps its lines.
        by_wire: seal and open every packet and stream.
    """

    def __init__(
        self,
        seed: int,
        laws: Laws | None = None,
        trace: Trace | None = None,
        *,
        by_wire: bool = False,
    ) -> None:
        self.world = World(seed)
        self.trace = trace or Trace()
        self.network = Network(self.world, self.trace, laws, by_wire=by_wire)
        self.streams = VirtualStreams(self.world, self.network, self.trace)
        self.hosts: dict[str, Host] = {}
        """By name, in the order in which they were added."""
        self.observers: list[Observer] = []
        """Told everything, in this order; add before the run."""

    def add_host(
        self,
        name: str,
        config: NodeConfig | None = None,
        address: Address | None = None,
        *,
        make_node: MakeNode | None = None,
    ) -> Host:
        """Return a new machine that is not booted yet.

        Args:
            name: of the machine.
            config: of its daemon; by default all defaults, and named like the machine.
            address: by default the next free one of 10.0.0.0/8.
            make_node: makes the node of each life; by default one that does not seal.

        Raises:
            UsageError: there is a machine of that name.
        """
        if name in self.hosts:
            raise UsageError(f"there is a host {name} already")
        index = len(self.hosts)
        host = self.hosts[name] = Host(
            name,
            index,
            NodeConfig(name=name) if config is None else config,
            address or Address((FIRST_IP + index + 1).to_bytes(4, "big"), DEFAULT_PORT),
            self.world,
            self.network,
            self.streams,
            self.trace,
            self.observers,
            make_node=make_node,
        )
        return host

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self.world.run_until(self.world.now + seconds)

    def run_until(self, condition: Callable[[], bool], limit: float, step: float = 0.05) -> float:
        """Run until ``condition`` holds, looking every ``step`` seconds.

        Returns:
            The seconds it took, or infinity if it did not hold within ``limit`` seconds.
        """
        start = self.world.now
        while not condition():
            if self.world.now - start >= limit:
                return float("inf")
            self.run(step)
        return self.world.now - start

    def tell_fault(self, text: str) -> None:
        """Let the observers and the trace know of a fault."""
        now = self.world.now
        self.trace.note(now, "", "fault", text.encode())
        for observer in self.observers:
            observer.on_fault(text, now)

    def all_show(self, status: MemberStatus, names: Iterable[str]) -> bool:
        """Say whether every host that is up shows each of ``names`` with ``status``."""
        wanted = list(names)
        return all(
            shown.get(name) is status
            for host in self.hosts.values()
            if host.is_up
            for shown in (host.statuses(),)
            for name in wanted
        )
