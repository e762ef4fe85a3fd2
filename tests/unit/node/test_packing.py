"""What a packet takes along: claims first, but Serf's messages always get a part of it."""

from __future__ import annotations

from typing import cast

import pytest

from gossipd.errors import WireError
from gossipd.node.packing import COMPOUND_OVERHEAD, PART_OVERHEAD, Packer
from gossipd.serf.serf import Serf
from gossipd.swim.dissemination import BroadcastQueue
from gossipd.swim.swim import Swim
from gossipd.wire.packet import PacketLayers

BUDGET = 1400
CLAIM, PAYLOAD = b"\x04" + bytes(99), b"\x01" + bytes(49)


class Queues:
    """Both cores as the packer sees them, with plain queues behind."""

    def __init__(self, claims: int, payloads: int) -> None:
        self.claims, self.payloads = BroadcastQueue(), BroadcastQueue()
        for _ in range(claims):
            self.claims.enqueue(CLAIM)
        for _ in range(payloads):
            self.payloads.enqueue(PAYLOAD)

    @property
    def queue_depth(self) -> int:
        return len(self.claims)

    @property
    def has_payloads(self) -> bool:
        return len(self.payloads) > 0

    def take_claims(self, limit: int, overhead: int) -> list[bytes]:
        return self.claims.take(limit, overhead, 1000)

    def take_payloads(self, limit: int, overhead: int) -> list[bytes]:
        return self.payloads.take(limit, overhead, 1000)


def gossip(claims: int, payloads: int) -> tuple[int, int, int]:
    """Return how many claims and payloads one packet holds, and its size."""
    queues = Queues(claims, payloads)
    layers = PacketLayers(compression=False, entropy=bytes)
    packer = Packer(layers, BUDGET, cast(Swim, queues), cast(Serf, queues))
    (packet,) = packer.gossip(checksum=False)
    parts = list(packet.parts)
    assert packet.size == len(bytes(packet)) <= BUDGET
    return parts.count(CLAIM), parts.count(b"\x08" + PAYLOAD), packet.size


def test_claims_alone_fill_a_packet() -> None:
    claims, payloads, size = gossip(100, 0)
    assert payloads == 0
    assert size + len(CLAIM) + PART_OVERHEAD > BUDGET
    assert claims == (BUDGET - COMPOUND_OVERHEAD) // (len(CLAIM) + PART_OVERHEAD)


def test_a_flood_of_claims_leaves_room_for_what_serf_has_to_say() -> None:
    claims, payloads, size = gossip(100, 100)
    assert payloads >= 5
    assert claims >= 9
    assert size + len(PAYLOAD) + PART_OVERHEAD + 1 > BUDGET


def test_what_claims_leave_free_is_for_payloads() -> None:
    assert gossip(2, 100)[:2] == (2, 22)


def test_what_the_catalog_says_is_checked_for_turned_bits() -> None:
    layers, queues = PacketLayers(compression=False, entropy=bytes), Queues(0, 0)
    packer = Packer(layers, BUDGET, cast(Swim, queues), cast(Serf, queues))
    packets = packer.payloads([b"\xc0" + bytes(799), b"\xc0" + bytes(799)])
    assert [bytes(packet)[0] for packet in packets] == [12, 12]
    garbled = bytearray(bytes(packets[0]))
    garbled[400] ^= 1
    with pytest.raises(WireError, match="CRC-32"):
        layers.open_packet_untrusted(bytes(garbled))
