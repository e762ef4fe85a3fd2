"""Replies as bytes."""

from __future__ import annotations

import gzip
from email.utils import formatdate

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.rest.transport.http1 import Head, Headers
from gossipd.rest.transport.render import (
    PACKED_BYTES_MAX,
    PACKED_KEPT_MAX,
    Packed,
    accepts_gzip,
    gzip_portions,
    has_illegal_header,
    http_date,
    is_worth_packing,
    prettied,
    render_head,
    text_reply,
)
from gossipd.rest.values import TEXT, Reply


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


@pytest.mark.parametrize(
    ("offer", "accepted"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("gzip; q=0.001", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("br, deflate", False),
        ("notgzip", False),
    ],
)
def test_who_takes_gzip(offer: str, accepted: bool) -> None:
    assert accepts_gzip(offer) is accepted


@pytest.mark.parametrize(
    ("reply", "is_worth"),
    [
        (Reply(body=b"x" * 1024), True),
        (Reply(body=b"x" * 1023), False),
        (Reply(body=b"x" * 2000, content_type=TEXT), True),
        (Reply(body=b"x" * 2000, content_type="image/svg+xml"), True),
        (Reply(body=b"x" * 2000, content_type="image/png"), False),
        (Reply(body=b"x" * 2000, headers=(("content-encoding", "gzip"),)), False),
    ],
)
def test_what_gzip_pays_for(reply: Reply, is_worth: bool) -> None:
    assert is_worth_packing(reply) is is_worth


@pytest.mark.parametrize("length", [0, 1, 131_072, 131_073, 1_000_000])
def test_portions_make_one_gzip_file(length: int) -> None:
    body = b"0123456789" * (length // 10) + b"x" * (length % 10)
    assert gzip.decompress(b"".join(gzip_portions(body))) == body


def test_what_was_compressed_is_found_by_its_identity() -> None:
    packed = Packed()
    bodies = [bytes([n]) * 2000 for n in range(PACKED_KEPT_MAX + 1)]
    for body in bodies:
        packed.keep(body, b"packed" + body[:1])
        packed.keep(body, b"again")
    assert packed.get(bodies[0]) is None
    assert packed.get(bodies[1]) == b"packed\x01"
    assert packed.get(bytes(bytearray(bodies[1]))) is None


def test_what_is_kept_compressed_is_bounded() -> None:
    packed = Packed()
    huge = b"x" * PACKED_BYTES_MAX
    packed.keep(huge, b"y")
    assert packed.get(huge) is None
    large = [bytes([n]) * (PACKED_BYTES_MAX // 3) for n in range(4)]
    for body in large:
        packed.keep(body, b"z")
    assert [packed.get(body) for body in large] == [None, b"z", b"z", b"z"] or [
        packed.get(body) for body in large
    ] == [None, None, b"z", b"z"]


def test_only_json_is_indented() -> None:
    assert prettied(Reply(body=b'{"a":[1]}')).body == b'{\n    "a": [\n        1\n    ]\n}\n'
    plain = text_reply(404, "no")
    assert prettied(plain) is plain
    empty = Reply()
    assert prettied(empty) is empty
