from __future__ import annotations

import pytest

from gossipd.errors import Unavailable
from gossipd.serf.collector import (
    ACK,
    ANSWER,
    ANSWER_BYTES_MAX,
    OPEN_QUERIES_MAX,
    Collector,
    OpenQuery,
    ResponseVerdict,
)
from gossipd.serf.question import STRANGERS_MAX
from gossipd.wire.serf_messages import FLAG_ACK, FLAG_NO_ANSWER, QueryResponse

MEMBERS = ("us", "b", "c")


def _response(
    responder: str, flags: int = 0, query_id: int = 9, payload: bytes | None = None
) -> QueryResponse:
    return QueryResponse(5, query_id, responder, flags, payload)


def _judge(collector: Collector, response: QueryResponse, now: float = 1.0) -> ResponseVerdict:
    return collector.apply(response, now, MEMBERS)[0]


def test_case_127_duplicates_are_dropped_and_acks_and_answers_counted_apart() -> None:
    collector = Collector()
    query = collector.open(5, 9, 10.0, ["b"])
    verdicts = [_judge(collector, _response("b", flags)) for flags in (0, 0, FLAG_ACK, FLAG_ACK)]
    assert verdicts == [
        ResponseVerdict.ANSWER,
        ResponseVerdict.DUPLICATE,
        ResponseVerdict.ACK,
        ResponseVerdict.DUPLICATE,
    ]
    assert query.number == 1


def test_an_answer_to_another_number_or_time_is_unknown() -> None:
    collector = Collector()
    collector.open(5, 9, 10.0, [])
    assert _judge(collector, _response("b", query_id=8)) is ResponseVerdict.UNKNOWN
    assert _judge(collector, QueryResponse(6, 9, "b", 0)) is ResponseVerdict.UNKNOWN


def test_an_answer_past_the_deadline_or_to_a_closed_query_is_late() -> None:
    collector = Collector()
    query = collector.open(5, 9, 10.0, ["b"])
    assert _judge(collector, _response("b"), 10.1) is ResponseVerdict.LATE
    assert _judge(collector, _response("b"), 10.0) is ResponseVerdict.ANSWER
    query.closed = True
    assert _judge(collector, _response("c"), 9.0) is ResponseVerdict.LATE


def test_an_ended_query_is_forgotten_and_its_number_not_used_again() -> None:
    collector = Collector()
    collector.open(5, 9, 10.0, [])
    assert collector.end(1) is not None
    assert collector.end(1) is None
    assert collector.open(5, 9, 10.0, []).number == 2
    with pytest.raises(Unavailable):
        collector.open(5, 9, 10.0, [])


def _query(what: int = ACK | ANSWER, *, full_time: bool = False) -> OpenQuery:
    return Collector().open(5, 9, 10.0, ["b", "c"], what, full_time=full_time)


def test_who_is_to_ack_and_to_answer_is_waited_for_until_both_came() -> None:
    query = _query()
    for flags, left in (
        (FLAG_ACK, {"b": ANSWER, "c": ACK | ANSWER}),
        (0, {"c": ACK | ANSWER}),
    ):
        query.apply(_response("b", flags), MEMBERS)
        assert query.wanted == left
    query.apply(_response("c", FLAG_ACK | FLAG_NO_ANSWER), MEMBERS)
    assert query.is_complete


def test_who_will_not_answer_is_waited_for_no_longer_and_may_still_answer() -> None:
    query = _query(ANSWER)
    assert query.apply(_response("b", FLAG_NO_ANSWER), MEMBERS) is ResponseVerdict.NO_ANSWER
    assert query.apply(_response("b", FLAG_NO_ANSWER), MEMBERS) is ResponseVerdict.NO_ANSWER
    assert list(query.wanted) == ["c"]
    assert query.apply(_response("b"), MEMBERS) is ResponseVerdict.ANSWER
    assert query.apply(_response("b"), MEMBERS) is ResponseVerdict.DUPLICATE


def test_a_query_for_its_full_time_is_never_complete() -> None:
    query = _query(ANSWER, full_time=True)
    for node in ("b", "c"):
        query.apply(_response(node), MEMBERS)
    assert not query.wanted
    assert not query.is_complete


def test_a_flood_of_names_that_are_no_members_is_cut_and_members_still_count() -> None:
    query = _query(ANSWER)
    for number in range(STRANGERS_MAX):
        response = _response(f"x{number}")
        assert query.apply(response, MEMBERS) is ResponseVerdict.ANSWER
        assert query.apply(response, MEMBERS) is ResponseVerdict.DUPLICATE
    for response in (_response("one more"), _response("n" * 600)):
        assert query.apply(response, MEMBERS) is ResponseVerdict.TOO_MANY
    assert query.apply(_response("b"), MEMBERS) is ResponseVerdict.ANSWER
    for _ in range(STRANGERS_MAX):
        assert query.apply(_response("y", FLAG_NO_ANSWER), MEMBERS) is ResponseVerdict.NO_ANSWER


def test_answers_that_together_are_too_large_are_not_taken() -> None:
    query = _query(ANSWER)
    large = _response("b", payload=bytes(ANSWER_BYTES_MAX))
    assert query.apply(large, MEMBERS) is ResponseVerdict.ANSWER
    assert query.apply(_response("c", payload=b"x"), MEMBERS) is ResponseVerdict.TOO_MANY
    assert query.apply(_response("c"), MEMBERS) is ResponseVerdict.ANSWER


def test_only_queries_that_are_over_give_way_to_new_ones_the_oldest_first() -> None:
    collector = Collector()
    queries = [collector.open(ltime, 9, 1e9, ["b"]) for ltime in range(OPEN_QUERIES_MAX)]
    assert collector.make_room() is None
    with pytest.raises(Unavailable, match="too many queries are open"):
        collector.open(1000, 9, 10.0, ["b"])
    queries[3].closed = queries[7].closed = True
    assert collector.make_room() is queries[3]
    assert collector.make_room() is None  # there is room now
    collector.open(1000, 9, 10.0, ["b"])
    assert collector.make_room() is queries[7]
    assert collector.get(queries[3].number) is None
    assert len(collector) == OPEN_QUERIES_MAX - 1


def test_a_member_that_is_gone_completes_what_only_waited_for_it() -> None:
    collector = Collector()
    alone = collector.open(5, 9, 10.0, ["b"], ANSWER)
    collector.open(6, 9, 10.0, ["b", "c"], ANSWER)
    collector.open(7, 9, 10.0, ["b"], ANSWER, full_time=True)
    assert collector.without("b") == [alone]
    assert collector.without("b") == []
