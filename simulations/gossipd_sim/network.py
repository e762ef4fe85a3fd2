"""``Network``: datagrams between hosts, under the laws of each link and behind partitions.

A link is one direction between two hosts. All links follow the default laws
until others are set for them. Partitions are walls between groups, one way;
walls are counted apart from laws, so that healing one changes no law.

Everything lost is counted by cause for the host that sent it. Streams run
over the same links: see ``streams.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from random import Random
from typing import Protocol, TypeAlias

from gossipd.address import Address
from gossipd.node.unsealed import UnsealedPacket, UnsealedStream
from gossipd_sim.law_rules import LawRules
from gossipd_sim.laws import Laws, check_laws
from gossipd_sim.ledger import Ledger
from gossipd_sim.tap import Tap
from gossipd_sim.trace import Trace
from gossipd_sim.world import World

UDP, TCP = "udp", "tcp"

Datagram: TypeAlias = bytes | UnsealedPacket
"""What travels; ``bytes(...)`` is what would stand on the wire."""
Portion: TypeAlias = bytes | UnsealedStream
"""What travels on a stream in one go."""


def size_of(data: Datagram | Portion) -> int:
    """Return the bytes of ``data`` before compression, which a run counts with and by wire."""
    return len(data) if isinstance(data, bytes) else data.size


class Endpoint(Protocol):
    """A machine on the network; kept by ``host.Host``. Told things, it may step its node."""

    @property
    def name(self) -> str:
        """Unique in the network; links are named by it."""

    @property
    def address(self) -> Address:
        """Where it is reached, and what its datagrams come from."""

    @property
    def is_up(self) -> bool:
        """Whether a process listens there now."""

    @property
    def is_powered(self) -> bool:
        """Whether its kernel answers, process or not."""

    def packet_arrived(self, data: Datagram, source: Address, size: int) -> bool:
        """Take one datagram; False when its receive buffer was full and it was dropped."""

    def stream_accepted(self, stream: int, source: Address) -> None:
        """A peer opened ``stream``."""

    def stream_opened(self, stream: int) -> None:
        """Our own ``stream`` is connected."""

    def stream_received(self, stream: int, data: Portion) -> None:
        """Bytes came in."""

    def stream_ended(self, stream: int) -> None:
        """The peer has sent everything."""

    def stream_failed(self, stream: int, reason: str) -> None:
        """``stream`` is gone."""


class Link:
    """One direction between two hosts."""

    __slots__ = ("_network", "source", "target")

    def __init__(self, network: Network, source: str, target: str) -> None:
        self._network = network
        self.source = source
        self.target = target

    @property
    def laws(self) -> Laws:
        """What happens on this link; may be set, for this link alone."""
        return self._network.laws_of(self.source, self.target)

    @laws.setter
    def laws(self, laws: Laws) -> None:
        self._network.set_laws([self.source], [self.target], laws)


class Network:
    """All links between the hosts that are attached.

    Args:
        world: its clock, and where chance comes from.
        trace: told every datagram sent, lost and delivered.
        laws: of every link that gets no others.
        by_wire: seal what is sent, and deliver bytes, instead of messages by
            reference; the run is the same.
    """

    def __init__(
        self, world: World, trace: Trace, laws: Laws | None = None, *, by_wire: bool = False
    ) -> None:
        self.by_wire = by_wire
        self._world = world
        self._trace = trace
        self._random = world.random("network")
        self._default = laws or Laws()
        check_laws(self._default)
        self._rules = LawRules(self._default)
        self._burst_until: dict[tuple[str, str], float] = {}
        """End of the last burst of losses of a link, in seconds."""
        self._walls: list[tuple[frozenset[str], frozenset[str], bool]] = []
        """Sources, targets, cut or healed; of those that fit, the last one counts."""
        self._endpoints: dict[tuple[bytes, int], Endpoint] = {}
        """By IP address and port."""
        self.sent = Ledger()
        """By sender and ``udp`` or ``tcp``; bytes before compression."""
        self.corrupted = 0
        """Datagrams in which a bit was turned."""
        self.sealed_bytes = 0
        """Bytes of all datagrams sealed by wire: after compression and encryption."""
        self.received = Ledger()
        """By receiver and ``udp`` or ``tcp``."""
        self.lost = Ledger()
        """By sender and cause: ``loss``, ``burst``, ``cut``, ``mtu``, ``udp-off``,
        ``nobody`` (no process there), ``buffer`` (the receiver's was full)."""
        self.tap: Tap | None = None
        """Follows single datagrams and streams; set it before the run."""

    # -- who is there -----------------------------------------------------------

    def attach(self, endpoint: Endpoint) -> None:
        """Have ``endpoint`` reached at its address, in the place of who was before."""
        self._endpoints[_key(endpoint.address)] = endpoint

    def detach(self, endpoint: Endpoint) -> None:
        """Take ``endpoint`` off the network, unless its address is another's by now."""
        key = _key(endpoint.address)
        if self._endpoints.get(key) is endpoint:
            del self._endpoints[key]

    def at(self, address: Address) -> Endpoint | None:
        """Return who is attached at ``address``."""
        return self._endpoints.get(_key(address))

    # -- laws and walls ---------------------------------------------------------

    def link(self, source: str, target: str) -> Link:
        """Return the link from one host to another, by name; its ``laws`` may be set."""
        return Link(self, source, target)

    def set_laws(self, sources: Iterable[str], targets: Iterable[str], laws: Laws) -> None:
        """Set the laws of all links from ``sources`` to ``targets``.

        Raises:
            UsageError: the laws mean nothing; nothing was changed.
        """
        check_laws(laws)
        self._rules.add(frozenset(sources), frozenset(targets), laws)

    def laws_of(self, source: str, target: str) -> Laws:
        """Return what happens from one host to another."""
        return self._rules.find(source, target)

    @property
    def common_laws(self) -> Laws | None:
        """The laws of every link, or ``None`` if some differ or a wall stands anywhere."""
        return None if self._walls or self._rules.are_set else self._default

    def cut(self, sources: Collection[str], targets: Collection[str]) -> None:
        """Let nothing through from ``sources`` to ``targets``; the way back stays open."""
        self._wall(sources, targets, is_cut=True)

    def heal(
        self, sources: Collection[str] | None = None, targets: Collection[str] | None = None
    ) -> None:
        """Let everything through again from ``sources`` to ``targets``; without both: anywhere."""
        if sources is None or targets is None:
            self._walls.clear()
        else:
            self._wall(sources, targets, is_cut=False)

    def is_cut(self, source: str, target: str) -> bool:
        """Say whether a wall stands on the way from ``source`` to ``target``."""
        for sources, targets, cut in reversed(self._walls):
            if source in sources and target in targets:
                return cut
        return False

    def _wall(self, sources: Collection[str], targets: Collection[str], *, is_cut: bool) -> None:
        ends = (frozenset(sources), frozenset(targets))
        self._walls = [wall for wall in self._walls if wall[:2] != ends]
        if is_cut or self._walls:
            self._walls.append((*ends, is_cut))

    # -- datagrams --------------------------------------------------------------

    def send(self, sender: Endpoint, to: Address, data: Datagram) -> None:
        """Carry one datagram; it arrives, or not, as the laws of the link have it."""
        world, source = self._world, sender.name
        if isinstance(data, UnsealedPacket):
            size = data.size
            self._trace.note(world.now, source, "send", to.ip, data.parts)
        else:
            size = len(data)
            self._trace.note(world.now, source, "send", to.ip, data)
        self.sent.add(source, UDP, size)
        if self.by_wire:
            data = bytes(data)
            self.sealed_bytes += len(data)
        target = self._endpoints.get((to.ip, to.port))
        if target is None:
            self._lose(source, "nobody", to, data, size)
            return
        if self._walls and self.is_cut(source, target.name):
            self._lose(source, "cut", to, data, size)
            return
        laws = self._rules.find(source, target.name)
        random = self._random
        address = sender.address
        if laws.is_plain and size <= laws.mtu:
            delay = laws.latency.sample(random)
            world.after(delay, self._arrive, source, address, to, data, size)
            return
        cause = self._cause_of_loss(laws, source, target.name, data, size)
        if cause:
            self._lose(source, cause, to, data, size)
            return
        if laws.duplicate and random.random() < laws.duplicate:
            delay = laws.latency.sample(random)
            world.after(delay, self._arrive, source, address, to, data, size)
        if laws.corrupt and random.random() < laws.corrupt:
            if self.tap is not None:
                self.tap.datagram_lost(source, to, data, "corrupt")
            data = _with_one_bit_turned(bytes(data), random)
            self.corrupted += 1
        delay = laws.latency.sample(random)
        if laws.reorder and random.random() < laws.reorder:
            delay += random.random() * laws.reorder_seconds
        world.after(delay, self._arrive, source, address, to, data, size)

    def inject(self, source: Address, to: Address, data: bytes, delay: float = 0.0) -> None:
        """Have a datagram from nowhere arrive at ``to`` in ``delay`` seconds, from ``source``."""
        self._world.after(delay, self._arrive, "", source, to, data, len(data))

    def _cause_of_loss(
        self, laws: Laws, source: str, target: str, data: Datagram, size: int
    ) -> str:
        """Return why a datagram does not arrive, or nothing."""
        if not laws.udp:
            return "udp-off"
        if size > laws.mtu and len(bytes(data)) > laws.mtu:
            return "mtu"
        random = self._random
        if laws.burst_loss:
            now, link = self._world.now, (source, target)
            if now < self._burst_until.get(link, 0.0):
                return "burst"
            if random.random() < laws.burst_loss:
                if laws.burst_seconds:
                    length_of_burst = random.expovariate(1.0 / laws.burst_seconds)
                    self._burst_until[link] = now + length_of_burst
                return "burst"
        if laws.loss and random.random() < laws.loss:
            return "loss"
        return ""

    def _arrive(self, sender: str, source: Address, to: Address, data: Datagram, size: int) -> None:
        target = self._endpoints.get((to.ip, to.port))
        if target is None or not target.is_up:
            self._lose(sender, "nobody", to, data, size)
            return
        if self.tap is not None:
            self.tap.datagram_arrived(sender, to, data)
        if not target.packet_arrived(data, source, size):
            self._lose(sender, "buffer", to, data, size)
            return
        self.received.add(target.name, UDP, size)

    def _lose(self, sender: str, cause: str, to: Address, data: Datagram, size: int) -> None:
        self._trace.note(self._world.now, sender, cause, size)
        self.lost.add(sender, cause, size)
        if self.tap is not None:
            self.tap.datagram_lost(sender, to, data, cause)


def _key(address: Address) -> tuple[bytes, int]:
    return address.ip, address.port


def _with_one_bit_turned(data: bytes, random: Random) -> bytes:
    if not data:
        return data
    bit = random.randrange(8 * len(data))
    turned = bytearray(data)
    turned[bit >> 3] ^= 1 << (bit & 7)
    return bytes(turned)
