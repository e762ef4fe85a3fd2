"""Which datagrams are taken for a reply to our own question (RFC 5452)."""

from __future__ import annotations

import struct

import pytest

from gossipd.dns.upstream import is_reply

NAME = b"\7example\3com\0"
HTTPS = struct.pack("!HH", 65, 1)
QUESTION = NAME + HTTPS


def reply(
    id: int = 7, flags: int = 0x8180, questions: int = 1, question: bytes = QUESTION
) -> bytes:
    return struct.pack("!HHHHHH", id, flags, questions, 0, 0, 0) + question


def test_one_that_repeats_id_and_question_in_any_spelling() -> None:
    assert is_reply(reply(), 7, QUESTION)
    assert is_reply(reply(question=b"\7eXAmple\3COM\0" + HTTPS), 7, QUESTION)


@pytest.mark.parametrize(
    "data",
    [
        reply(id=8),
        reply(flags=0x0100),
        reply(questions=0),
        reply(question=b"\7exomple\3com\0" + HTTPS),
        # type 97 is no other spelling of type 65, though its bytes look so
        reply(question=NAME + struct.pack("!HH", 97, 1)),
        reply()[:-1],
        b"",
    ],
)
def test_nothing_else_is(data: bytes) -> None:
    assert not is_reply(data, 7, QUESTION)
