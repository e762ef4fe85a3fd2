"""What a node sends to one peer: checksums by its protocol, the join flag by the reason."""

from __future__ import annotations

from random import Random

import pytest

from gossipd.address import Address
from gossipd.config.model import NodeConfig, SwimConfig, WireConfig
from gossipd.node.effects import NodeEffect, OpenStream, SendPacket
from gossipd.node.node import Node
from gossipd.wire.codec import encode
from gossipd.wire.keyring import Keyring
from gossipd.wire.messages import Alive, Dead, PushPull, Suspect, Versions
from gossipd.wire.packet import PacketLayers
from gossipd.wire.stream import StreamDecoder

PEER = Address(b"\x7f\0\0\x09", 7946)
CHECKSUM, COMPOUND = 12, 7


class Pair:
    """A node that knows one peer, plain, on a clock of its own."""

    def __init__(self, protocol_max: int = 5) -> None:
        wire = WireConfig(compression=False)
        config = NodeConfig(name="us", swim=SwimConfig(), wire=wire)
        self.node = Node(config, Address(b"\x7f\0\0\x01", 7946), Random(1), Random(2).randbytes)
        self.node.start(0.0)
        versions = Versions(protocol_max=protocol_max)
        self.hear(encode(Alive("peer", 1, PEER, b"\xff\x80", versions)))

    def hear(self, message: bytes, at: float = 0.0) -> None:
        self.node.receive_packet(message, PEER, at)

    def effects_until(self, end: float) -> list[NodeEffect]:
        effects = self.node.take_effects()
        while (deadline := self.node.next_deadline()) is not None and deadline <= end:
            self.node.handle_deadline(deadline)
            effects += self.node.take_effects()
        return effects

    def packets_until(self, end: float) -> list[bytes]:
        return [bytes(e.data) for e in self.effects_until(end) if isinstance(e, SendPacket)]

    def join_flags_until(self, end: float) -> list[bool]:
        """Return the join flags of the push/pulls dialed until ``end``."""
        flags = []
        for effect in self.effects_until(end):
            if isinstance(effect, OpenStream):
                layers = PacketLayers(keyring=Keyring(), entropy=Random(3).randbytes)
                decoder = StreamDecoder(layers, is_dialer=False)
                decoder.feed(bytes(effect.data))
                message = decoder.next_message()
                if isinstance(message, PushPull):
                    flags.append(message.is_join)
        return flags


@pytest.mark.parametrize(("protocol_max", "has_checksum"), [(5, True), (4, False)])
def test_case_36_gossip_has_a_checksum_for_peers_of_protocol_5(
    protocol_max: int, has_checksum: bool
) -> None:
    gossip = Pair(protocol_max).packets_until(0.5)
    assert gossip
    assert {data[0] == CHECKSUM for data in gossip} == {has_checksum}


@pytest.mark.parametrize(("protocol_max", "first"), [(5, CHECKSUM), (4, COMPOUND)])
def test_case_36_the_ping_of_a_suspect_has_a_checksum_for_peers_of_protocol_5(
    protocol_max: int, first: int
) -> None:
    pair = Pair(protocol_max)
    pair.packets_until(0.9)  # before the first probe: the queues are empty then
    pair.hear(encode(Suspect("peer", 1, "third")), at=0.9)
    probes = [data for data in pair.packets_until(2.0) if b"SourceNode" in data]
    assert [data[0] for data in probes] == [first]


def test_a_periodic_push_pull_is_no_join() -> None:
    pair = Pair()
    pair.node.take_effects()
    flags: list[bool] = []
    for second in range(1, 62):  # a peer that says nothing would be dead long before
        pair.hear(encode(Alive("peer", second + 1, PEER, b"\xff\x80", Versions())), at=second)
        flags += pair.join_flags_until(second + 1)
    assert flags
    assert not any(flags)


def test_case_135_a_reconnect_is_a_join() -> None:
    pair = Pair()
    pair.hear(encode(Dead("peer", 1, "third")), at=0.1)
    assert pair.join_flags_until(31.0) == [True]
