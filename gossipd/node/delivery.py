"""What the cores want done: packets packed, counted and sent, streams begun.

A core says what it has to say and to whom. How that becomes a packet is
``packing.py``'s part, what goes over a stream ``sessions.py``'s; an effect of
one core that is meant for the other is handed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from gossipd.address import Address
from gossipd.node.effects import NodeEffect, SendPacket
from gossipd.node.events import NodeEvent
from gossipd.node.packing import Packer
from gossipd.node.purposes import PushPullCall
from gossipd.node.sessions import Sessions
from gossipd.node.traffic import RIDERS, Traffic
from gossipd.node.unsealed import UnsealedPacket
from gossipd.outbox import Outbox
from gossipd.serf.effects import (
    HurryGossip,
    Recall,
    Reconnect,
    SaveKeyring,
    SendByStream,
    SendPayload,
    SerfEffect,
    SetMeta,
)
from gossipd.serf.serf import Serf
from gossipd.swim.effects import (
    Gossip,
    PingByStream,
    Send,
    SendTogether,
    SwimEffect,
    SyncWith,
)
from gossipd.swim.member import MemberState
from gossipd.swim.swim import Swim
from gossipd.wire.messages import PacketMessage, UserPayload

if TYPE_CHECKING:
    from gossipd.catalog.effects import CatalogEffect

CHECKSUM_PROTOCOL = 5
"""Receivers that know this protocol get checksums (gossip.md, section 4.3)."""
_GONE = (MemberState.DEAD, MemberState.LEFT)


class Delivery:
    """Carries out the effects of both cores of one node.

    Args:
        packer: fills packets.
        sessions: where streams are begun.
        swim, serf: the cores, for what one wants of the other.
        traffic: where packets are counted.
        outbox: the node's, which the driver empties.
        seals: see ``Node``.
    """

    __slots__ = ("_outbox", "_packer", "_seals", "_serf", "_sessions", "_swim", "_traffic")

    def __init__(
        self,
        packer: Packer,
        sessions: Sessions,
        swim: Swim,
        serf: Serf,
        traffic: Traffic,
        outbox: Outbox[NodeEffect, NodeEvent],
        *,
        seals: bool,
    ) -> None:
        self._packer = packer
        self._sessions = sessions
        self._swim = swim
        self._serf = serf
        self._traffic = traffic
        self._outbox = outbox
        self._seals = seals

    def do_for_serf(self, effect: SerfEffect, now: float) -> None:
        """Do what Serf's layer asks for."""
        match effect:
            case SendPayload():
                packet = self._packer.payload(effect.payload)
                self._send(effect.to, packet, UserPayload.__name__)
            case SendByStream():
                self._sessions.send_payload(effect.to, effect.payload, now)
            case SaveKeyring():
                self._outbox.effects.append(effect)
            case SetMeta():
                self._swim.set_meta(effect.meta, effect.token, now)
            case Reconnect():
                call = PushPullCall(
                    effect.node, effect.to, is_join=True, ignore_old=False, operation=None
                )
                self._sessions.push_pull(call, now)
            case Recall():
                member = self._swim.table.get(effect.node)
                if member is not None and member.state not in _GONE:
                    self._serf.recall(member, now)
            case HurryGossip():
                self._swim.hurry_gossip(now)
            case _:
                assert_never(effect)

    def do_for_catalog(self, effect: CatalogEffect, now: float) -> None:
        """Do what the catalog asks for; that it announces another epoch is ``Settling``'s."""
        from gossipd.catalog.effects import StartCheck, StopCheck, TellByStream, TellPeer

        if isinstance(effect, TellPeer):
            for packet in self._packer.payloads(effect.payloads):
                self._send(effect.to, packet, "Catalog")
        elif isinstance(effect, TellByStream):
            self._sessions.send_payload(effect.to, effect.payload, now)
        elif isinstance(effect, StartCheck | StopCheck):
            self._outbox.effects.append(effect)

    def do_for_swim(self, effect: SwimEffect, now: float) -> None:
        """Do what the failure detector asks for."""
        match effect:
            case Send():
                kind = type(effect.message).__name__
                self._send(effect.to, self._packer.lead(effect.message), kind)
            case Gossip():
                checksum = effect.protocol_max >= CHECKSUM_PROTOCOL
                for packet in self._packer.gossip(checksum=checksum):
                    self._send(effect.to, packet, "Gossip")
            case SendTogether():
                self._send_together(effect.to, effect.messages, effect.protocol_max)
            case SyncWith():
                call = PushPullCall(
                    effect.node, effect.to, effect.is_join, ignore_old=False, operation=None
                )
                self._sessions.push_pull(call, now)
            case PingByStream():
                self._sessions.ping(effect.to, effect.ping, effect.deadline, now)
            case _:
                assert_never(effect)

    def _send_together(
        self, to: Address, messages: tuple[PacketMessage, ...], protocol_max: int
    ) -> None:
        checksum = protocol_max >= CHECKSUM_PROTOCOL
        for packet in self._packer.together(messages, checksum=checksum):
            self._send(to, packet, type(messages[0]).__name__)

    def _send(self, to: Address, packet: UnsealedPacket, kind: str) -> None:
        traffic = self._traffic
        traffic.sent[kind] += 1
        if self._seals:
            data = bytes(packet)
            size = len(data)
            self._outbox.effects.append(SendPacket(to, data))
        else:
            size = packet.size
            self._outbox.effects.append(SendPacket(to, packet))
        traffic.bytes_sent += size
        if packet.lead is not None and len(packet.parts) > 1:
            # compressed, the whole may be less than the riders were
            riders = min(sum(map(len, packet.parts)) - len(packet.parts[0]), size)
            traffic.sent_bytes[RIDERS] += riders
            size -= riders
        traffic.sent_bytes[kind] += size
