"""What applications are asked and what becomes of their answers (case 124; section 17)."""

from __future__ import annotations

from random import Random

import pytest

from gossipd.address import Address
from gossipd.config.model import SerfConfig
from gossipd.errors import UsageError
from gossipd.serf.answering import PENDING_MAX
from gossipd.serf.effects import SendByStream
from gossipd.serf.events import (
    MessageIgnored,
    QueryAnswered,
    QueryClosed,
    QueryReceived,
)
from gossipd.serf.question import Question
from gossipd.value import replace
from gossipd.wire.serf_codec import decode_serf_untrusted, encode_serf
from gossipd.wire.serf_messages import (
    FLAG_ACK,
    FLAG_NO_ANSWER,
    TAKES_NO_ANSWER,
    TAKES_STREAMS,
    Query,
    QueryResponse,
    Relay,
)
from support.serf_harness import SerfHarness, address_of, query_of

ASKER = address_of("asker")


def from_gossipd(**fields: object) -> Query:
    """Return a query of a gossipd named "asker"."""
    return replace(query_of(**fields), features=TAKES_NO_ANSWER | TAKES_STREAMS)  # type: ignore[arg-type]


def test_a_query_for_applications_is_told_with_a_number_and_a_deadline() -> None:
    serf = SerfHarness()
    serf.receive(query_of(payload=b"p"), at=2.0)
    serf.receive(query_of(query_id=71, name="disk"), at=2.5)
    assert serf.events() == [
        QueryReceived(1, 7, "load", b"p", "asker", 5.2),
        QueryReceived(2, 7, "disk", None, "asker", 5.7),
    ]


def test_what_is_not_for_us_or_not_for_applications_is_not_told() -> None:
    serf = SerfHarness(tags={"role": "web"})
    serf.receive(query_of(filters=[b"\x00\x91\xa1b"]))
    for number, name in enumerate(("_serf_ping", "_serf_conflict", "_serf_x", "_serf_")):
        serf.receive(query_of(query_id=80 + number, name=name, payload=b"us"))
    serf.receive(query_of(query_id=70, payload=b"again"))
    assert serf.events_of(QueryReceived) == []


def test_case_124_a_response_goes_out_once() -> None:
    serf = SerfHarness()
    serf.receive(query_of())
    serf.serf.respond(1, b"yes", 2.0)
    assert serf.sent() == [(ASKER, QueryResponse(7, 70, "us", 0, b"yes"))]
    with pytest.raises(UsageError, match=r"^response already sent$"):
        serf.serf.respond(1, b"no", 2.1)
    assert serf.sent() == []


def test_case_124_no_response_is_sent_past_the_deadline() -> None:
    serf = SerfHarness()
    serf.receive(query_of(timeout_ns=1_000_000_000), at=1.0)
    with pytest.raises(UsageError, match=r"^response is past the deadline$"):
        serf.serf.respond(1, b"late", 2.1)
    serf.advance(2.1)
    with pytest.raises(UsageError, match=r"^response is past the deadline$"):
        serf.serf.respond(1, b"late", 2.2)


@pytest.mark.parametrize("number", [0, -1, 2])
def test_a_number_that_was_never_told_is_refused(number: int) -> None:
    serf = SerfHarness()
    serf.receive(query_of())
    with pytest.raises(UsageError, match=r"^No pending queries matching ID$"):
        serf.serf.respond(number, b"x", 1.0)


def test_case_124_to_a_serf_1024_encoded_bytes_are_sent_and_no_more() -> None:
    serf = SerfHarness()
    serf.join("asker")
    head = len(encode_serf(QueryResponse(7, 70, "us", 0, bytes(500)))) - 500
    serf.receive(query_of())
    with pytest.raises(UsageError, match=r"^response exceeds limit of 1024 bytes$"):
        serf.serf.respond(1, bytes(1025 - head), 1.0)
    serf.serf.respond(1, bytes(1024 - head), 1.0)  # a refused one did not count
    [(_, response)] = serf.sent()
    assert len(encode_serf(response)) == 1024


def test_a_nil_payload_is_an_answer() -> None:
    serf = SerfHarness()
    serf.receive(query_of())
    serf.serf.respond(1, None, 2.0)
    assert serf.sent() == [(ASKER, QueryResponse(7, 70, "us", 0, None))]


def test_a_response_is_relayed_as_often_as_asked_for() -> None:
    serf = SerfHarness()
    serf.join("asker", "b", "c")
    serf.receive(query_of(relay_factor=2))
    serf.serf.respond(1, b"yes", 2.0)
    [direct, *relays] = serf.sent()
    response = QueryResponse(7, 70, "us", 0, b"yes")
    assert direct == (ASKER, response)
    assert [relay for _, relay in relays] == [Relay(ASKER, "asker", encode_serf(response))] * 2


