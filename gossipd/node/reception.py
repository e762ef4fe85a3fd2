"""``Reception``: datagrams opened, decoded, counted and given to the failure detector.

What is not legal is dropped, counted and told. A packet handed over by reference
(``unsealed.py``) takes the short way where its label and key fit.
"""

from __future__ import annotations

from gossipd.address import Address
from gossipd.errors import WireError
from gossipd.node.effects import NodeEffect
from gossipd.node.events import InputDropped, NodeEvent
from gossipd.node.traffic import Traffic
from gossipd.node.unsealed import UnsealedPacket
from gossipd.outbox import Outbox
from gossipd.swim.swim import Swim
from gossipd.wire.codec import decode_untrusted
from gossipd.wire.packet import PacketLayers
from gossipd.wire.reasons import TRUNCATED


class Reception:
    """The packets that reach one node.

    Args:
        layers: what opens them.
        swim: who gets what is in them.
        traffic: where they are counted.
        outbox: the node's, which the driver empties.
    """

    __slots__ = ("_layers", "_outbox", "_swim", "_traffic")

    def __init__(
        self,
        layers: PacketLayers,
        swim: Swim,
        traffic: Traffic,
        outbox: Outbox[NodeEffect, NodeEvent],
    ) -> None:
        self._layers = layers
        self._swim = swim
        self._traffic = traffic
        self._outbox = outbox

    def take(self, data: bytes | UnsealedPacket, source: Address, now: float) -> None:
        """Take one datagram."""
        if isinstance(data, UnsealedPacket):
            if self._layers.accepts(data.label, data.key):
                self._take_unsealed(data, source, now)
                return
            data = bytes(data)
        traffic, swim = self._traffic, self._swim
        traffic.bytes_received += len(data)
        try:
            opened = self._layers.open_packet_untrusted(data)
        except WireError as error:
            self._drop(error, source)
            return
        for bad_part in opened.errors:
            self._drop(bad_part, source)
        if opened.lost:
            self._drop(WireError(TRUNCATED, f"{opened.lost} parts of a compound lost"), source)
        for part in opened.messages:
            try:
                message = decode_untrusted(part)
            except WireError as error:
                self._drop(error, source)
                continue
            kind = type(message).__name__
            traffic.received[kind] += 1
            traffic.received_bytes[kind] += len(part)
            swim.receive(message, source, now)

    def _take_unsealed(self, packet: UnsealedPacket, source: Address, now: float) -> None:
        traffic, swim = self._traffic, self._swim
        traffic.bytes_received += packet.size
        received, received_bytes = traffic.received, traffic.received_bytes
        lead = packet.lead
        if lead is not None and len(packet.parts) == 1:
            kind = type(lead).__name__
            received[kind] += 1
            received_bytes[kind] += len(packet.parts[0])
            swim.receive(lead, source, now)
        else:
            for message, part in zip(packet.messages(), packet.parts, strict=True):
                kind = type(message).__name__
                received[kind] += 1
                received_bytes[kind] += len(part)
                swim.receive(message, source, now)

    def _drop(self, error: WireError, source: Address) -> None:
        self._traffic.dropped[error.reason] += 1
        self._outbox.events.append(InputDropped(error.reason, error.detail, source, "udp"))
