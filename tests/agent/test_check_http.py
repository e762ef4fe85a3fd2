"""HTTP checks against servers of all sorts, in memory; hostile ones are contained."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.agent.checks.http import TlsContexts, check_http
from gossipd.agent.checks.result import Result
from gossipd.agent.checks.runner import CheckRunner
from gossipd.ledger import Ledger
from gossipd.services.definition import (
    CRITICAL,
    HTTP,
    OUTPUT_BYTES_MAX,
    PASSING,
    STATUSES,
    WARNING,
    CheckDefinition,
)

Serve = Callable[[trio.abc.Stream, bytes], Awaitable[None]]


class Web:
    """Servers by host and port; what they were asked, head by head."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.serve: Serve = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        self.asked: list[tuple[str, int, str]] = []
        self.open = 0

    async def dial(self, host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        if host == "gone":
            raise OSError("connection refused")
        ours, theirs = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self._attend, theirs, host, port)
        return ours

    async def _attend(self, stream: trio.abc.Stream, host: str, port: int) -> None:
        self.open += 1
        try:
            request = b""
            while b"\r\n\r\n" not in request:
                data = await stream.receive_some(4096)
                if not data:
                    return
                request += bytes(data)
            self.asked.append((host, port, request.decode("latin-1")))
            await self.serve(stream, request)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        finally:
            self.open -= 1
            await trio.aclose_forcefully(stream)

    async def check(self, url: str = "http://web:80/health", **fields: object) -> Result:
        check = CheckDefinition(id="c", kind=HTTP, target=url, **fields)  # type: ignore[arg-type]
        with trio.fail_after(60):
            return await check_http(check, self.dial, TlsContexts().get)


def answering(answer: bytes) -> Serve:
    async def serve(stream: trio.abc.Stream, request: bytes) -> None:
        await stream.send_all(answer)

    return serve


def redirecting(places: dict[str, str], status: int = 302) -> Serve:
    """Serve a redirect for each path in ``places``, 200 for all others."""

    async def serve(stream: trio.abc.Stream, request: bytes) -> None:
        path = request.split(b" ")[1].decode()
        if path in places:
            head = f"HTTP/1.1 {status} Go\r\nLocation: {places[path]}\r\n\r\n"
        else:
            head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        await stream.send_all(head.encode())

    return serve


@pytest.fixture
def web(nursery: trio.Nursery) -> Web:
    return Web(nursery)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("200 OK", PASSING), ("204 No Content", PASSING), ("299 Odd", PASSING),
        ("429 Too Many Requests", WARNING), ("404 Not Found", CRITICAL), ("500 Oops", CRITICAL),
        ("304 Not Modified", CRITICAL), ("302 Found", CRITICAL),
    ],
)  # fmt: skip
async def test_the_status_of_the_answer_is_that_of_the_check(
    web: Web, head: str, status: str
) -> None:
    web.serve = answering(f"HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n".encode())
    result = await web.check()
    assert (result.status, result.load) == (status, None)
    assert result.output == f"GET http://web:80/health: {head}"


async def test_body_and_load_of_the_answer_are_told(web: Web) -> None:
    web.serve = answering(b"HTTP/1.0 200 OK\r\nX-Load: 0.25\r\n\r\nall is well")
    result = await web.check()
    assert result == Result(PASSING, "GET http://web:80/health: 200 OK\nall is well", 0.25)


async def test_the_request_is_as_the_check_says(web: Web) -> None:
    await web.check(
        "http://web:8080/a b?q=ü",
        method="POST",
        headers=(("X-Token", "s"), ("user-agent", "mine")),
        body="ping",
    )
    ((host, port, request),) = web.asked
    lines = request.split("\r\n")
    assert (host, port, lines[0]) == ("web", 8080, "POST /a%20b?q=%C3%BC HTTP/1.1")
    assert {"Host: web:8080", "X-Token: s", "user-agent: mine", "Content-Length: 4"} <= set(lines)
    assert "Connection: close" in lines
    assert not any(line.startswith("User-Agent") for line in lines)


