"""Any bytes by UDP or TCP: no crash, nothing slow, never more bytes than are allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.dns.kinds import CLASS_IN
from gossipd.dns.message import BadQuery, Query, read_query_untrusted
from gossipd.dns.upstream import chain_untrusted, is_reply, passed_on
from gossipd.errors import WireError
from support.dns_fuzz import hunt

PACKETS = 4000
LABEL = st.binary(min_size=1, max_size=63)
QUESTION = b"\x03web\x06consul\0\0\x01\0\x01"


@pytest.mark.parametrize("seed", [1, 2])
def test_no_packet_breaks_it(seed: int) -> None:
    assert hunt(PACKETS, seed) == []


@given(st.binary(max_size=600))
def test_noise_is_a_question_or_a_bad_one(data: bytes) -> None:
    try:
        query = read_query_untrusted(data)
    except BadQuery:
        return
    assert data[12 : 12 + len(query.question)] == query.question


@given(st.lists(LABEL, max_size=3), st.integers(0, 65535), st.integers(0, 65535))
def test_what_is_asked_is_read(labels: list[bytes], kind: int, id: int) -> None:
    name = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    question = name + kind.to_bytes(2) + CLASS_IN.to_bytes(2)
    query = read_query_untrusted(id.to_bytes(2) + b"\1\0\0\1" + b"\0" * 6 + question)
    assert query == Query(id, 0x0100, question, tuple(labels), kind)


@given(st.binary(max_size=400), st.integers(0, 0xFFFF))
def test_no_reply_of_an_upstream_breaks_it(rest: bytes, flags: int) -> None:
    query = Query(9, 0x0100, QUESTION, (b"web", b"consul"), 1)
    head = b"\0\7" + flags.to_bytes(2) + b"\0\1"
    for reply in (rest, head + rest, head + rest[:6] + QUESTION + rest[6:]):
        if not is_reply(reply, 7, QUESTION):
            continue
        assert len(passed_on(reply, query, 512)) <= 512
        try:
            records = chain_untrusted(reply, QUESTION)
        except WireError:
            continue
        assert all(len(record.owner) <= 255 for record in records)
