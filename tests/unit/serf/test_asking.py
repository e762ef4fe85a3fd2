"""Our own queries: limits, who is waited for, when they close (case 128; section 17)."""

from __future__ import annotations

import pytest

from gossipd.config.model import SerfConfig
from gossipd.errors import UsageError
from gossipd.serf.collector import OPEN_QUERIES_MAX
from gossipd.serf.effects import SendPayload
from gossipd.serf.events import (
    MessageIgnored,
    QueryAcked,
    QueryAnswered,
    QueryClosed,
    QueryReceived,
    SerfEvent,
)
from gossipd.serf.question import Question
from gossipd.wire.serf_codec import decode_serf_untrusted, encode_serf
from gossipd.wire.serf_messages import (
    FLAG_ACK,
    FLAG_NO_ANSWER,
    LeaveIntent,
    Query,
    QueryResponse,
    Relay,
)
from support.serf_harness import SerfHarness, address_of


def ask(serf: SerfHarness, question: Question, at: float = 1.0) -> tuple[int, Query]:
    """Ask, and return the number and what was gossiped."""
    number = serf.serf.ask(question, at)
    query = decode_serf_untrusted(serf.gossiped()[-1])
    assert isinstance(query, Query)
    return number, query


def answer(
    serf: SerfHarness,
    query: Query,
    node: str,
    flags: int = 0,
    payload: bytes | None = b"x",
    at: float = 1.5,
) -> None:
    payload = None if flags else payload
    serf.receive(QueryResponse(query.ltime, query.id, node, flags, payload), at=at)


def decline(serf: SerfHarness, at: float = 1.1) -> None:
    """Decline every query that our own application was told of."""
    for event in serf.events():
        if isinstance(event, QueryReceived):
            serf.serf.decline(event.number, at)


def told(serf: SerfHarness) -> list[SerfEvent]:
    return [event for event in serf.events() if not isinstance(event, QueryReceived)]


def test_a_question_is_gossiped_with_its_filters_and_told_to_our_own_application() -> None:
    serf = SerfHarness(tags={"role": "web"})
    question = Question(
        name="load",
        payload=b"p",
        nodes=("us", "b"),
        tags={"role": "^w"},
        wants_acks=True,
        relay_factor=2,
        timeout=1.5,
    )
    number, query = ask(serf, question)
    assert (query.name, query.payload, query.flags) == ("load", b"p", FLAG_ACK)
    assert (query.relay_factor, query.timeout_ns) == (2, 1_500_000_000)
    assert (query.origin, query.origin_node) == (address_of("us"), "us")
    assert query.filters == (b"\x00\x92\xa2us\xa1b", b"\x01\x82\xa4Expr\xa2^w\xa3Tag\xa4role")
    assert serf.events() == [
        QueryAcked(number, "us"),
        QueryReceived(1, query.ltime, "load", b"p", "us", 2.5),
    ]


def test_a_query_ends_when_all_expected_have_answered_or_said_that_they_will_not() -> None:
    serf = SerfHarness()
    serf.join("b", "c")
    number, query = ask(serf, Question(name="load"))
    decline(serf)
    answer(serf, query, "b", payload=b"1")
    answer(serf, query, "b", payload=b"2")
    assert told(serf) == [QueryAnswered(number, "b", b"1")]
    answer(serf, query, "c", FLAG_NO_ANSWER)
    assert told(serf) == [QueryClosed(number)]
    answer(serf, query, "c")
    serf.advance(100.0)
    assert serf.events() == []


def test_with_acks_wanted_an_answer_that_overtakes_its_ack_does_not_close() -> None:
    serf = SerfHarness()
    serf.join("b")
    number, query = ask(serf, Question(name="load", wants_acks=True))
    decline(serf)
    answer(serf, query, "b", payload=None)
    assert told(serf) == [QueryAnswered(number, "b", None)]
    answer(serf, query, "b", FLAG_ACK)
    assert told(serf) == [QueryAcked(number, "b"), QueryClosed(number)]