async def test_an_answer_before_the_whole_body_was_sent_counts(web: Web) -> None:
    web.serve = answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    result = await web.check(method="POST", body="x" * 100_000)
    assert result.output.endswith("503 Busy")


async def test_a_redirect_is_followed_without_secrets_for_another_host(web: Web) -> None:
    web.serve = redirecting({"/health": "http://other:81/there", "/there": "/x/../end?a=1"})
    result = await web.check(headers=(("Authorization", "s3cret"), ("X-Kept", "1")))
    assert result == Result(PASSING, "GET http://other:81/end?a=1: 200 OK")
    assert [(host, port) for host, port, _ in web.asked] == [
        ("web", 80), ("other", 81), ("other", 81),
    ]  # fmt: skip
    assert ["s3cret" in request for _, _, request in web.asked] == [True, False, False]
    assert all("X-Kept: 1" in request for _, _, request in web.asked)


@pytest.mark.parametrize(
    ("status", "method"),
    [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")],
)
async def test_a_posted_form_is_posted_again_only_where_that_is_meant(
    web: Web, status: int, method: str
) -> None:
    web.serve = redirecting({"/health": "/there"}, status)
    await web.check(method="POST", body="x=1")
    assert [request.split(" ")[0] for _, _, request in web.asked] == ["POST", method]


async def test_redirects_in_a_circle_and_without_end_are_critical(web: Web) -> None:
    web.serve = redirecting({"/health": "/b", "/b": "/health"})
    assert await web.check() == Result(CRITICAL, "redirected in a circle to http://web:80/health")
    assert len(web.asked) == 2

    async def further(stream: trio.abc.Stream, request: bytes) -> None:
        here = request.split(b" ")[1]
        await stream.send_all(b"HTTP/1.1 302 Go\r\nLocation: " + here + b"x\r\n\r\n")

    web.serve = further
    assert await web.check() == Result(CRITICAL, "redirected more than 5 times")
    assert len(web.asked) == 2 + 6


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("ftp://web/x", "which is not HTTP"),
        ("file:///etc/passwd", "which is not HTTP"),
        ("http://[::1/x", "Invalid IPv6 URL"),
        ("http://web:99999999/", "Port out of range"),
        ("http://gone/", "connection refused"),
    ],
)
async def test_a_redirect_to_nowhere_is_critical(web: Web, place: str, words: str) -> None:
    web.serve = redirecting({"/health": place})
    result = await web.check()
    assert result.status == CRITICAL
    assert words in result.output


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "closed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "without an answer"),
        (b"\x00\xff" * 5000, "illegal"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi", "closed"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, "long"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "illegal"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000, "no answer"),
    ],
)
async def test_garbage_is_critical(web: Web, answer: bytes, words: str) -> None:
    web.serve = answering(answer)
    result = await web.check()
    assert result.status == CRITICAL
    assert words in result.output


async def test_a_flood_is_cut(web: Web) -> None:
    sent = 0

    async def flood(stream: trio.abc.Stream, request: bytes) -> None:
        nonlocal sent
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 100_000_000:
            await stream.send_all("€".encode() * 1000)
            sent += 3000

    web.serve = flood
    result = await web.check()
    assert result.status == PASSING
    assert OUTPUT_BYTES_MAX - 4 < len(result.output.encode()) <= OUTPUT_BYTES_MAX
    with trio.fail_after(10):
        while web.open:  # noqa: ASYNC110 - the stream tells of its end in no other way
            await trio.sleep(0.1)


