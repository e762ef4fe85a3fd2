"""One packet: a lead message and as many claims and payloads as its budget holds.

Order within a packet (gossip.md, section 11.2): the failure detector's
claims first, then Serf's intents, queries and user events, each of which
costs one byte more for the user-message type.
"""

from __future__ import annotations

from collections.abc import Sequence

from gossipd.node.unsealed import UnsealedPacket
from gossipd.serf.serf import Serf
from gossipd.swim.swim import Swim
from gossipd.wire.codec import MessageKind, encode
from gossipd.wire.compound import PARTS_MAX
from gossipd.wire.messages import PacketMessage
from gossipd.wire.packet import PacketLayers

PART_OVERHEAD = 2
"""Bytes a message costs inside a compound beside its own: its length."""
PAYLOAD_OVERHEAD = PART_OVERHEAD + 1
"""The same for a Serf payload, which also needs its type byte."""
PAYLOAD_SHARE = 4
"""A packet keeps one part of so many for Serf's payloads while any wait.

Otherwise a storm of suspicions keeps everything else waiting for as long as it
lasts, intents that would end a mistake among it.
"""
COMPOUND_OVERHEAD = 2
"""The compound's type and count bytes."""
USER_TYPE = bytes([MessageKind.USER])


class Packer:
    """Fills packets from the queues of the cores, to the byte (section 11.2)."""

    __slots__ = ("_budget", "_layers", "_serf", "_swim")

    def __init__(self, layers: PacketLayers, packet_bytes_max: int, swim: Swim, serf: Serf) -> None:
        self._layers = layers
        self._budget = packet_bytes_max
        self._swim = swim
        self._serf = serf

    def lead(self, message: PacketMessage) -> UnsealedPacket:
        """Return a packet that starts with ``message``; queued claims ride along."""
        encoded = encode(message)
        if not self._swim.queue_depth and not self._serf.has_payloads:
            return UnsealedPacket(message, (encoded,), self._layers)
        # real nodes forget the lead's own length bytes and may send two bytes too many
        lead_bytes = len(encoded) + PART_OVERHEAD + COMPOUND_OVERHEAD
        riders = self._take(self._budget - lead_bytes - self._layers.overhead)
        # one claim can be 11 bytes, so more than 255 would take over 2,800: never in one packet
        parts = (encoded, *riders[: PARTS_MAX - 1])
        return UnsealedPacket(message, parts, self._layers)

    def gossip(self, *, checksum: bool) -> list[UnsealedPacket]:
        """Return the packets for one receiver of a gossip tick; empty if nothing waits."""
        parts = self._take(self._budget - COMPOUND_OVERHEAD - self._layers.overhead)
        return self._bundles(parts, checksum=checksum)

    def together(
        self, messages: Sequence[PacketMessage], *, checksum: bool
    ) -> list[UnsealedPacket]:
        """Return the packets that hold exactly ``messages``."""
        return self._bundles([encode(message) for message in messages], checksum=checksum)

    def payload(self, payload: bytes) -> UnsealedPacket:
        """Return the packet of one Serf message that takes nothing along."""
        return UnsealedPacket(None, (USER_TYPE + payload,), self._layers)

    def payloads(self, payloads: Sequence[bytes]) -> list[UnsealedPacket]:
        """Return as few packets as hold these user messages, in order, and nothing else.

        They are for gossipd nodes, which know checksums. A bit that turned in a record would
        stay until contents are compared, and then make its owner say everything anew.
        """
        room = self._budget - COMPOUND_OVERHEAD - self._layers.overhead
        packets: list[UnsealedPacket] = []
        parts: list[bytes] = []
        size = 0
        for payload in payloads:
            length = len(payload) + PAYLOAD_OVERHEAD
            if parts and (size + length > room or len(parts) == PARTS_MAX):
                packets.append(UnsealedPacket(None, parts, self._layers, checksum=True))
                parts, size = [], 0
            parts.append(USER_TYPE + payload)
            size += length
        if parts:
            packets.append(UnsealedPacket(None, parts, self._layers, checksum=True))
        return packets

    def _take(self, limit: int) -> list[bytes]:
        if not self._serf.has_payloads:
            return self._swim.take_claims(limit, PART_OVERHEAD)
        claims = self._swim.take_claims(limit - limit // PAYLOAD_SHARE, PART_OVERHEAD)
        left = limit - sum(map(len, claims)) - PART_OVERHEAD * len(claims)
        if left > PAYLOAD_OVERHEAD:
            payloads = self._serf.take_payloads(left, PAYLOAD_OVERHEAD)
            claims.extend([USER_TYPE + payload for payload in payloads])
        return claims

    def _bundles(self, parts: Sequence[bytes], *, checksum: bool) -> list[UnsealedPacket]:
        layers = self._layers
        return [
            UnsealedPacket(None, parts[start : start + PARTS_MAX], layers, checksum=checksum)
            for start in range(0, len(parts), PARTS_MAX)
        ]