def test_an_ack_may_say_that_no_answer_comes() -> None:
    serf = SerfHarness()
    serf.join("b")
    number, query = ask(serf, Question(name="load", wants_acks=True))
    decline(serf)
    answer(serf, query, "b", FLAG_ACK | FLAG_NO_ANSWER)
    assert told(serf) == [QueryAcked(number, "b"), QueryClosed(number)]


def test_a_serf_that_does_not_answer_is_waited_for_until_the_time_is_up() -> None:
    serf = SerfHarness()
    serf.join("serf")
    number, query = ask(serf, Question(name="load", wants_acks=True))
    decline(serf)
    answer(serf, query, "serf", FLAG_ACK)
    serf.advance(4.1)
    assert QueryClosed(number) not in serf.events()
    serf.advance(4.3)
    assert serf.events_of(QueryClosed) == [QueryClosed(number)]


def test_only_those_are_waited_for_whom_nodes_and_tags_select() -> None:
    serf = SerfHarness(tags={"role": "db"})
    serf.join("b", "c", tags={"role": "web-1"})
    serf.join("d", tags={"role": "db"})
    serf.join("e")
    number, query = ask(
        serf, Question(name="load", nodes=("b", "d", "e", "us"), tags={"role": "web"})
    )
    assert told(serf) == []
    answer(serf, query, "b")
    assert serf.events_of(QueryClosed) == [QueryClosed(number)]


def test_a_question_for_nobody_is_closed_at_once() -> None:
    serf = SerfHarness()
    number, _ = ask(serf, Question(name="load", nodes=("nobody",)))
    assert serf.events() == [QueryClosed(number)]


def test_the_full_time_is_waited_if_asked_for() -> None:
    serf = SerfHarness()
    number, _ = ask(serf, Question(name="load", nodes=("nobody",), full_time=True, timeout=2.0))
    serf.advance(2.9)
    assert serf.events() == []
    serf.advance(3.1)
    assert serf.events() == [QueryClosed(number)]


def test_a_member_that_fails_or_leaves_meanwhile_is_not_waited_for() -> None:
    serf = SerfHarness()
    serf.join("b", "c")
    number, _ = ask(serf, Question(name="load"))
    decline(serf)
    serf.die("b", at=1.2)
    assert serf.events_of(QueryClosed) == []
    serf.receive(LeaveIntent(5, "c"), at=1.3)
    assert serf.events_of(QueryClosed) == [QueryClosed(number)]


def test_a_node_that_joins_meanwhile_is_heard_and_not_waited_for() -> None:
    serf = SerfHarness()
    serf.join("b")
    number, query = ask(serf, Question(name="load"))
    decline(serf)
    serf.join("new", at=1.2)
    answer(serf, query, "new", payload=b"n")
    answer(serf, query, "b", payload=b"b")
    assert told(serf) == [
        QueryAnswered(number, "new", b"n"),
        QueryAnswered(number, "b", b"b"),
        QueryClosed(number),
    ]


def test_a_name_that_is_no_member_neither_closes_nor_counts_twice() -> None:
    serf = SerfHarness()
    serf.join("b")
    number, query = ask(serf, Question(name="load"))
    decline(serf)
    for _ in range(3):
        answer(serf, query, "nobody")
        answer(serf, query, "nobody", FLAG_NO_ANSWER)
    assert told(serf) == [QueryAnswered(number, "nobody", b"x")]


def test_a_flood_of_strangers_is_counted_as_ignored() -> None:
    serf = SerfHarness()
    serf.join("b")
    _, query = ask(serf, Question(name="load"))
    for number in range(1030):
        answer(serf, query, f"x{number}")
    ignored = serf.events_of(MessageIgnored)
    assert [event.reason for event in ignored] == ["too-many-answers"] * 6


