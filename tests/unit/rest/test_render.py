"""Replies as bytes."""

from __future__ import annotations

import json
from email.utils import formatdate

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.rest.transport.http1 import Head, Headers
from gossipd.rest.transport.render import (
    has_illegal_header,
    http_date,
    indented,
    prettied,
    render_head,
    text_reply,
)
from gossipd.rest.values import Reply


def head(version: bytes = b"1.1") -> Head:
    headers = [("Host", "a")]
    request = h11.Request(method="GET", target="/", headers=headers, http_version=version)
    return Head(b"GET", b"/", Headers(request))


@settings(deadline=None)
@given(st.integers(0, 4_000_000_000))
def test_dates_are_those_of_the_mail(seconds: int) -> None:
    assert http_date(seconds) == formatdate(seconds, usegmt=True)


def test_a_head_tells_what_follows() -> None:
    raw = render_head(200, "text/plain", (("X-A", "b"),), 3, head(), "D")
    assert raw == (
        b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
        b"X-A: b\r\nVary: Accept-Encoding\r\nX-Content-Type-Options: nosniff\r\n\r\n"
    )


def test_a_body_without_length_is_chunked_or_ends_with_the_connection() -> None:
    assert b"Transfer-Encoding: chunked" in render_head(200, "a", (), None, head(), "D")
    assert b"Transfer-Encoding" not in render_head(200, "a", (), None, head(b"1.0"), "D")


def test_no_content_has_no_length() -> None:
    raw = render_head(204, "", (), None, None, "D", closes=True)
    assert raw == (
        b"HTTP/1.1 204 No Content\r\nDate: D\r\nVary: Accept-Encoding\r\n"
        b"X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\rb", "a\0", "ü"])
def test_a_header_of_two_lines_is_found(value: str) -> None:
    assert has_illegal_header((("X", value),))
    assert not has_illegal_header((("X", "a b"),))


async def test_only_json_is_indented() -> None:
    made = await prettied(Reply(body=b'{"a":[1]}'))
    assert made.body == b'{\n    "a": [\n        1\n    ]\n}\n'
    plain = text_reply(404, "no")
    assert await prettied(plain) is plain
    empty = Reply()
    assert await prettied(empty) is empty


WORDS = st.text() | st.sampled_from(['"', "\\", '\\"', "[", "]}", ",", ":", " ", "\\\\", "ü\n"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda below: st.lists(below) | st.dictionaries(WORDS, below),
)


@given(VALUES, st.booleans())
def test_json_is_indented_as_python_does(value: object, is_compact: bool) -> None:
    separators = (",", ":") if is_compact else None
    text = json.dumps(value, separators=separators, ensure_ascii=False)
    wanted = json.dumps(value, indent=4, ensure_ascii=False).encode("utf-8", "replace")
    assert b"".join(indented(text.encode("utf-8", "replace"))) == wanted


def test_long_json_is_indented_in_portions() -> None:
    portions = list(indented(json.dumps([{"a": [1]}] * 10_000).encode()))
    assert len(portions) > 50
    assert max(map(len, portions)) < 50_000
