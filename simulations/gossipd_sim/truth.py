"""``Truth``: the oracle that knows what no node can: who is really up, and who reaches whom.

It looks at the hosts themselves. Hosts are known by the names of machines;
what a table says of a member is about the node name in its configuration,
and two machines may claim the same one.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from math import exp
from typing import TYPE_CHECKING, assert_never

from gossipd.address import Address
from gossipd.node.events import NodeEvent, OperationFinished
from gossipd.value import Value
from gossipd_sim.host import Host
from gossipd_sim.latency import Constant, Latency, LogNormal, Uniform
from gossipd_sim.laws import TCP_OK, Laws
from gossipd_sim.network import Datagram, Network
from gossipd_sim.world import World

if TYPE_CHECKING:
    from gossipd_sim.cluster import Cluster

GOOD_LOSS = 0.3
"""Up to this share of lost packets two hosts count as connected."""
CALM_MTU = 1500
CALM_LATENCY = 0.1
"""Seconds; so much more would be worth a look at the probe timeout."""
NO_FAULT_YET = float("-inf")


class Change(enum.StrEnum):
    """What became of a host."""

    UP = "up"
    CRASHED = "crashed"
    LEFT = "left"


class Turn(Value):
    """A host came up, crashed or left at ``at`` (seconds), in that ``life`` of its."""

    at: float
    host: str
    node: str
    change: Change
    life: int


class Truth:
    """What is really so. An observer too, for that is how it notices changes in time.

    Args:
        hosts: all machines by name, up or not; a live mapping.
        network: the links between them.
        world: its clock; looks are set for the moments after a fault.
    """

    def __init__(self, hosts: Mapping[str, Host], network: Network, world: World) -> None:
        self.turns: list[Turn] = []
        self.faults_at = NO_FAULT_YET
        """When a fault was applied last, or ended (seconds)."""
        self.version = 0
        """Grows with whatever may have changed for anybody."""
        self._hosts = hosts
        self._network = network
        self._world = world
        self._by_node: dict[str, list[Host]] | None = None
        self._known: dict[str, tuple[bool, int]] = {}
        self._since: dict[str, float] = {}
        self._hindered_at: dict[str, float] = {}
        self._addresses: dict[str, list[Address]] = {}
        """By host: where it has been, its present address last."""
        self._moved_at: dict[str, float] = {}
        self._was_leaving: dict[str, bool] = {}
        self._is_lossless: bool | None = None

    # -- hosts -------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual time in seconds."""
        return self._world.now

    @property
    def hosts(self) -> Mapping[str, Host]:
        """All machines by name."""
        return self._hosts

    def up(self) -> list[Host]:
        """Return the hosts whose process runs and that were not told to leave, in order."""
        return [host for host in self._hosts.values() if host.is_up and not host.is_leaving]

    def named(self, node: str) -> list[Host]:
        """Return the machines that are configured with that node name; often one."""
        if self._by_node is None:
            self._by_node = {}
            for host in self._hosts.values():
                self._by_node.setdefault(host.config.name, []).append(host)
        return self._by_node.get(node, [])

    def since(self, host: Host) -> float:
        """Return when ``host`` came up, or went down, as far as was noticed (seconds)."""
        return self._since.get(host.name, 0.0)

    def is_healthy(self, host: Host, now: float, seconds: float) -> bool:
        """Say whether ``host`` has been up, and hindered by nothing, for ``seconds`` at least."""
        if not host.is_up or host.is_leaving or host.is_hindered:
            return False
        return now - max(self.since(host), self.hindered_at(host)) >= seconds

    def hindered_at(self, host: Host) -> float:
        """Return when ``host`` was last seen hindered: now, or when that ended (seconds)."""
        return self._hindered_at.get(host.name, NO_FAULT_YET)

    def moved_at(self, host: Host) -> float:
        """Return when ``host`` last came up at another address than before (seconds)."""
        return self._moved_at.get(host.name, NO_FAULT_YET)

    def has_left(self, host: Host, address: Address) -> bool:
        """Say whether ``host`` was at ``address`` in a former life, and is elsewhere now."""
        return address != host.address and address in self._addresses.get(host.name, ())

    # -- links -------------------------------------------------------------------

    def reaches(self, source: Host, target: Host) -> bool:
        """Say whether most datagrams of ``source`` would get to ``target``."""
        if self._network.is_cut(source.name, target.name):
            return False
        laws = self._network.laws_of(source.name, target.name)
        return laws.udp and laws.loss + laws.burst_loss <= GOOD_LOSS

    @property
    def bits_turned(self) -> int:
        """How many datagrams were corrupted on their way so far."""
        return self._network.corrupted

    def all_are_connected(self) -> bool:
        """Say whether no wall and no law of any link keeps two hosts apart."""
        laws = self._network.common_laws
        return laws is not None and laws.udp and laws.loss + laws.burst_loss <= GOOD_LOSS

    def are_connected(self, one: Host, other: Host) -> bool:
        """Say whether the two reach each other."""
        return self.reaches(one, other) and self.reaches(other, one)

    def groups(self) -> list[list[Host]]:
        """Return those up and not hindered, parted into sets that can talk to each other.

        Two are in one set also when only others connect them.
        """
        left = [host for host in self.up() if not host.is_hindered]
        groups = []
        while left:
            group, left = [left[0]], left[1:]
            for member in group:  # grows while we look
                near = [other for other in left if self.are_connected(member, other)]
                if near:
                    group += near
                    left = [other for other in left if other not in near]
            groups.append(sorted(group, key=lambda host: host.index))
        return groups

    def is_lossless(self) -> bool:
        """Say whether every link between hosts carries everything, unchanged and in time."""
        if self._is_lossless is None:
            names = list(self._hosts)
            network = self._network
            common = network.common_laws
            self._is_lossless = (
                _is_calm(common)
                if common is not None
                else all(
                    _is_calm(network.laws_of(one, other)) and not network.is_cut(one, other)
                    for one in names
                    for other in names
                    if one != other
                )
            )
        return self._is_lossless

    def is_calm(self, now: float, seconds: float) -> bool:
        """Say whether nothing at all has happened for ``seconds``: no fault, no coming or going."""
        last = max(self.faults_at, self.turns[-1].at if self.turns else NO_FAULT_YET)
        if now - last < seconds or not self.is_lossless():
            return False
        return not any(host.is_hindered for host in self._hosts.values())

    # -- observing ---------------------------------------------------------------

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Notice a boot before anything else of that life; look again when a leave is done."""
        self._look_at(host, now)
        if isinstance(event, OperationFinished) and host.is_leaving:
            self._world.after(0.0, self.refresh)

    def on_packet(self, sender: Host, to: Address, data: Datagram, now: float) -> None:
        """Ignore the datagram: events and steps tell enough."""

    def on_step(self, host: Host, now: float) -> None:
        """Notice what became of ``host``."""
        self._look_at(host, now)

    def on_fault(self, text: str, now: float) -> None:
        """Look at everybody as soon as the fault, told before it is applied, has been."""
        self.faults_at = now
        self._is_lossless = None
        self.refresh()
        self._world.after(0.0, self.refresh)

    def at_end(self, cluster: Cluster, now: float) -> None:
        """Look at everybody once more."""
        self.refresh()

    def refresh(self) -> None:
        """Look at every host and link: a crash makes no step that could be observed."""
        self._is_lossless = self._by_node = None
        self.version += 1
        now = self._world.now
        for host in self._hosts.values():
            self._look_at(host, now)

    def _look_at(self, host: Host, now: float) -> None:
        if host.is_hindered:
            self._hindered_at[host.name] = now
        state = (host.is_up, host.life)
        known = self._known.get(host.name, (False, 0))
        if state != known:
            self._known[host.name] = state
            self._since[host.name] = now
            if known[0]:
                # a restart has forgotten whether the life before it left
                left = self._was_leaving.get(host.name, False) if state[0] else host.has_left
                self._turn(host, Change.LEFT if left else Change.CRASHED, known[1], now)
            if state[0]:
                addresses = self._addresses.setdefault(host.name, [host.address])
                if addresses[-1] != host.address:
                    addresses.append(host.address)
                    self._moved_at[host.name] = now
                self._turn(host, Change.UP, host.life, now)
        self._was_leaving[host.name] = host.is_up and host.is_leaving

    def _turn(self, host: Host, change: Change, life: int, now: float) -> None:
        self.version += 1
        self._by_node = None
        self.turns.append(Turn(now, host.name, host.config.name, change, life))


def _is_calm(laws: Laws) -> bool:
    troubles = (laws.loss, laws.burst_loss, laws.duplicate, laws.reorder, laws.corrupt)
    return (
        not any(troubles)
        and laws.udp
        and laws.tcp == TCP_OK
        and laws.mtu >= CALM_MTU
        and _longest(laws.latency) <= CALM_LATENCY
    )


def _longest(latency: Latency) -> float:
    """Return about the longest time a packet takes, in seconds."""
    match latency:
        case Constant(seconds=seconds):
            return seconds
        case Uniform(high=high):
            return high
        case LogNormal(median=median, sigma=sigma):
            return median * exp(4.0 * sigma)
        case unreachable:
            assert_never(unreachable)
