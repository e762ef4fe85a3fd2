"""Serf's messages, states and tags (gossip.md, sections 14 and 18)."""

from __future__ import annotations

import tracemalloc

import pytest

from gossipd.address import Address
from gossipd.errors import WireError
from gossipd.wire.internal_query_codec import (
    decode_conflict_response_untrusted,
    decode_key_request_untrusted,
    encode_conflict_response,
    encode_key_request,
    encode_key_response,
)
from gossipd.wire.messages import Versions
from gossipd.wire.serf_codec import (
    NO_SUMMARY,
    decode_serf_state_untrusted,
    decode_serf_untrusted,
    decode_tags_untrusted,
    encode_serf,
    encode_serf_state,
    encode_tags,
)
from gossipd.wire.serf_messages import (
    BufferedEvent,
    ConflictResponse,
    EventSlot,
    JoinIntent,
    KeyRequest,
    KeyResponse,
    LeaveIntent,
    MemberStatus,
    Query,
    Relay,
    SerfPushPull,
    UserEvent,
)

HOME = Address(b"\x7f\x00\x00\x01", 7946)


def refusal(payload: bytes) -> str:
    with pytest.raises(WireError) as caught:
        decode_serf_untrusted(payload)
    return caught.value.reason


def test_an_intent_is_type_byte_and_sorted_map() -> None:
    assert encode_serf(JoinIntent(1, "e2")) == b"\x01\x82\xa5LTime\x01\xa4Node\xa2e2"
    assert encode_serf(LeaveIntent(3, "e3")) == b"\x00\x83\xa5LTime\x03\xa4Node\xa2e3\xa5Prune\xc2"


def test_extra_fields_and_trailing_bytes_are_ignored() -> None:
    body = b"\x83\xa5LTime\x01\xa4Node\xa2e2\xa2ZZ\x81\xa1k\xa1v"
    assert decode_serf_untrusted(b"\x01" + body + b"tail") == JoinIntent(1, "e2")


@pytest.mark.parametrize("ltime", [b"\xcf\x80" + bytes(7), b"\xcf" + b"\xff" * 8, b"\xff"])
def test_a_lamport_time_of_2_to_the_63_or_above_is_refused(ltime: bytes) -> None:
    assert refusal(b"\x01\x82\xa5LTime" + ltime + b"\xa4Node\xa1a") == "malformed"
    with pytest.raises(WireError):
        decode_serf_state_untrusted(b"\x02\x81\xa5LTime" + ltime)
    with pytest.raises(WireError):
        decode_serf_state_untrusted(b"\x02\x81\xacStatusLTimes\x81\xa1a" + ltime)


def test_the_largest_lamport_time_is_accepted() -> None:
    assert decode_serf_untrusted(encode_serf(JoinIntent(2**63 - 1, "a"))) == JoinIntent(
        2**63 - 1, "a"
    )


def test_a_query_timeout_may_be_written_signed() -> None:
    query = Query(1, 2, HOME, "a", (), 0, 0, 3_200_000_000, "q")
    assert b"\xa7Timeout\xce\xbe\xbc\x20\x00" in encode_serf(query)
    signed = encode_serf(query, signed=True)
    assert b"\xa7Timeout\xd3\x00\x00\x00\x00\xbe\xbc\x20\x00" in signed
    assert decode_serf_untrusted(signed) == query


def test_an_empty_filter_is_kept_for_the_layer_above_to_refuse() -> None:
    query = Query(1, 2, HOME, "a", (b"", b"\x00\x91\xa1a"), 0, 0, 5, "q")
    assert decode_serf_untrusted(encode_serf(query)) == query


def test_a_relay_keeps_the_wrapped_bytes_as_they_are() -> None:
    relay = Relay(HOME, "e1", b"\x05anything at all")
    assert decode_serf_untrusted(encode_serf(relay)) == relay


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "empty"),
        (b"\x02\x80", "unknown-kind"),
        (b"\xc8\x80", "unknown-kind"),
        (b"\x01", "malformed"),
        (b"\x03\x81\xa4Name\x01", "malformed"),
        (b"\x04\x81\xa7Filters\x91\x01", "malformed"),
        (b"\x04\x81\xa7Timeout\xa1x", "malformed"),
        (b"\x09\x80", "empty"),
        (b"\x09\x82\xa8DestAddr", "truncated"),
        (b"\x09\x81\xa8DestAddr\x01x", "malformed"),
    ],
)
def test_what_is_no_serf_message_is_refused(payload: bytes, reason: str) -> None:
    assert refusal(payload) == reason


def test_a_state_is_decoded_with_its_slots_in_place() -> None:
    slot = EventSlot(7, (BufferedEvent("deploy", b"x"), BufferedEvent("ping", None)))
    slots = (None,) * 7 + (slot,) + (None,) * 504
    state = SerfPushPull(8, {"a": 3, "b": 4}, ("b",), 9, slots, 2)
    data = encode_serf_state(state)
    assert b"\xa6Events\xdc\x02\x00\xc0" in data
    assert decode_serf_state_untrusted(data) == state


def test_unknown_keys_and_nil_lists_of_a_state_are_accepted() -> None:
    data = b"\x02\x85\xa6Events\xc0\xa5LTime\x05\xabLeftMembers\xc0\xacStatusLTimes\xc0"
    data += b"\xa6Zother\x81\xa1v\x93\x01\x02\x03tail"
    assert decode_serf_state_untrusted(data) == SerfPushPull(5, {}, (), 0, (), 0)


