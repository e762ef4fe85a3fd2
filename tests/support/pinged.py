"""One node and one peer of the test's own making, which answers the node's probes as it likes."""

from __future__ import annotations

from random import Random

from gossipd.address import Address
from gossipd.config.model import NodeConfig, WireConfig
from gossipd.node.effects import SendPacket
from gossipd.node.events import NodeEvent
from gossipd.node.node import Node
from gossipd.wire.codec import decode_untrusted, encode
from gossipd.wire.messages import Ack, Alive, PacketMessage, Ping, Versions
from gossipd.wire.packet import PacketLayers

PEER = Address(b"\x7f\0\0\x09", 7946)


class Pinged:
    """A node called ``us`` that knows ``peer`` and nobody else, plain, from time 0."""

    def __init__(self) -> None:
        config = NodeConfig(name="us", wire=WireConfig(compression=False))
        self.node = Node(config, Address(b"\x7f\0\0\x01", 7946), Random(1), Random(2).randbytes)
        self.now = 0.0
        self.events: list[NodeEvent] = []
        self._layers = PacketLayers(entropy=Random(3).randbytes)
        self.node.start(0.0)
        self._hear(Alive("peer", 1, PEER, b"\xff\x80", Versions()))
        self._sent()

    def ack(self, payload: bytes | None, *, after: float) -> None:
        """Answer the next direct ping ``after`` seconds, with ``payload``."""
        while True:
            pings = [message for message in self._sent() if isinstance(message, Ping)]
            if pings:
                break
            deadline = self.node.next_deadline()
            assert deadline is not None
            self.now = deadline
            self.node.handle_deadline(deadline)
        self.now += after
        self._hear(Ack(pings[0].seq, payload))

    def answer_to_a_ping(self) -> Ack:
        """Ping the node; return its ack."""
        self._sent()
        self._hear(Ping(7, "us"))
        (ack,) = [message for message in self._sent() if isinstance(message, Ack)]
        return ack

    def _hear(self, message: PacketMessage) -> None:
        self.node.receive_packet(encode(message), PEER, self.now)
        self.events += self.node.take_events()

    def _sent(self) -> list[PacketMessage]:
        return [
            decode_untrusted(part)
            for effect in self.node.take_effects()
            if isinstance(effect, SendPacket)
            for part in self._layers.open_packet_untrusted(bytes(effect.data)).messages
        ]
