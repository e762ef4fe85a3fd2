"""``FrameReader``: objects come out whole, and limits hold before memory is taken."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.errors import WireError
from gossipd.query.framing import DEPTH_MAX, ENTRIES_MAX, STRING_BYTES_MAX, FrameReader, encode

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=300)
    | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=30,
)


def read_all(reader: FrameReader) -> list[object]:
    found: list[object] = []
    while (one := reader.next_object_untrusted()) is not None:
        found.append(one[0])
    return found


@given(st.lists(VALUES, max_size=4), st.integers(1, 40))
def test_objects_fed_in_pieces_of_any_size_come_out_as_they_went_in(
    values: list[object], size: int
) -> None:
    data = b"".join(msgpack.packb(v, use_bin_type=True) for v in values)
    whole, piecewise = FrameReader(), FrameReader()
    whole.feed(data)
    found = []
    for at in range(0, len(data), size):
        piecewise.feed(data[at : at + size])
        found += read_all(piecewise)
    assert read_all(whole) == found == values
    assert not piecewise.is_inside_object


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_but_a_wire_error(data: bytes) -> None:
    reader = FrameReader()
    reader.feed(data)
    try:
        read_all(reader)
    except WireError:
        return


def test_the_old_dialect_keeps_bytes_that_are_not_utf8() -> None:
    reader = FrameReader()
    reader.feed(msgpack.packb({"Payload": b"\x00\xffv1"}, use_bin_type=False))
    one = reader.next_object_untrusted()
    assert one is not None
    assert one[0]["Payload"].encode("utf-8", "surrogateescape") == b"\x00\xffv1"


@pytest.mark.parametrize(
    "head",
    [
        b"\xdb" + (64 << 20).to_bytes(4, "big"),
        b"\xc6" + (64 << 20).to_bytes(4, "big"),
        b"\xc9" + (2**32 - 1).to_bytes(4, "big"),
        b"\xdd" + (2**32 - 1).to_bytes(4, "big"),
        b"\xdf" + (2**32 - 1).to_bytes(4, "big"),
        b"\xdb" + (STRING_BYTES_MAX + 1).to_bytes(4, "big"),
        b"\xdd" + (ENTRIES_MAX + 1).to_bytes(4, "big"),
        b"\x91" * (DEPTH_MAX + 1),
        b"\x91" * 200_000,
    ],
    ids=["str64M", "bin64M", "ext4G", "array4G", "map4G", "str", "array", "deep", "deeper"],
)
def test_a_declared_length_above_a_limit_is_refused_from_its_header_alone(head: bytes) -> None:
    reader = FrameReader()
    reader.feed(head)
    with pytest.raises(WireError) as caught:
        reader.next_object_untrusted()
    assert caught.value.reason == "too-large"


def test_an_object_is_refused_when_its_parts_together_pass_the_limit() -> None:
    reader = FrameReader(object_bytes_max=1000)
    reader.feed(msgpack.packb(["x" * 300] * 3))
    assert reader.next_object_untrusted() == (["x" * 300] * 3,)
    reader.feed(msgpack.packb(["x" * 300] * 4))
    with pytest.raises(WireError):
        reader.next_object_untrusted()


def test_many_entries_in_nested_arrays_are_refused_by_the_object_limit() -> None:
    reader = FrameReader()
    reader.feed((b"\xdd" + (60_000).to_bytes(4, "big")) * 31)
    with pytest.raises(WireError) as caught:
        reader.next_object_untrusted()
    assert caught.value.reason == "too-large"


def test_the_limits_themselves_are_allowed() -> None:
    nested: object = 0
    for _ in range(DEPTH_MAX):
        nested = [nested]
    reader = FrameReader()
    for value in (nested, "x" * STRING_BYTES_MAX, [0] * ENTRIES_MAX):
        reader.feed(encode(value))
        assert reader.next_object_untrusted() == (value,)


def test_empty_containers_and_a_bad_first_byte() -> None:
    reader = FrameReader()
    reader.feed(b"\x80\x90\xc0\x92\x80\x90")
    assert read_all(reader) == [{}, [], None, [{}, []]]
    reader.feed(b"\xc1")
    with pytest.raises(WireError) as caught:
        reader.next_object_untrusted()
    assert caught.value.reason == "bad-object"