def test_a_duplicate_by_relay_is_told_once() -> None:
    serf = SerfHarness()
    serf.join("b")
    number, query = ask(serf, Question(name="load", relay_factor=1))
    decline(serf)
    response = encode_serf(QueryResponse(query.ltime, query.id, "b", 0, b"x"))
    serf.receive(response, at=1.2)
    serf.receive(Relay(address_of("us"), "us", response), at=1.2)
    assert told(serf) == [QueryAnswered(number, "b", b"x"), QueryClosed(number)]


def test_who_may_have_missed_a_query_is_told_it_straight_once() -> None:
    serf = SerfHarness()
    serf.join("b", "c", "d", "e")
    serf.serf.ask(Question(name="load", wants_acks=True), 1.0)
    [payload] = serf.gossiped()
    query = decode_serf_untrusted(payload)
    assert isinstance(query, Query)
    decline(serf)
    answer(serf, query, "b", FLAG_ACK, at=1.2)
    answer(serf, query, "c", at=1.2)
    serf.die("e", at=1.3)
    serf.advance(1.79)
    assert serf.effects() == []
    serf.advance(1.81)
    assert serf.effects() == [SendPayload(address_of("d"), payload)]
    serf.advance(100.0)
    assert [one for one in serf.effects() if isinstance(one, SendPayload)] == []


def test_a_query_that_is_closed_or_that_many_are_slow_to_answer_is_not_told_again() -> None:
    closed = SerfHarness()
    closed.join("b")
    _, query = ask(closed, Question(name="load"))
    decline(closed)
    answer(closed, query, "b", at=1.2)
    many = SerfHarness()
    many.join(*(f"n{number}" for number in range(65)))
    ask(many, Question(name="load"))
    short = SerfHarness()
    short.join("b")
    ask(short, Question(name="load", timeout=0.5))
    for serf in (closed, many, short):
        serf.advance(3.0)
        assert serf.effects() == []


def test_quick_queries_with_a_long_timeout_shut_nobody_out() -> None:
    serf = SerfHarness()
    armed = len(serf.serf.timers.heap)
    for _ in range(2 * OPEN_QUERIES_MAX):
        ask(serf, Question(name="load", timeout=1e9))
        decline(serf)
        serf.events()
    ask(serf, Question(name="load", timeout=1e9))
    assert len(serf.serf.timers.heap) - armed < 5 * OPEN_QUERIES_MAX


def test_a_query_whose_asker_has_gone_is_told_no_more_and_gives_way() -> None:
    serf = SerfHarness()
    serf.join("b")
    for _ in range(OPEN_QUERIES_MAX + 1):
        number, query = ask(serf, Question(name="load", timeout=1e9))
        serf.serf.stop_asking(number)
        serf.events()
    answer(serf, query, "b")
    assert serf.events() == []
    serf.advance(3.0)
    assert serf.effects() == []  # nor is b told again
    serf.serf.stop_asking(number)
    serf.serf.stop_asking(10**6)


@pytest.mark.parametrize("name", ["_serf_conflict", "_serf_x", "_serf_"])
def test_a_reserved_name_is_refused(name: str) -> None:
    serf = SerfHarness()
    with pytest.raises(UsageError, match=r"^Queries cannot contain the '_serf_' prefix$"):
        serf.serf.ask(Question(name=name), 1.0)
    assert serf.gossiped() == []


def test_a_ping_with_a_payload_is_reserved() -> None:
    with pytest.raises(UsageError, match="prefix"):
        SerfHarness().serf.ask(Question(name="_serf_ping", payload=b"x"), 1.0)


def test_a_bad_expression_is_refused_with_its_name() -> None:
    serf = SerfHarness()
    with pytest.raises(UsageError, match=r"^tag filter role=\(: error parsing regexp: missing"):
        serf.serf.ask(Question(name="load", tags={"role": "("}), 1.0)
    with pytest.raises(UsageError, match="longer than 1024 bytes"):
        serf.serf.ask(Question(name="load", tags={"role": "x" * 1025}), 1.0)
    assert serf.gossiped() == []


