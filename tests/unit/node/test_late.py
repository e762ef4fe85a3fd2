"""A process that was stopped finds all its deadlines in the past when it goes on."""

from __future__ import annotations

from gossipd.config.model import WireConfig
from gossipd.node.effects import OpenStream, SendPacket
from gossipd.swim.events import MemberSuspected
from gossipd.wire.codec import decode_untrusted
from gossipd.wire.messages import IndirectPing, PacketMessage, Suspect
from gossipd.wire.packet import PacketLayers
from support.node_net import NodeNet


def test_no_stream_is_opened_for_a_round_that_was_over_before_we_woke() -> None:
    net = NodeNet()
    ours, gone = net.cluster("ab")
    net.kill(gone)
    node, before = ours.node, len(net.packets)
    while not any(to == gone.address for _, _, to, _ in net.packets[before:]):
        net.run(0.01)  # until a ping is under way that nobody will answer
    node.handle_deadline(net.now + 20.0)
    effects = node.take_effects()
    assert any(isinstance(event, MemberSuspected) for event in node.take_events())
    assert all(effect.timeout > 0 for effect in effects if isinstance(effect, OpenStream))


def test_ping_reqs_of_a_round_that_hung_in_its_ping_do_not_carry_its_accusation() -> None:
    net = NodeNet()
    ours, *_ = net.cluster("abcde", wire=WireConfig(compression=False))
    node = ours.node
    node.sending_blocked(net.now)
    while net.now < 115.0:
        net.now = max(net.now, node.next_deadline() or 0.0)
        node.handle_deadline(net.now)
    assert node.view().suspicions == {}
    node.take_effects()
    node.sending_unblocked(net.now)
    (suspect,) = node.view().suspicions
    packets = [messages(effect) for effect in node.take_effects() if isinstance(effect, SendPacket)]
    asking = [packet for packet in packets if any(isinstance(m, IndirectPing) for m in packet)]
    assert len(asking) == 3
    assert not any(isinstance(message, Suspect) for packet in asking for message in packet)
    accusing = [packet for packet in packets if Suspect(suspect, 1, "a") in packet]
    assert accusing, "what is sent after it carries it"


def messages(effect: SendPacket) -> list[PacketMessage]:
    layers = PacketLayers(entropy=bytes)
    return [
        decode_untrusted(part) for part in layers.open_packet_untrusted(bytes(effect.data)).messages
    ]
