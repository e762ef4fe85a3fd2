"""Bytes of a client into requests: framing, limits, and what is no request."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gossipd.rest.transport.http1 import (
    EMPTY_LINES_MAX,
    HEAD_KEPT_MAX,
    Bad,
    Bodies,
    Head,
    Heads,
    Http1,
    Received,
)
from gossipd.rest.transport.limits import HttpLimits

GET = b"GET /v1/agent/self HTTP/1.1\r\nHost: a\r\n\r\n"
PUT = b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
CHUNKED = (
    b"PUT /y HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nab\r\n1\r\nc\r\n0\r\nTrailer: x\r\n\r\n"
)
SMALL = HttpLimits(head_max=512, target_max=64, headers_max=8, body_max=100, chunks_max=10)


def reader(limits: HttpLimits | None = None) -> Http1:
    limits = limits or HttpLimits()
    return Http1(limits, Heads(), Bodies(limits.bodies_max))


def told(http: Http1, *portions: bytes) -> list[Received | Bad]:
    """Return what ``portions`` make, up to the first fault."""
    made: list[Received | Bad] = []
    for portion in portions:
        http.receive(portion)
        while (request := http.next_request_untrusted()) is not None:
            made.append(request)
            if isinstance(request, Bad):
                return made
    return made


def one(raw: bytes, limits: HttpLimits | None = None) -> Received | Bad:
    (made,) = told(reader(limits), raw)
    return made


def bytewise(raw: bytes) -> list[bytes]:
    return [raw[at : at + 1] for at in range(len(raw))]


def head_of(raw: bytes) -> Head:
    made = one(raw)
    assert isinstance(made, Received)
    return made.head


def shown(made: list[Received | Bad]) -> list[tuple[object, ...]]:
    """Return what can be compared of requests."""
    return [
        (item.status,)
        if isinstance(item, Bad)
        else (item.head.method, item.head.target, dict(item.head.headers), item.body)
        for item in made
    ]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([GET, PUT, CHUNKED, b"\r\n" + GET]), min_size=1, max_size=5),
    st.lists(st.integers(1, 200), max_size=6),
)
def test_however_bytes_are_cut_they_make_the_same_requests(
    sent: list[bytes], cuts: list[int]
) -> None:
    raw = b"".join(sent)
    whole = shown(told(reader(), raw))
    assert len(whole) == len(sent)
    assert shown(told(reader(), *bytewise(raw))) == whole
    portions, at = [], 0
    for cut in cuts:
        portions.append(raw[at : at + cut])
        at += cut
    assert shown(told(reader(), *filter(None, portions), raw[at:] or GET))[: len(whole)] == whole


def test_a_body_is_counted_while_it_is_under_way_only() -> None:
    bodies = Bodies(100)
    http = Http1(HttpLimits(), Heads(), bodies)
    assert told(http, PUT[:-1]) == []
    assert (bodies.held, http.body_received, http.has_begun) == (2, 2, True)
    assert len(told(http, PUT[-1:])) == 1
    assert (bodies.held, http.body_received, http.has_begun) == (0, None, False)


def test_a_few_empty_lines_before_a_request_are_dropped() -> None:
    made = told(reader(), b"\r\n" * EMPTY_LINES_MAX + GET + b"\r\n" * EMPTY_LINES_MAX + GET)
    assert [type(item) for item in made] == [Received, Received]


@pytest.mark.parametrize(
    "portions", [[b"\r\n" * 8000], [b"\r\n"] * 9, bytewise(b"\r\n" * 9), [b"\r\n" * 9 + GET]]
)
def test_empty_lines_without_end_are_no_request(portions: list[bytes]) -> None:
    (made,) = told(reader(), *portions)
    assert isinstance(made, Bad)
    assert made.status == 400


def test_closing_gives_back_what_was_held() -> None:
    bodies = Bodies(100)
    http = Http1(HttpLimits(), Heads(), bodies)
    told(http, PUT[:-1])
    http.close()
    assert (bodies.held, http.has_begun) == (0, False)


def test_too_many_bodies_at_a_time_are_refused() -> None:
    bodies = Bodies(4)
    first = Http1(HttpLimits(), Heads(), bodies)
    second = Http1(HttpLimits(), Heads(), bodies)
    assert told(first, PUT[:-1]) == []
    (bad,) = told(second, PUT)
    assert isinstance(bad, Bad)
    assert bad.status == 503
    assert bodies.held == 2
    assert len(told(first, PUT[-1:])) == 1


def test_a_head_that_was_read_before_is_known_by_its_bytes() -> None:
    heads = Heads(2)
    http = Http1(HttpLimits(), heads, Bodies(0))
    first, second = told(http, GET + GET)
    assert isinstance(first, Received)
    assert isinstance(second, Received)
    assert first.head is second.head
    others = [GET.replace(b"self", b"%d" % n) for n in range(2)]
    told(http, *others)
    (again,) = told(http, GET)
    assert isinstance(again, Received)
    assert again.head is not first.head


def test_long_heads_and_heads_with_bodies_are_not_kept() -> None:
    heads = Heads()
    http = Http1(HttpLimits(), heads, Bodies(100))
    long = GET[:-2] + b"X: " + b"y" * HEAD_KEPT_MAX + b"\r\n\r\n"
    told(http, long, PUT)
    assert heads.get(long) is None
    assert heads.get(PUT[:-3]) is None


def test_a_long_path_above_headers_that_are_known_is_not_kept() -> None:
    heads = Heads()
    http = Http1(HttpLimits(), heads, Bodies(0))
    long = GET.replace(b"self", b"x" * HEAD_KEPT_MAX)
    short, same, other = told(http, GET, long, GET.replace(b"self", b"me"))
    assert heads.get(long) is None
    kept = [one.head.is_kept for one in (short, same, other) if isinstance(one, Received)]
    assert kept == [True, False, True]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x16\x03\x01\x02\x00", 400),  # a client that speaks TLS
        (b"GET / HTTP/1.1\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1e3\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (CHUNKED.replace(b"Host: a", b"Host: a\r\nContent-Length: 5"), 400),
        (CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
        (CHUNKED.replace(b"\r\n2\r\n", b"\r\nzz\r\n"), 400),
        (CHUNKED.replace(b"\r\n2\r\n", b"\r\n-2\r\n"), 400),
        (CHUNKED.replace(b"ab\r\n", b"abX\r\n"), 400),
        (PUT.replace(b"Host", b"Expect: tea\r\nHost"), 417),
    ],
)
def test_what_is_no_request_gets_a_status(raw: bytes, status: int) -> None:
    made = told(reader(), raw)
    assert isinstance(made[-1], Bad)
    assert made[-1].status == status
    assert len(made[-1].text) < 80


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /" + b"a" * 64 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET /" + b"a" * 200, 414),
        (b"G" * 200, 414),
        (GET[:-2] + b"X: " + b"y" * 600 + b"\r\n\r\n", 431),
        (GET[:-2] + b"X: " + b"y" * 600, 431),
        (GET[:-2] + b"X: y\r\n" * 9 + b"\r\n", 431),
        (PUT.replace(b"3", b"101"), 413),
        (CHUNKED.replace(b"2\r\nab", b"65\r\n" + b"a" * 101), 413),
        (CHUNKED.replace(b"2\r\nab\r\n", b"1\r\na\r\n" * 11), 400),
    ],
)
def test_what_is_too_large_gets_a_status(raw: bytes, status: int) -> None:
    for portions in ([raw], bytewise(raw)):
        made = told(reader(SMALL), *portions)
        assert isinstance(made[-1], Bad)
        assert made[-1].status == status


@pytest.mark.parametrize(
    "raw",
    [
        CHUNKED.replace(b"2\r\nab\r\n", b"2;" + b"x" * 600),
        CHUNKED.replace(b"Trailer: x", b"Trailer: " + b"x" * 600),
    ],
)
def test_a_long_line_of_a_chunked_body_is_not_collected(raw: bytes) -> None:
    made = told(reader(SMALL), *bytewise(raw))
    assert isinstance(made[-1], Bad)
    assert made[-1].status == 431


def test_a_refused_body_is_not_waited_for() -> None:
    http = Http1(HttpLimits(), Heads(), Bodies(100), lambda head: Bad(404, "no"))
    assert told(http, PUT[:-3]) == [Bad(404, "no")]


def test_who_expects_100_is_told_once() -> None:
    http = reader()
    http.receive(PUT[:-3].replace(b"Host", b"Expect: 100-Continue\r\nHost"))
    assert not http.take_continue()
    assert http.next_request_untrusted() is None
    assert http.take_continue()
    assert not http.take_continue()
    assert shown(told(http, b"abc"))[0][3] == b"abc"


def test_who_has_sent_its_body_is_not_told_100() -> None:
    http = reader()
    http.receive(PUT[:-1].replace(b"Host", b"Expect: 100-continue\r\nHost"))
    assert http.next_request_untrusted() is None
    assert not http.take_continue()


@pytest.mark.parametrize(
    ("version", "connection", "keeps_alive"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: Upgrade, Close\r\n", False),
        (b"1.1", b"Connection: upgrade\r\nConnection: close\r\n", False),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: Keep-Alive\r\n", True),
    ],
)
def test_who_keeps_its_connection(version: bytes, connection: bytes, keeps_alive: bool) -> None:
    head = head_of(b"GET / HTTP/" + version + b"\r\nHost: a\r\n" + connection + b"\r\n")
    assert head.keeps_alive is keeps_alive


def test_values_of_repeated_headers_are_joined() -> None:
    head = head_of(GET[:-2] + b"X-Y: a\r\nx-y:  b \r\n\r\n")
    assert head.headers == {"host": "a", "x-y": "a, b"}


PIECES = [
    b"GET ",
    b"PUT ",
    b"/v1/kv/a",
    b" HTTP/1.1\r\n",
    b" HTTP/1.0\r\n",
    b"Host: a\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b"\xff",
    b"5\r\nabcde\r\n",
    b"0\r\n\r\n",
    b"ffffffff\r\n",
    GET,
    PUT,
    CHUNKED,
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=30), max_size=30))
@example([GET, b"\r", b"\n", GET])
@example([b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", GET])
def test_any_bytes_make_requests_or_faults_in_bounded_space(portions: list[bytes]) -> None:
    bodies = Bodies(1000)
    http = Http1(SMALL, Heads(), bodies)
    for made in told(http, *portions):
        if isinstance(made, Bad):
            assert 400 <= made.status <= 505
            http.close()
        else:
            assert len(made.body) <= SMALL.body_max
    assert bodies.held <= SMALL.body_max
    http.close()
    assert bodies.held == 0


LINES = st.one_of(
    st.sampled_from(
        [b"GET /b HTTP/1.1", b"get /b?x HTTP/1.1", b"GET /b HTTP/1.0", b"OPTIONS * HTTP/1.1"]
    ),
    st.binary(max_size=30),
    st.builds(lambda part: b"GET /" + part + b" HTTP/1.1", st.binary(max_size=10)),
    st.builds(lambda part: b"G" + part + b" / HTTP/1.1", st.binary(max_size=5)),
    st.builds(lambda part: b"GET / HTTP/1.1" + part, st.binary(max_size=5)),
)


@settings(deadline=None)
@given(LINES)
@example(b"GET / HTTP/1.1 HTTP/1.1")
@example(b"GET  HTTP/1.1")
@example(b"GET /\x7f HTTP/1.1")
@example(b"GET / HTTP/1.2")
def test_headers_that_are_known_change_nothing_about_another_request_line(line: bytes) -> None:
    rest = b"\r\nHost: a\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    knowing = reader()
    told(knowing, b"GET /a HTTP/1.1" + rest, b"GET /a HTTP/1.0" + rest)
    known, anew = told(knowing, line + rest), told(reader(), line + rest)
    assert shown(known) == shown(anew)
    for mine, other in zip(known, anew, strict=True):
        if isinstance(mine, Received) and isinstance(other, Received):
            assert mine.head.is_http10 == other.head.is_http10
            assert mine.head.keeps_alive == other.head.keeps_alive


def test_h11_is_not_asked_for_headers_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    http = reader()
    told(http, GET)
    monkeypatch.setattr("gossipd.rest.transport.http1.h11.Connection", None)
    (made,) = told(http, GET.replace(b"self", b"services?index=5"))
    assert isinstance(made, Received)
    assert made.head.target == b"/v1/agent/services?index=5"