def test_what_a_state_says_of_services_in_another_form_is_no_fault_of_the_state() -> None:
    data = b"\x02\x82\xa5LTime\x05\xa8Zgossipd\x81\xa1v\x93\x01\x02\x03"
    assert decode_serf_state_untrusted(data) == SerfPushPull(5, {}, (), 0, (), 0, NO_SUMMARY)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x03\x80",
        b"\x02\x81\xa6Events\xdd\xff\xff\xff\xff",
        b"\x02\x81\xa6Events\x92\xc0",
        b"\x02\x81\xacStatusLTimes\xdf\xff\xff\xff\xff",
        b"\x02\x81\xabLeftMembers\x91\x05",
        b"\x02\x81\xa5Other" + b"\x91" * 3000,
    ],
)
def test_a_bad_state_is_refused_whole(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_serf_state_untrusted(data)


def test_the_events_of_all_slots_of_a_state_are_bounded_together() -> None:
    slot = b"\x82\xa5LTime\x05\xa6Events\xdc\x04\x00" + b"\x80" * 1024
    begun = b"\x02\x81\xa6Events\xdc\x00"
    state = decode_serf_state_untrusted(begun + b"\x40" + slot * 64)
    assert sum(len(each.events) for each in state.events if each) == 65_536
    with pytest.raises(WireError) as caught:
        decode_serf_state_untrusted(begun + b"\x41" + slot * 65)
    assert caught.value.reason == "too-large"


MANY = b"\x93" + 3 * (b"\xdc\x04\x00" + 1024 * (b"\xdc\x04\x00" + 1024 * b"\x80"))
"""Three million empty maps."""


@pytest.mark.parametrize(
    "data",
    [
        b"\x02\x81\xa6Events\x91\x81\xa4junk" + MANY,
        b"\x02\x81\xacStatusLTimes\x81" + MANY,
        b"\x02\x81\xabLeftMembers\x91" + MANY,
        b"\x02\x81" + MANY,
        b"\x01\x81\xa4junk" + MANY,
        b"\x09\x81\xa4junk" + MANY + b"x",
    ],
    ids=["slot", "time", "name", "key", "message", "relay"],
)
def test_a_large_structure_where_a_small_one_belongs_is_not_built(data: bytes) -> None:
    decode = decode_serf_state_untrusted if data[0] == 2 else decode_serf_untrusted
    tracemalloc.start()
    try:
        with pytest.raises(WireError) as caught:
            decode(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.reason == "too-large"
    assert peak < 4 * len(data)


def test_tags_are_the_magic_byte_and_one_map() -> None:
    assert encode_tags({}) == b"\xff\x80"
    assert encode_tags({"role": "web"}) == b"\xff\x81\xa4role\xa3web"


def test_meta_without_the_magic_byte_is_a_legacy_role() -> None:
    assert decode_tags_untrusted(b"web") == ({"role": "web"}, True)
    assert decode_tags_untrusted(b"") == ({"role": ""}, True)


def test_tags_before_the_first_bad_value_are_kept() -> None:
    meta = b"\xff\x83\xa1a\xa1x\xa1b\x05\xa1c\xa1z"
    assert decode_tags_untrusted(meta) == ({"a": "x"}, False)
    assert decode_tags_untrusted(b"\xff\x82\xa1a\xa1x\xa1b") == ({"a": "x"}, False)
    assert decode_tags_untrusted(b"\xff") == ({}, False)


def test_bytes_after_the_tag_map_are_ignored_and_values_may_be_any_bytes() -> None:
    assert decode_tags_untrusted(b"\xff\x81\xa1a\xa2\xff\xfetail") == ({"a": "\udcff\udcfe"}, True)


def test_an_unknown_name_is_a_nil_conflict_response() -> None:
    assert encode_conflict_response(None) == b"\x06\xc0"
    assert decode_conflict_response_untrusted(b"\x06\xc0") is None


def test_a_conflict_response_carries_the_whole_member() -> None:
    response = ConflictResponse("a", HOME, {"role": "web"}, MemberStatus.ALIVE, Versions())
    assert decode_conflict_response_untrusted(encode_conflict_response(response)) == response


def test_a_key_request_needs_its_type_and_map() -> None:
    request = KeyRequest(b"k" * 16)
    assert decode_key_request_untrusted(encode_key_request(request)) == request
    for payload in (b"", b"\x07", b"\x08\x80", b"\x07\x81\xa3Key\x05"):
        with pytest.raises(WireError):
            decode_key_request_untrusted(payload)


def test_a_key_response_without_keys_says_nil() -> None:
    assert encode_key_response(KeyResponse(True)) == (
        b"\x08\x84\xa4Keys\xc0\xa7Message\xa0\xaaPrimaryKey\xa0\xa6Result\xc3"
    )


def test_a_user_event_without_payload_says_nil() -> None:
    assert encode_serf(UserEvent(1, "n")).endswith(b"\xa7Payload\xc0")


def test_a_query_with_a_negative_timeout_is_a_query_all_the_same() -> None:
    query = Query(
        ltime=1,
        id=2,
        origin=HOME,
        origin_node="a",
        filters=(),
        flags=0,
        relay_factor=0,
        timeout_ns=-5,
        name="load",
    )
    assert decode_serf_untrusted(encode_serf(query)) == query
