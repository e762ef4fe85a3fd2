"""``Colony``: many bare ``Swim`` cores on a world, and nothing around them.

The failure detector of the daemon as it is, without Serf's layer, streams and
packing, for experiments that are about SWIM alone and need many members or
many periods. Messages travel by reference; claims ride along as the packer
has them. Whole nodes are run by ``Site`` and ``Cluster``.

Everybody may know everybody from the start; tables may be shared, and may
refuse to believe in deaths, so that verdicts can be counted without ending
the experiment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from gossipd.address import Address
from gossipd.config.model import DEFAULT_PORT, NodeConfig, SwimConfig
from gossipd.errors import UsageError
from gossipd.node.packing import COMPOUND_OVERHEAD, PART_OVERHEAD
from gossipd.outbox import Outbox
from gossipd.swim.effects import Gossip, Send, SendTogether, SwimEffect
from gossipd.swim.events import SwimEvent
from gossipd.swim.membership import MemberTable
from gossipd.swim.rotation import Rotation, make_rotation
from gossipd.swim.swim import Swim
from gossipd.wire.codec import decode_untrusted
from gossipd.wire.messages import PacketMessage, Versions
from gossipd_sim.formed import Formed
from gossipd_sim.papers.firm_table import FirmTable
from gossipd_sim.world import World

PACKET_BYTES = 1400
"""What claims and lead of one datagram may come to, as in the daemon."""
LEAD_BYTES = 60
"""What a ping or ack takes of that; claims of the experiments never fill the rest."""
PLENTY = 1 << 30
TOGETHER_FROM = 2000
"""From this many members on they share the list of names that they probe in an order of their
own; with fewer, each has the very list of the daemon."""
LATENCY = 0.0005
"""Seconds one way."""


class Cell:
    """One member of a colony, and the driver of its core."""

    __slots__ = ("address", "armed_at", "index", "is_up", "name", "outbox", "received", "sent",
                 "swim")  # fmt: skip

    def __init__(self, index: int, name: str, address: Address) -> None:
        self.index = index
        self.name = name
        self.address = address
        self.is_up = False
        self.armed_at: float | None = None
        self.sent = 0
        """Datagrams."""
        self.received = 0
        self.outbox: Outbox[SwimEffect, SwimEvent] = Outbox()
        self.swim: Swim


class Colony:
    """Up to ``n`` members; ``acquaint`` them all, or ``start`` one after another.

    Args:
        config: of every core. There are no streams: it must not use any.
        loss: probability 0..1 that a datagram is lost, each on its own.
        rides: whether claims ride on pings and acks; without, no news spreads that way.
        is_firm: whether tables ignore deaths: verdicts are told and have no consequence.
        latency: seconds one way, the same for all.

    Raises:
        UsageError: ``is_firm`` and ``rides`` exclude each other.
    """

    def __init__(
        self,
        world: World,
        config: SwimConfig,
        n: int,
        *,
        loss: float = 0.0,
        rides: bool = True,
        is_firm: bool = False,
        latency: float = LATENCY,
    ) -> None:
        if is_firm and rides:
            raise UsageError("deaths that nobody believes would be news for ever: rides=False")
        self.world = world
        self.config = config
        self.cells = [Cell(index, f"m{index}", _address(index)) for index in range(n)]
        self.on_send: Callable[[Cell, Cell, PacketMessage | None], None] | None = None
        """Told sender, receiver and the message that leads each datagram, if one does."""
        self.on_event: Callable[[Cell, SwimEvent], None] | None = None
        """Told what cores tell."""
        self.on_claims: Callable[[Cell, Sequence[PacketMessage]], None] | None = None
        """Told who has just handled which claims."""
        self._loss = loss
        self._rides = rides
        self._is_firm = is_firm
        self._latency = latency
        self._chance = world.random("network")
        self._at = {cell.address: cell for cell in self.cells}
        self._versions = Versions()
        self._decoded: dict[bytes, PacketMessage] = {}
        """Claims by their bytes: one is taken in as often as there are members."""

    @property
    def up(self) -> list[Cell]:
        """Members that run."""
        return [cell for cell in self.cells if cell.is_up]

    # -- beginnings -----------------------------------------------------------------

    def acquaint(self) -> None:
        """Start all members, each of which knows all others, with nothing to tell."""
        formed = Formed((cell.address, NodeConfig(name=cell.name)) for cell in self.cells)
        for cell in self.cells:
            random = self._random(cell)
            round_robin = self.config.round_robin
            storage = formed.storage(random, round_robin=round_robin)
            rotation = storage.rotation
            if len(self.cells) < TOGETHER_FROM:
                rotation = make_rotation(random, round_robin)
                for name in formed.names:
                    rotation.insert(name)
            cell.swim = self._core(cell, random, storage.table, rotation)
            self._start(cell)
            self._forget(cell)
            self._arm(cell)

    def start(self, cell: Cell) -> None:
        """Start one member that knows nobody; it has itself to tell of."""
        cell.swim = self._core(cell, self._random(cell), None, None)
        self._start(cell)
        self._arm(cell)

    def join(self, cell: Cell, seed: Cell) -> None:
        """Have ``cell`` and ``seed`` exchange all they know, as over a stream: nothing is lost."""
        now = self.world.now
        theirs = seed.swim.local_states()
        seed.swim.merge(cell.swim.local_states(), True, now)
        cell.swim.merge(theirs, True, now)
        self._settle(seed)
        self._settle(cell)

    # -- failures ---------------------------------------------------------------------

    def stop(self, cell: Cell) -> None:
        """Let ``cell`` handle nothing from now on; what is sent to it is lost."""
        cell.is_up = False

    def revive(self, cell: Cell) -> None:
        """Let a stopped ``cell`` go on, with all that it knew."""
        cell.is_up = True
        cell.armed_at = None
        self._arm(cell)

    # -- news -------------------------------------------------------------------------

    def announce(self, cell: Cell, meta: bytes) -> None:
        """Have ``cell`` say something new of itself."""
        cell.swim.set_meta(meta, 0, self.world.now)
        self._settle(cell)

    def tell(self, cell: Cell, claims: Sequence[PacketMessage], source: Cell) -> None:
        """Hand ``claims`` to ``cell`` at once, as if one datagram had brought them."""
        for claim in claims:
            cell.swim.receive(claim, source.address, self.world.now)
        self._settle(cell)
        if claims and self.on_claims is not None:
            self.on_claims(cell, claims)

    def take_news(self, cell: Cell) -> list[PacketMessage]:
        """Take what ``cell`` has to tell out of its queue, for good."""
        claims = [self._decode(claim) for claim in cell.swim.take_claims(PLENTY, 0)]
        self._forget(cell)
        return claims

    # -- the driver ---------------------------------------------------------------------

    def _core(
        self, cell: Cell, random: Random, table: MemberTable | None, rotation: Rotation | None
    ) -> Swim:
        cell.outbox = Outbox()
        return Swim(
            self.config,
            cell.name,
            cell.address,
            self._versions,
            random,
            cell.outbox,
            bind_port=DEFAULT_PORT,
            table=FirmTable(table or {}) if self._is_firm else table,
            rotation=rotation,
        )

    def _random(self, cell: Cell) -> Random:
        return self.world.random(f"member {cell.name}")

    def _start(self, cell: Cell) -> None:
        cell.is_up = True
        cell.armed_at = None
        own = cell.swim.member(cell.name)
        cell.swim.start(own.meta if own else b"", self.world.now)

    def _forget(self, cell: Cell) -> None:
        while cell.swim.queue_depth:
            cell.swim.take_claims(PLENTY, 0)
        cell.outbox.take_effects()
        cell.outbox.take_events()

    def _arm(self, cell: Cell) -> None:
        deadline = cell.swim.next_deadline()
        if deadline is not None and (cell.armed_at is None or deadline < cell.armed_at):
            cell.armed_at = deadline
            self.world.at(deadline, self._due, cell, deadline)

    def _due(self, cell: Cell, deadline: float) -> None:
        if cell.armed_at != deadline or not cell.is_up:
            return  # an earlier one came between, or it stopped
        cell.armed_at = None
        cell.swim.handle_deadline(self.world.now)
        self._settle(cell)

    def _settle(self, cell: Cell) -> None:
        for effect in cell.outbox.take_effects():
            self._carry_out(cell, effect)
        for event in cell.outbox.take_events():
            if self.on_event is not None:
                self.on_event(cell, event)
        self._arm(cell)

    def _carry_out(self, cell: Cell, effect: SwimEffect) -> None:
        match effect:
            case Send(to, message):
                riders: tuple[PacketMessage, ...] = ()
                if self._rides and cell.swim.queue_depth:
                    riders = self._riders(cell, PACKET_BYTES - LEAD_BYTES)
                self._post(cell, to, message, riders)
            case SendTogether(to, messages):
                self._post(cell, to, messages[0], messages[1:])
            case Gossip(to):
                riders = self._riders(cell, PACKET_BYTES)
                if riders:
                    self._post(cell, to, None, riders)
            case _:
                raise AssertionError(f"there are no streams here: {effect!r}")

    def _riders(self, cell: Cell, limit: int) -> tuple[PacketMessage, ...]:
        taken = cell.swim.take_claims(limit - COMPOUND_OVERHEAD, PART_OVERHEAD)
        return tuple(map(self._decode, taken))

    def _decode(self, claim: bytes) -> PacketMessage:
        message = self._decoded.get(claim)
        if message is None:
            message = self._decoded[claim] = decode_untrusted(claim)
        return message

    def _post(
        self,
        cell: Cell,
        to: Address,
        lead: PacketMessage | None,
        riders: tuple[PacketMessage, ...],
    ) -> None:
        target = self._at[to]
        cell.sent += 1
        if self.on_send is not None:
            self.on_send(cell, target, lead)
        if self._loss and self._chance.random() < self._loss:
            return
        self.world.after(self._latency, self._arrive, target, cell.address, lead, riders)

    def _arrive(
        self,
        cell: Cell,
        source: Address,
        lead: PacketMessage | None,
        riders: tuple[PacketMessage, ...],
    ) -> None:
        if not cell.is_up:
            return
        cell.received += 1
        now = self.world.now
        if lead is not None:
            cell.swim.receive(lead, source, now)
        for claim in riders:
            cell.swim.receive(claim, source, now)
        self._settle(cell)
        if riders and self.on_claims is not None:
            self.on_claims(cell, riders)


def _address(index: int) -> Address:
    return Address(((10 << 24) + index + 1).to_bytes(4, "big"), DEFAULT_PORT)
