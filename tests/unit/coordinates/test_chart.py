"""What a node makes of the coordinates in acks (gossip.md, section 19, case 136)."""

from __future__ import annotations

import math
from random import Random

import pytest

from gossipd.coordinate import Coordinate
from gossipd.coordinates.chart import Chart
from gossipd.value import replace
from gossipd.wire.coordinate_codec import decode_coordinate_untrusted, encode_coordinate

THERE = Coordinate(vec=(0.03, 0.02, *(0.0,) * 6), error=0.5, height=1e-4)
PAYLOAD = encode_coordinate(THERE)


def chart() -> Chart:
    return Chart("a", Random(0))


def test_a_fresh_node_tells_the_start_coordinate() -> None:
    assert decode_coordinate_untrusted(chart().payload) == Coordinate()


def test_an_ack_moves_us_and_tells_where_the_peer_is() -> None:
    ours = chart()
    assert ours.ack_observed("b", PAYLOAD, 0.025)
    assert ours.coordinate("b") == THERE
    assert ours.coordinate("a") == ours.own != Coordinate()
    assert decode_coordinate_untrusted(ours.payload) == ours.own
    assert ours.rtt("a", "b") == ours.rtt("b", "a")
    assert ours.rtt("a", "c") is None


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\x02" + PAYLOAD[1:], "unknown-kind"),
        (b"\x01\xc1", "malformed"),
        (encode_coordinate(replace(THERE, error=math.nan)), "not-finite"),
        (encode_coordinate(replace(THERE, vec=(0.0,) * 3)), "bad-dimensions"),
        (encode_coordinate(replace(THERE, vec=(1e200,) * 8)), "absurd"),
    ],
)
def test_case_136_an_unusable_payload_is_ignored_and_counted(payload: bytes, reason: str) -> None:
    ours = chart()
    assert not ours.ack_observed("b", payload, 0.025)
    assert ours.ignored == {reason: 1}
    assert ours.own == Coordinate()
    assert ours.coordinate("b") is None


def test_on_the_way_back_from_far_out_our_acks_tell_where_we_are() -> None:
    ours = chart()
    ours._vivaldi.coordinate = astray = Coordinate(vec=(200.0, *(0.0,) * 7))
    assert ours.ack_observed("b", PAYLOAD, 0.025)
    assert ours.ignored == {"absurd": 1}
    assert ours.coordinate("b") is None
    assert ours.own.vec[0] < astray.vec[0]
    assert decode_coordinate_untrusted(ours.payload) == ours.own


@pytest.mark.parametrize("payload", [None, b""])
def test_case_136_a_peer_without_coordinates_is_nothing_to_count(payload: bytes | None) -> None:
    ours = chart()
    assert not ours.ack_observed("b", payload, 0.025)
    assert ours.ignored == {}


def test_an_impossible_round_trip_is_counted_and_a_zero_one_noted() -> None:
    ours = chart()
    assert not ours.ack_observed("b", PAYLOAD, 11.0)
    assert ours.ack_observed("b", PAYLOAD, 0.0)
    assert (ours.ignored, ours.zero_rtts, ours.resets) == ({"bad-rtt": 1}, 1, 0)


def test_nobody_moves_us_under_our_own_name() -> None:
    ours = chart()
    assert not ours.ack_observed("a", PAYLOAD, 0.025)
    assert ours.own == Coordinate()


def test_who_is_forgotten_has_no_coordinate_any_more() -> None:
    ours = chart()
    ours.ack_observed("b", PAYLOAD, 0.025)
    ours.forget("b")
    ours.forget("never-met")
    assert ours.coordinate("b") is None
    assert ours.rtt("a", "b") is None
