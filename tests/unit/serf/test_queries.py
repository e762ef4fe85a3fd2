"""Queries of others (cases 120 to 123, 125, 126, 129) and the buffer."""

from __future__ import annotations

from random import Random

from gossipd.address import Address
from gossipd.serf.effects import SendPayload
from gossipd.serf.events import MessageIgnored
from gossipd.serf.queries import QueryBuffer, QueryVerdict, choose_relays
from gossipd.wire.internal_query_codec import decode_key_response_untrusted
from gossipd.wire.messages import Versions
from gossipd.wire.serf_codec import encode_serf
from gossipd.wire.serf_messages import (
    FLAG_ACK,
    FLAG_NO_BROADCAST,
    QueryResponse,
    Relay,
)
from support.serf_harness import SerfHarness, address_of, query_of

ACK = (address_of("asker"), QueryResponse(7, 70, "us", FLAG_ACK))


def _node_filter(*names: str) -> bytes:
    return (
        b"\x00"
        + bytes([0x90 + len(names)])
        + b"".join(bytes([0xA0 + len(name)]) + name.encode() for name in names)
    )


def _tag_filter(tag: str, expression: str) -> bytes:
    texts = (b"Expr", expression.encode(), b"Tag", tag.encode())
    return b"\x01\x82" + b"".join(bytes([0xA0 + len(text)]) + text for text in texts)


def _reasons(serf: SerfHarness) -> list[str]:
    return [event.reason for event in serf.events_of(MessageIgnored)]


def test_case_120_filters_decide_about_the_answer_and_never_about_forwarding() -> None:
    for filters, is_answered in (
        ([_node_filter("b", "us")], True),
        ([_node_filter("b")], False),
        ([_node_filter()], False),
        ([b"\x00\xc0"], False),
        ([_tag_filter("role", "^w.b$")], True),
        ([_tag_filter("role", "db")], False),
        ([_tag_filter("missing", "^$")], True),
        ([_node_filter("us"), _tag_filter("role", "db")], False),
    ):
        serf = SerfHarness(tags={"role": "web"})
        query = query_of(filters=filters, flags=FLAG_ACK)
        serf.receive(query)
        assert serf.sent() == ([ACK] if is_answered else []), filters
        assert serf.gossiped() == [encode_serf(query)]
        assert _reasons(serf) == []


def test_a_filter_nobody_understands_matches_nothing_and_is_told() -> None:
    for bad in (b"", b"\x07x", b"\x00\x05", b"\x01\xc1", _tag_filter("role", "("), b"\x00"):
        serf = SerfHarness()
        query = query_of(filters=[_node_filter("us"), bad], flags=FLAG_ACK)
        serf.receive(query)
        assert serf.sent() == []
        assert serf.gossiped() == [encode_serf(query)]
        assert len(_reasons(serf)) == 1, bad


def test_case_121_a_query_with_flag_2_is_handled_and_not_forwarded() -> None:
    serf = SerfHarness()
    serf.receive(query_of(flags=FLAG_ACK | FLAG_NO_BROADCAST))
    assert serf.sent() == [ACK]
    assert serf.gossiped() == []


def test_case_122_a_query_seen_twice_is_handled_once() -> None:
    serf = SerfHarness()
    query = query_of(flags=FLAG_ACK)
    serf.receive(query)
    serf.receive(query)
    assert serf.sent() == [ACK]
    assert serf.gossiped() == [encode_serf(query)]
    serf.receive(query_of(query_id=71, flags=FLAG_ACK))
    assert len(serf.sent()) == 1


def test_case_123_the_ack_goes_out_before_any_response() -> None:
    serf = SerfHarness()
    serf.receive(query_of(flags=FLAG_ACK, name="_serf_conflict", payload=b"unknown"))
    [first, second] = serf.sent()
    assert first == ACK
    assert second[1] == QueryResponse(7, 70, "us", 0, b"\x06\xc0")


def test_case_125_relay_factor_2_among_4_members_gives_two_relayed_copies() -> None:
    serf = SerfHarness()
    serf.join("asker", "b", "c")
    serf.receive(query_of(flags=FLAG_ACK, relay_factor=2))
    [direct, *relays] = serf.sent()
    assert direct == ACK
    assert len({to for to, _ in relays}) == 2
    for to, relay in relays:
        assert to in {address_of(name) for name in ("asker", "b", "c")}
        assert relay == Relay(address_of("asker"), "asker", encode_serf(ACK[1]))


def test_relays_are_alive_able_and_not_us_and_worth_it() -> None:
    serf = SerfHarness()
    serf.join("old", versions=Versions(protocol_max=4))
    serf.join("dead", "b")
    serf.die("dead", at=1.0)
    members = serf.serf.members.values()

    def chosen(factor: int) -> list[str]:
        query = query_of(relay_factor=factor)
        return [member.name for member in choose_relays(query, members, "us", Random(1))]

    assert chosen(0) == []
    assert chosen(3) == ["b"]
    assert chosen(4) == []


