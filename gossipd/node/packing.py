"""One packet: a lead message and as many claims and payloads as its budget holds.

Order within a packet (gossip.md, section 11.2): the failure detector's
claims first, then Serf's intents, queries and user events, each of which
costs one byte more for the user-message type.
"""

from __future__ import annotations

from collections.abc import Sequence

from gossipd.serf.serf import Serf
from gossipd.swim.swim import Swim
from gossipd.wire.codec import MessageKind
from gossipd.wire.compound import make_compounds
from gossipd.wire.packet import PacketLayers

PART_OVERHEAD = 2
"""Bytes a message costs inside a compound beside its own: its length."""
PAYLOAD_OVERHEAD = PART_OVERHEAD + 1
"""The same for a Serf payload, which also needs its type byte."""
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

    def lead(self, message: bytes) -> bytes:
        """Return a packet that starts with ``message``; queued claims ride along."""
        # real nodes forget the lead's own length bytes and may send two bytes too many
        lead_bytes = len(message) + PART_OVERHEAD + COMPOUND_OVERHEAD
        riders = self._take(self._budget - lead_bytes - self._layers.overhead)
        if not riders:
            return self._layers.seal_packet(message)
        # one claim can be 11 bytes, so more than 255 would take over 2,800: never in one packet
        return self._layers.seal_packet(make_compounds([message, *riders])[0])

    def gossip(self, *, checksum: bool) -> list[bytes]:
        """Return the packets for one receiver of a gossip tick; empty if nothing waits."""
        messages = self._take(self._budget - COMPOUND_OVERHEAD - self._layers.overhead)
        return [
            self._layers.seal_packet(part, checksum=checksum) for part in self._bundle(messages)
        ]

    def together(self, messages: Sequence[bytes], *, checksum: bool) -> list[bytes]:
        """Return the packets that hold exactly ``messages``."""
        return [
            self._layers.seal_packet(part, checksum=checksum) for part in self._bundle(messages)
        ]

    def alone(self, message: bytes) -> bytes:
        """Return the packet of one message that takes nothing along."""
        return self._layers.seal_packet(message)

    def _take(self, limit: int) -> list[bytes]:
        claims = self._swim.take_claims(limit, PART_OVERHEAD)
        if not self._serf.has_payloads:
            return claims
        left = limit - sum(map(len, claims)) - PART_OVERHEAD * len(claims)
        if left > PAYLOAD_OVERHEAD:
            payloads = self._serf.take_payloads(left, PAYLOAD_OVERHEAD)
            claims.extend([USER_TYPE + payload for payload in payloads])
        return claims

    @staticmethod
    def _bundle(messages: Sequence[bytes]) -> Sequence[bytes]:
        return messages if len(messages) < 2 else make_compounds(messages)
