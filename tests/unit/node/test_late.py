"""A process that was stopped finds all its deadlines in the past when it goes on."""

from __future__ import annotations

from gossipd.node.effects import OpenStream
from gossipd.swim.events import MemberSuspected
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
