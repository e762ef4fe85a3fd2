"""Coordinates as real nodes send them in acks (gossip.md, section 19)."""

from __future__ import annotations

import math
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.coordinate import Coordinate
from gossipd.errors import WireError
from gossipd.wire.coordinate_codec import decode_coordinate_untrusted, encode_coordinate
from support import gossip_vectors as vectors

FLOATS = st.floats(allow_nan=False)


def told_in_acks() -> list[tuple[bytes, dict[str, Any]]]:
    """Return the payloads of all captured acks that carry a coordinate."""
    return [
        (bytes.fromhex(payload["hex"]), payload["coordinate"])
        for entry in vectors.captured()
        for leaf in vectors.leaves_of(entry["decoded"])
        if leaf["type"] == "ackResp"
        for payload in (leaf["fields"]["Payload"],)
        if payload and "coordinate" in payload
    ]


def test_coordinates_of_real_acks_are_read_and_written_to_the_byte() -> None:
    told = told_in_acks()
    assert len(told) > 20
    for payload, fields in told:
        found = decode_coordinate_untrusted(payload)
        assert found == Coordinate(
            vec=tuple(fields["Vec"]),
            error=fields["Error"],
            adjustment=fields["Adjustment"],
            height=fields["Height"],
        )
        assert encode_coordinate(found) == payload


@given(st.tuples(*[FLOATS] * 8), FLOATS, FLOATS, FLOATS)
def test_any_coordinate_comes_back_as_it_was(
    vec: tuple[float, ...], error: float, adjustment: float, height: float
) -> None:
    sent = Coordinate(vec=vec, error=error, adjustment=adjustment, height=height)
    assert decode_coordinate_untrusted(encode_coordinate(sent)) == sent


def test_nan_passes_the_codec_for_the_algorithm_to_judge() -> None:
    found = decode_coordinate_untrusted(encode_coordinate(Coordinate(error=math.nan)))
    assert math.isnan(found.error)


def test_unknown_keys_and_bytes_after_the_struct_are_skipped() -> None:
    payload = b"\x01" + msgpack.packb({"Vec": [1.0] * 8, "Extra": {"a": [1]}, "Height": 2.0})
    found = decode_coordinate_untrusted(payload + b"tail")
    assert found == Coordinate(vec=(1.0,) * 8, error=0.0, adjustment=0.0, height=2.0)


def test_whole_numbers_and_a_list_in_declared_order_are_taken_too() -> None:
    payload = b"\x01" + msgpack.packb([[1, 2, 3, 4, 5, 6, 7, 8], 1, 0, 2])
    assert decode_coordinate_untrusted(payload) == Coordinate(
        vec=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0), error=1.0, adjustment=0.0, height=2.0
    )


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "empty"),
        (b"\x02\x80", "unknown-kind"),
        (b"\x01", "malformed"),
        (b"\x01\x05", "malformed"),
        (b"\x01" + msgpack.packb({"Vec": 1.0}), "malformed"),
        (b"\x01" + msgpack.packb({"Vec": [True]}), "malformed"),
        (b"\x01" + msgpack.packb({"Error": "high"}), "malformed"),
    ],
)
def test_what_is_no_coordinate_is_refused(payload: bytes, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        decode_coordinate_untrusted(payload)
    assert caught.value.reason == reason


@given(st.binary(max_size=300))
def test_garbage_is_only_ever_a_wire_error(data: bytes) -> None:
    for payload in (data, b"\x01" + data):
        try:
            decode_coordinate_untrusted(payload)
        except WireError:
            continue
