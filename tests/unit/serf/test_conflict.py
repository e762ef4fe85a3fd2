from __future__ import annotations

from gossipd.wire.internal_query_codec import decode_conflict_response_untrusted
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import ConflictResponse, MemberStatus, QueryResponse
from support.serf_harness import SerfHarness, address_of, query_of


def test_case_130_about_us_nothing_about_another_its_record_about_nobody_nil() -> None:
    serf = SerfHarness()
    serf.join("b", tags={"role": "db"})
    serf.die("b", at=1.0)
    answers = []
    for query_id, node in enumerate((b"us", b"b", b"nobody")):
        serf.receive(query_of(query_id=query_id, name="_serf_conflict", payload=node))
        answers.append([message for _, message in serf.sent()])
    assert answers[0] == []
    [about_b], [about_nobody] = answers[1:]
    assert isinstance(about_b, QueryResponse)
    assert about_b.payload is not None
    assert decode_conflict_response_untrusted(about_b.payload) == ConflictResponse(
        "b", address_of("b"), {"role": "db"}, MemberStatus.FAILED, Versions()
    )
    assert isinstance(about_nobody, QueryResponse)
    assert about_nobody.payload == b"\x06\xc0"