async def test_silence_and_a_dribble_end_with_the_time(
    web: Web, nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def dribble(stream: trio.abc.Stream, request: bytes) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.send_all(b".")
            await trio.sleep(1)

    async def silent(stream: trio.abc.Stream, request: bytes) -> None:
        await trio.sleep_forever()

    said: list[Result] = []

    async def run(check: CheckDefinition, service: str) -> Result:
        return await check_http(check, web.dial, TlsContexts().get)

    runner = CheckRunner(
        lambda _, result: said.append(result),
        runs_max=4,
        random=Random(1),
        say=lambda level, text: None,
        tally=Ledger(),
        run=run,
    )
    await nursery.start(runner.run)
    for serve in (dribble, silent):
        web.serve = serve
        said.clear()
        check = CheckDefinition(id="c", kind=HTTP, target="http://web/", timeout=5.0, interval=60.0)
        runner.start(check, "web")
        await trio.sleep(10)
        assert said == [Result(CRITICAL, "timed out after 5s")]
        runner.stop("c")
    nursery.cancel_scope.cancel()


PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 Go\r\n", b"HTTP/1.1 100 Continue\r\n", b"\r\n",
        b"Location: /x\r\n", b"Location: //[\r\n", b"Content-Length: 3\r\n", b"X-Load: 1e9\r\n",
        b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n", b"0\r\n", b"ffffffffff\r\n", b"abc",
        b"Connection: Upgrade\r\n", b"HTTP/1.1 101 Switch\r\n", b"HTTP/2 200\r\n",
    ]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(PIECES | st.binary(max_size=20), max_size=8), min_size=1, max_size=3))
def test_whatever_a_server_says_is_a_result(answers: list[list[bytes]]) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            web = Web(nursery)

            async def serve(stream: trio.abc.Stream, request: bytes) -> None:
                for piece in answers[len(web.asked) % len(answers)]:
                    await stream.send_all(piece)

            web.serve = serve
            result = await web.check()
            assert result.status in STATUSES
            assert result.output.startswith(("GET http://web", "redirected "))
            assert len(result.output.encode()) <= OUTPUT_BYTES_MAX
            assert len(web.asked) <= 6
            assert result.load is None or 0.0 <= result.load <= 1.0
            nursery.cancel_scope.cancel()

    trio.run(main)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"method": "GE T"}, "method"),
        ({"headers": (("a b", "c"),)}, "header"),
        ({"headers": (("a", "b\r\nc: d"),)}, "header"),
    ],
)
async def test_a_request_that_cannot_be_written_is_critical(
    web: Web, fields: dict[str, object], words: str
) -> None:
    result = await web.check(**fields)  # type: ignore[arg-type]
    assert result.status == CRITICAL
    assert words in result.output
    assert not web.asked


async def test_a_password_in_a_url_is_not_shown(web: Web) -> None:
    result = await web.check("http://me:s3cret@web/x")
    assert result.output == "GET http://web/x: 200 OK\nhi"
    assert "Host: web\r\n" in web.asked[0][2]


@pytest.mark.parametrize(
    "user", ["me:s3@cret", "me:@s3cret@", "s3cret", "me:s3%2Fcret", "@:s3cret"]
)
async def test_whatever_a_password_holds_is_not_shown(web: Web, user: str) -> None:
    result = await web.check(f"http://{user}@web:80/x@y?z=@")
    assert result.output == "GET http://web:80/x@y?z=@: 200 OK\nhi"
    web.serve = redirecting({"/health": f"ftp://{user}@web/x"})
    result = await web.check()
    assert result.output.endswith("redirected to ftp://web/x, which is not HTTP")


@pytest.mark.parametrize("password", ["s3/cret", "s3?cret", "s3#cret"])
async def test_a_password_that_cuts_its_url_is_not_shown(web: Web, password: str) -> None:
    for url in (f"http://me:{password}@web/x", f"http://[::1]:{password}@web/x"):
        assert await web.check(url) == Result(CRITICAL, "GET http://...: its port is no number")
    assert await web.check("http://[::1@web/x") == Result(
        CRITICAL, "GET a URL that cannot be read: Invalid IPv6 URL"
    )