def test_case_126_a_relay_is_sent_on_unchanged_even_with_a_tail() -> None:
    serf = SerfHarness()
    inner = encode_serf(QueryResponse(7, 70, "b", 0, b"x")) + b"tail"
    serf.receive(Relay(address_of("asker"), "asker", inner))
    assert serf.outbox.take_effects() == [SendPayload(address_of("asker"), inner)]
    assert not serf.serf.has_payloads


def test_a_relay_to_nowhere_or_nested_for_us_is_dropped() -> None:
    serf = SerfHarness()
    inner = encode_serf(QueryResponse(7, 70, "b", 0, b"x"))
    for to in (Address(b"", 7946), Address(b"\0\0\0\0", 7946), Address(b"\x7f\0\0\1", 0)):
        serf.receive(Relay(to, "asker", inner))
    nested = inner
    for _ in range(50):
        nested = encode_serf(Relay(address_of("us"), "us", nested))
    serf.receive(nested)
    assert serf.outbox.take_effects() == []
    assert _reasons(serf) == ["bad-destination"] * 3 + ["bad-relay"]


def test_case_129_an_empty_filter_element_or_key_payload_is_dropped() -> None:
    serf = SerfHarness()
    serf.receive(query_of(filters=[b""], flags=FLAG_ACK))
    assert serf.sent() == []
    for number, name in enumerate(("install", "use", "remove")):
        for payload in (None, b""):
            query_id = 100 + number * 2 + (payload is None)
            serf.receive(query_of(query_id=query_id, name=f"_serf_{name}-key", payload=payload))
    assert serf.sent() == []
    assert _reasons(serf) == ["bad-filter"] + ["empty-key-query"] * 6


def test_an_unknown_internal_query_is_acked_told_and_not_answered() -> None:
    serf = SerfHarness()
    serf.receive(query_of(flags=FLAG_ACK, name="_serf_future"))
    assert serf.sent() == [ACK]
    assert _reasons(serf) == ["unknown-internal-query"]


def test_a_query_for_applications_without_the_ack_flag_gets_nothing() -> None:
    serf = SerfHarness()
    serf.receive(query_of())
    serf.receive(query_of(query_id=71, name="_serf_ping"))
    assert serf.sent() == []
    assert _reasons(serf) == []


def test_a_query_too_far_behind_the_clock_is_dropped_and_told() -> None:
    serf = SerfHarness()
    serf.receive(query_of(999))
    serf.gossiped()
    serf.receive(query_of(487, flags=FLAG_ACK))
    assert serf.sent() == []
    assert _reasons(serf) == ["query-too-old"]


def test_an_ack_is_not_sent_to_an_address_that_cannot_be() -> None:
    serf = SerfHarness()
    serf.receive(query_of(flags=FLAG_ACK, origin=Address(b"", 0)))
    assert serf.sent() == []
    assert _reasons(serf) == ["bad-destination"]


def test_an_answer_above_the_size_limit_is_not_sent() -> None:
    serf = SerfHarness()
    serf.join("b", tags={"x": "y" * 1100})
    serf.receive(query_of(name="_serf_conflict", payload=b"b"))
    assert serf.sent() == []
    assert _reasons(serf) == ["response-too-large"]


def test_a_query_whose_time_is_up_is_acked_and_not_answered() -> None:
    serf = SerfHarness()
    query = query_of(flags=FLAG_ACK, name="_serf_conflict", payload=b"b", timeout_ns=0)
    serf.receive(query)
    assert serf.sent() == [ACK]


def test_the_buffer_bounds_how_many_numbers_it_remembers() -> None:
    buffer = QueryBuffer(4, ids_max=2)
    assert buffer.apply(1, 1) is buffer.apply(1, 2) is QueryVerdict.NEW
    assert buffer.apply(1, 3) is QueryVerdict.FULL
    assert buffer.apply(5, 3) is QueryVerdict.NEW
    assert buffer.apply(1, 1) is QueryVerdict.TOO_OLD


def test_a_query_travels_on_byte_for_byte() -> None:
    serf = SerfHarness()
    payload = encode_serf(query_of()) + b"tail"
    serf.receive(payload)
    assert serf.gossiped() == [payload]


def test_key_responses_are_results_and_not_silence() -> None:
    serf = SerfHarness()
    serf.receive(query_of(name="_serf_list-keys", payload=b"\x07\x81\xa3Key\xa0"))
    [(_, response)] = serf.sent()
    assert isinstance(response, QueryResponse)
    assert response.payload is not None
    assert decode_key_response_untrusted(response.payload).ok is False