def test_a_large_answer_goes_over_a_stream_to_a_gossipd() -> None:
    serf = SerfHarness()
    serf.join("asker")
    serf.receive(from_gossipd(relay_factor=1))
    serf.serf.respond(1, bytes(5000), 2.0)
    [effect] = serf.effects()
    assert isinstance(effect, SendByStream)
    assert effect.to == ASKER
    assert decode_serf_untrusted(effect.payload) == QueryResponse(7, 70, "us", 0, bytes(5000))
    with pytest.raises(UsageError, match="already sent"):
        serf.serf.respond(1, b"x", 2.0)


def test_a_stream_carries_no_more_than_its_limit() -> None:
    serf = SerfHarness(SerfConfig(query_stream_response_limit=3000))
    serf.join("asker")
    serf.receive(from_gossipd())
    with pytest.raises(UsageError, match=r"^response exceeds limit of 3000 bytes$"):
        serf.serf.respond(1, bytes(3000), 2.0)


@pytest.mark.parametrize("origin", [Address(b"\x7f\x03\x03\x03", 7946), address_of("b")])
def test_no_stream_is_opened_to_an_address_that_is_not_the_askers(origin: Address) -> None:
    serf = SerfHarness()
    serf.join("asker", "b")
    serf.receive(from_gossipd(origin=origin))
    with pytest.raises(UsageError, match=r"^response exceeds limit of 1024 bytes$"):
        serf.serf.respond(1, bytes(5000), 2.0)
    assert serf.effects() == []


def test_only_a_gossipd_is_told_that_no_answer_comes() -> None:
    serf = SerfHarness()
    serf.receive(from_gossipd())
    serf.serf.decline(1, 2.0)
    assert serf.sent() == [(ASKER, QueryResponse(7, 70, "us", FLAG_NO_ANSWER, None))]
    serf.receive(query_of(query_id=71))
    serf.serf.decline(2, 2.0)
    serf.serf.decline(3, 2.0)
    assert serf.sent() == []


def test_an_answer_may_follow_a_refusal_but_no_refusal_an_answer() -> None:
    serf = SerfHarness()
    serf.receive(from_gossipd())
    serf.serf.decline(1, 2.0)
    serf.sent()
    serf.serf.respond(1, b"after all", 2.1)
    assert len(serf.sent()) == 1
    serf.serf.decline(1, 2.2)
    assert serf.sent() == []


def test_an_internal_query_that_gets_no_answer_says_so_in_its_ack() -> None:
    serf = SerfHarness()
    serf.receive(from_gossipd(name="_serf_conflict", payload=b"us", flags=FLAG_ACK))
    serf.receive(from_gossipd(query_id=71, name="_serf_conflict", payload=b"us"))
    serf.receive(from_gossipd(query_id=72, name="_serf_conflict", payload=b"b"))
    assert [(response.flags, response.payload) for _, response in serf.sent()] == [  # type: ignore[union-attr]
        (FLAG_ACK | FLAG_NO_ANSWER, None),
        (FLAG_NO_ANSWER, None),
        (0, b"\x06\xc0"),
    ]


def test_our_own_answer_to_our_own_query_takes_no_network() -> None:
    serf = SerfHarness()
    number = serf.serf.ask(Question(name="load"), 1.0)
    [received] = serf.events_of(QueryReceived)
    serf.serf.respond(received.number, bytes(5000), 1.1)
    assert serf.events() == [QueryAnswered(number, "us", bytes(5000)), QueryClosed(number)]
    assert serf.effects() == []


def test_of_a_flood_of_queries_the_oldest_are_forgotten() -> None:
    serf = SerfHarness()
    for number in range(PENDING_MAX + 5):
        serf.receive(query_of(7, number, timeout_ns=2**62))
    events = serf.events()
    assert sum(isinstance(event, QueryReceived) for event in events) == PENDING_MAX + 5
    ignored = [event.reason for event in events if isinstance(event, MessageIgnored)]
    assert ignored == ["too-many-queries"] * 5
    assert len(serf.serf.timers) <= PENDING_MAX + 3
    serf.serf.respond(6, b"x", 2.0)
    with pytest.raises(UsageError, match="past the deadline"):
        serf.serf.respond(5, b"x", 2.0)


def test_equal_seeds_choose_equal_relays() -> None:
    def run(seed: int) -> list[object]:
        serf = SerfHarness(seed=seed)
        serf.join(*(f"n{number}" for number in range(20)))
        serf.receive(query_of(relay_factor=3))
        serf.serf.respond(1, b"x", 2.0)
        return [*serf.sent()]

    seed = Random(4).getrandbits(16)
    assert run(seed) == run(seed)