def _bytes_of(payload_bytes: int) -> int:
    """Return how long a query of a fresh node is on the wire."""
    serf = SerfHarness()
    serf.serf.ask(Question(name="q", payload=bytes(payload_bytes)), 1.0)
    [sent] = serf.gossiped()
    return len(sent)


def test_the_size_limit_is_on_what_serf_would_send() -> None:
    ours = len(b"\xa8Zgossipd") + 1
    largest = 1024 - (_bytes_of(900) - 900 - ours)
    assert _bytes_of(largest) == 1024 + ours
    with pytest.raises(UsageError, match=r"^query exceeds limit of 1024 bytes$"):
        _bytes_of(largest + 1)


def test_what_no_packet_can_carry_is_refused_whatever_the_limit() -> None:
    serf = SerfHarness(SerfConfig(query_size_limit=5000))
    with pytest.raises(UsageError, match="exceeds limit of 1395 bytes that fit into a gossip"):
        serf.serf.ask(Question(name="q", payload=bytes(1390)), 1.0)


@pytest.mark.parametrize("factor", [-1, 256])
def test_a_relay_factor_is_one_byte(factor: int) -> None:
    with pytest.raises(UsageError, match=f"relay factor {factor}: it must be within 0..255"):
        SerfHarness().serf.ask(Question(name="q", relay_factor=factor), 1.0)


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), 2e9])
def test_a_timeout_fits_into_the_message(timeout: float) -> None:
    with pytest.raises(UsageError, match="timeout"):
        SerfHarness().serf.ask(Question(name="q", timeout=timeout), 1.0)


def test_a_negative_timeout_ends_at_once() -> None:
    serf = SerfHarness()
    serf.join("b")
    number, _ = ask(serf, Question(name="load", timeout=-1.0))
    serf.advance(1.0)
    assert serf.events_of(QueryClosed) == [QueryClosed(number)]


class Heard:
    """A listener that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def answered(self, node: str, payload: bytes | None) -> None:
        self.told.append((node, payload))

    def closed(self) -> None:
        self.told.append("closed")


def test_who_asks_within_hears_the_answers_instead_of_applications() -> None:
    serf = SerfHarness()
    serf.join("b", "c")
    serf.events()
    heard = Heard()
    question = Question(name="_serf_conflict", payload=b"us", wants_acks=False)
    serf.serf._inquiries.asking.ask(question, 1.0, heard)
    query = decode_serf_untrusted(serf.gossiped()[-1])
    assert isinstance(query, Query)
    answer(serf, query, "b", payload=b"\x06\xc0")
    answer(serf, query, "b", payload=b"\x06\xc0")
    answer(serf, query, "c", FLAG_NO_ANSWER)
    assert heard.told == [("b", b"\x06\xc0"), "closed"]
    assert serf.events() == []


def test_a_listener_that_is_told_may_bring_about_the_end_of_another_query() -> None:
    serf = SerfHarness()
    serf.join("b")
    first, second = Heard(), Heard()
    asking = serf.serf._inquiries.asking
    question = Question(name="_serf_conflict", payload=b"us", nodes=("b",))
    asking.ask(question, 1.0, first)
    serf.gossiped()
    asking.ask(question, 1.0, second)
    other = next(
        query
        for query in map(decode_serf_untrusted, serf.gossiped())
        if isinstance(query, Query) and query.ltime == 2
    )

    def bring_about() -> None:
        first.told.append("closed")
        answer(serf, other, "c", FLAG_NO_ANSWER, at=1.2)

    first.closed = bring_about  # type: ignore[method-assign]
    serf.die("b", at=1.2)
    assert first.told == second.told == ["closed"]
