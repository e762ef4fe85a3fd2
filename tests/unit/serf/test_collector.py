from __future__ import annotations

import pytest

from gossipd.errors import Unavailable
from gossipd.serf.collector import Collector, ResponseVerdict
from gossipd.wire.serf_messages import FLAG_ACK, QueryResponse


def _response(responder: str, flags: int = 0, query_id: int = 9) -> QueryResponse:
    return QueryResponse(5, query_id, responder, flags, None)


def test_case_127_duplicates_are_dropped_and_acks_and_answers_counted_apart() -> None:
    collector = Collector()
    number = collector.open(5, 9, 10.0, ["b"])
    verdicts = [
        collector.apply(_response("b", flags), 1.0)[0] for flags in (0, 0, FLAG_ACK, FLAG_ACK)
    ]
    assert verdicts == [
        ResponseVerdict.ANSWER,
        ResponseVerdict.DUPLICATE,
        ResponseVerdict.ACK,
        ResponseVerdict.DUPLICATE,
    ]
    assert number == 1


def test_an_answer_to_another_number_or_time_is_unknown() -> None:
    collector = Collector()
    collector.open(5, 9, 10.0, [])
    assert collector.apply(_response("b", query_id=8), 1.0)[0] is ResponseVerdict.UNKNOWN
    assert collector.apply(QueryResponse(6, 9, "b", 0), 1.0)[0] is ResponseVerdict.UNKNOWN


def test_an_answer_past_the_deadline_or_to_a_closed_query_is_late() -> None:
    collector = Collector()
    collector.open(5, 9, 10.0, ["b"])
    assert collector.apply(_response("b"), 10.1)[0] is ResponseVerdict.LATE
    verdict, query = collector.apply(_response("b"), 10.0)
    assert verdict is ResponseVerdict.ANSWER
    assert query is not None
    query.closed = True
    assert collector.apply(_response("c"), 9.0)[0] is ResponseVerdict.LATE


def test_an_ended_query_is_forgotten_and_its_number_not_used_again() -> None:
    collector = Collector()
    collector.open(5, 9, 10.0, [])
    assert collector.end(1) is not None
    assert collector.end(1) is None
    assert collector.open(5, 9, 10.0, []) == 2
    with pytest.raises(Unavailable):
        collector.open(5, 9, 10.0, [])
