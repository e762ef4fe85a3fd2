"""Coordinates through whole nodes: told in acks, learnt from them, forgotten, switched off."""

from __future__ import annotations

import math

import pytest

from gossipd.config.model import SerfConfig
from gossipd.coordinate import Coordinate
from gossipd.coordinates.space import distance
from gossipd.serf.events import ChangeKind, MemberChange
from gossipd.swim.events import AckObserved
from gossipd.wire.coordinate_codec import decode_coordinate_untrusted, encode_coordinate
from support.node_net import LATENCY, Machine, NodeNet
from support.pinged import Pinged

NO_COORDINATES = SerfConfig(coordinates=False)


def known_rtt(at: Machine, to: str) -> float:
    own, other = at.node.coordinate(at.node.view().name), at.node.coordinate(to)
    assert own is not None
    assert other is not None
    return distance(own, other)


def test_two_nodes_learn_how_far_they_are_apart() -> None:
    net = NodeNet()
    a, b = net.cluster("ab")
    net.run(60)
    assert known_rtt(a, "b") == pytest.approx(2 * LATENCY, rel=0.1)
    assert known_rtt(b, "a") == pytest.approx(2 * LATENCY, rel=0.1)
    assert a.node.statistics().coordinate_resets == 0


def test_who_was_never_measured_has_no_coordinate() -> None:
    net = NodeNet()
    alone = net.add("a")
    assert alone.node.coordinate("a") == Coordinate()
    assert alone.node.coordinate("b") is None


def test_switched_off_it_tells_nothing_and_learns_nothing() -> None:
    net = NodeNet()
    a, b = net.add("a", serf=NO_COORDINATES), net.add("b")
    net.join(a, b)
    net.run(10)
    assert a.node.coordinate("a") is None
    assert a.node.coordinate("b") is None
    assert b.node.coordinate("a") is None
    told_by_a = [event.payload for event in b.events if isinstance(event, AckObserved)]
    told_by_b = [event.payload for event in a.events if isinstance(event, AckObserved)]
    assert set(told_by_a) == {None}
    assert None not in told_by_b


def test_a_reaped_member_is_forgotten() -> None:
    net = NodeNet()
    serf = SerfConfig(reconnect_timeout=20.0)
    a, b, _ = net.cluster("abc", serf=serf)
    net.run_until(lambda: a.node.coordinate("b") is not None, 20.0)
    net.kill(b)
    net.run_until(lambda: a.statuses()["b"] == "failed", 60.0)
    assert a.node.coordinate("b") is not None, "it may come back"
    net.run_until(lambda: "b" not in a.statuses(), 120.0)
    reaped = [e for e in a.events if isinstance(e, MemberChange) and e.kind is ChangeKind.REAP]
    assert [event.member.name for event in reaped] == ["b"]
    assert a.node.coordinate("b") is None


# -- acks of a peer that says what it likes (cases 136 to 138) ----------------------


@pytest.mark.parametrize(
    ("payload", "counted"),
    [
        (b"\x02\x80", "coordinate-unknown-kind"),
        (b"\x01\xc1", "coordinate-malformed"),
        (encode_coordinate(Coordinate(error=math.nan)), "coordinate-not-finite"),
        (encode_coordinate(Coordinate(height=math.inf)), "coordinate-not-finite"),
        (encode_coordinate(Coordinate(vec=(0.0,) * 3)), "coordinate-bad-dimensions"),
        (encode_coordinate(Coordinate(vec=(1e150,) * 8)), "coordinate-absurd"),
        (encode_coordinate(Coordinate(error=-1.0)), "coordinate-absurd"),
    ],
)
def test_case_136_a_hostile_coordinate_is_counted_and_the_ack_still_counts(
    payload: bytes, counted: str
) -> None:
    pinged = Pinged()
    pinged.ack(payload, after=0.02)
    assert pinged.node.coordinate("us") == Coordinate()
    assert pinged.node.coordinate("peer") is None
    statistics = pinged.node.statistics()
    assert statistics.dropped == {counted: 1}
    assert [e.member.name for e in pinged.events if isinstance(e, AckObserved)] == ["peer"]


@pytest.mark.parametrize("payload", [None, b""])
def test_case_136_an_ack_without_one_is_no_complaint(payload: bytes | None) -> None:
    pinged = Pinged()
    pinged.ack(payload, after=0.02)
    assert pinged.node.coordinate("us") == Coordinate()
    assert pinged.node.statistics().dropped == {}


def test_bytes_after_the_coordinate_do_not_hide_it() -> None:
    pinged = Pinged()
    there = Coordinate(vec=(0.03, *(0.0,) * 7), error=0.5)
    pinged.ack(encode_coordinate(there) + b"tail", after=0.02)
    assert pinged.node.coordinate("peer") == there
    assert pinged.node.coordinate("us") != Coordinate()


def test_our_own_acks_say_where_we_are_now() -> None:
    pinged = Pinged()
    before = pinged.answer_to_a_ping()
    pinged.ack(encode_coordinate(Coordinate(vec=(0.03, *(0.0,) * 7), error=0.5)), after=0.02)
    after = pinged.answer_to_a_ping()
    assert before.payload is not None
    assert after.payload is not None
    assert decode_coordinate_untrusted(before.payload) == Coordinate()
    assert decode_coordinate_untrusted(after.payload) == pinged.node.coordinate("us")
