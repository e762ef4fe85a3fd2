"""What one client of HTTP sees: order, keep-alive, errors, waiting, hanging up."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from gossipd.errors import Unavailable, UsageError
from gossipd.rest.transport.limits import HttpLimits
from gossipd.rest.values import Refused, Reply, Request, Route, Streamed
from support.http_face import facing, get

LONG = json.dumps([{"Node": "alder", "Port": 8080}] * 100).encode()


class Handlers:
    """Handlers that note what they were asked."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.cancelled = 0
        self.closed = 0
        self.release = trio.Event()
        self.error: Exception = RuntimeError("secret thing")

    async def echo(self, request: Request, desk: object) -> Reply:
        self.seen.append(request)
        return Reply(body=request.body or request.path.encode())

    async def long(self, request: Request, desk: object) -> Reply:
        return Reply(body=LONG)

    async def fail(self, request: Request, desk: object) -> Reply:
        raise self.error

    async def wait(self, request: Request, desk: object) -> Reply:
        try:
            await self.release.wait()
        except trio.Cancelled:
            self.cancelled += 1
            raise
        return Reply(body=b"[]")

    async def stream(self, request: Request, desk: object) -> Streamed:
        return Streamed(pieces=self.pieces())

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: x\n\n"
                await trio.sleep(1)
        finally:
            self.closed += 1

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(method="GET", pattern="/v1/echo/{id}", handler=self.echo),
            Route(method="PUT", pattern="/v1/echo/{id}", handler=self.echo),
            Route(method="GET", pattern="/v1/long", handler=self.long),
            Route(method="GET", pattern="/v1/fail", handler=self.fail),
            Route(method="GET", pattern="/v1/wait", handler=self.wait, waits=True),
            Route(method="GET", pattern="/v1/stream", handler=self.stream, waits=True),
        )


async def test_requests_of_one_connection_are_answered_in_their_order() -> None:
    handlers = Handlers()
    async with facing(*handlers.routes()) as face:
        client = face.connect()
        await client.send(get("/v1/echo/a") + get("/v1/long") + get("/v1/echo/b%2Fc?x=1"))
        assert (await client.read()).text == "/v1/echo/a"
        assert (await client.read()).body == LONG
        assert (await client.read()).text == "/v1/echo/b/c"
        assert [request.names["id"] for request in handlers.seen] == ["a", "b/c"]
        assert face.counted("requests.2xx.GET./v1/echo/{id}") == 2


async def test_a_body_arrives_whole_and_the_next_request_follows() -> None:
    handlers = Handlers()
    async with facing(*handlers.routes()) as face:
        client = face.connect()
        chunked = get("/v1/echo/a", "Transfer-Encoding: chunked", method="PUT")
        await client.send(chunked + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n" + get("/v1/echo/b"))
        assert (await client.read()).text == "abcde"
        assert (await client.read()).text == "/v1/echo/b"
        assert (await client.ask(get("/v1/echo/c", method="PUT", body=b"xyz"))).text == "xyz"
        assert face.service.bodies.held == 0


async def test_a_client_that_expects_100_gets_it_before_it_sends() -> None:
    async with facing(*Handlers().routes()) as face:
        client = face.connect()
        await client.send(
            get("/v1/echo/a", "Content-Length: 3", "Expect: 100-continue", method="PUT")
        )
        assert await client.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await client.ask(b"abc")).text == "abc"


async def test_a_body_that_would_be_refused_is_not_asked_for() -> None:
    async with facing(*Handlers().routes()) as face:
        client = face.connect()
        raw = get("/v1/none", "Content-Length: 30000", "Expect: 100-continue", method="PUT")
        answer = await client.ask(raw)
        assert (answer.status, answer.headers["connection"]) == (404, "close")
        assert await client.is_over()


async def test_head_has_the_length_but_no_body() -> None:
    async with facing(*Handlers().routes()) as face:
        client = face.connect()
        answer = await client.ask(get("/v1/long", method="HEAD"), "HEAD")
        assert (answer.headers["content-length"], answer.body) == (str(len(LONG)), b"")
        assert (await client.ask(get("/v1/echo/a"))).text == "/v1/echo/a"


async def test_options_tell_what_is_allowed() -> None:
    async with facing(*Handlers().routes()) as face:
        client = face.connect()
        answer = await client.ask(get("/v1/echo/a", method="OPTIONS"))
        assert (answer.status, answer.headers["allow"]) == (200, "GET, HEAD, OPTIONS, PUT")
        answer = await client.ask(get("/v1/echo/a", method="DELETE"))
        assert (answer.status, answer.text) == (405, "method DELETE not allowed")
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS, PUT"
        assert answer.headers["content-type"].startswith("text/plain")


async def test_old_clients_keep_their_connection_only_if_they_ask_for_that() -> None:
    async with facing(*Handlers().routes()) as face:
        client = face.connect()
        answer = await client.ask(b"GET /v1/echo/a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
        assert answer.headers["connection"] == "keep-alive"
        answer = await client.ask(b"GET /v1/echo/b HTTP/1.0\r\n\r\n")
        assert (answer.text, answer.headers["connection"]) == ("/v1/echo/b", "close")
        assert await client.is_over()


async def test_a_client_that_says_close_is_closed() -> None:
    async with facing(*Handlers().routes()) as face:
        client = face.connect()
        answer = await client.ask(get("/v1/echo/a", "Connection: close"))
        assert answer.headers["connection"] == "close"
        assert await client.is_over()


async def test_long_replies_are_compressed_for_those_who_take_it() -> None:
    async with facing(*Handlers().routes()) as face:
        client = face.connect()
        for offer in ("gzip", "deflate, GZIP;q=0.5, *;q=0"):
            answer = await client.ask(get("/v1/long", f"Accept-Encoding: {offer}"))
            assert answer.headers["content-encoding"] == "gzip"
            assert gzip.decompress(answer.body) == LONG
            assert answer.headers["vary"] == "Accept-Encoding"
        for offer in ("br", "gzip;q=0", "identity"):
            answer = await client.ask(get("/v1/long", f"Accept-Encoding: {offer}"))
            assert (answer.body, "content-encoding" in answer.headers) == (LONG, False)
        answer = await client.ask(get("/v1/echo/a", "Accept-Encoding: gzip"))
        assert "content-encoding" not in answer.headers


async def test_an_answer_that_many_want_is_compressed_once() -> None:
    body = LONG * 100

    async def handler(request: Request, desk: object) -> Reply:
        return Reply(body=body)

    route = Route(method="GET", pattern="/v1/huge", handler=handler)
    async with facing(route) as face:
        clients = [face.connect() for _ in range(20)]
        for client in clients:
            await client.send(get("/v1/huge", "Accept-Encoding: gzip"))
        for client in clients:
            assert gzip.decompress((await client.read()).body) == body
        assert face.service.packed.made == 1


async def test_requests_sent_ahead_leave_others_their_turn(
    autojump_clock: trio.testing.MockClock,
) -> None:
    turns, seen = 0, []

    async def handler(request: Request, desk: object) -> Reply:
        autojump_clock.jump(0.002)  # so long it takes
        seen.append(turns)
        return Reply(body=b"[]")

    async with facing(Route(method="GET", pattern="/v1/x", handler=handler)) as face:
        client = face.connect()
        await client.send(get("/v1/x") * 30)
        while len(seen) < 30:
            turns += 1
            await trio.lowlevel.checkpoint()
        assert max(seen.count(turn) for turn in seen) <= 6, "two of its turns may touch"


async def test_pretty_json_is_indented() -> None:
    async with facing(*Handlers().routes()) as face:
        answer = await face.connect().ask(get("/v1/long?pretty"))
        assert answer.text.startswith('[\n    {\n        "Node"')
        assert answer.text.endswith("]\n")


async def test_a_defect_of_a_handler_is_a_500_and_logged_once_in_a_while() -> None:
    async with facing(*Handlers().routes()) as face:
        client = face.connect()
        for _ in range(3):
            answer = await client.ask(get("/v1/fail"))
            assert (answer.status, answer.headers["content-type"][:10]) == (500, "text/plain")
            assert "secret" not in answer.text
            assert len(answer.body) < 80
        ((level, line),) = face.lines
        assert level == "ERR"
        assert "/v1/fail failed: Traceback" in line
        assert "secret thing" in line
        assert face.counted("handler-failures") == 3
        assert face.counted("requests.5xx.GET./v1/fail") == 3


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (Refused(404, "Unknown service"), 404, "Unknown service"),
        (UsageError("no such id"), 400, "no such id"),
        (Unavailable("later"), 503, "later"),
        (UsageError("x" * 200 + "\nmore"), 400, "x" * 76 + "..."),
    ],
)
async def test_errors_are_short_plain_text(error: Exception, status: int, text: str) -> None:
    handlers = Handlers()
    handlers.error = error
    async with facing(*handlers.routes()) as face:
        answer = await face.connect().ask(get("/v1/fail"))
        assert (answer.status, answer.text) == (status, text)
        assert face.lines == []


async def test_a_client_that_hangs_up_frees_its_waiter(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handlers = Handlers()
    async with facing(*handlers.routes()) as face:
        client = face.connect()
        await client.send(get("/v1/wait"))
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert face.counted("waits.begun") == 1
        client.socket.close()
        await trio.sleep(1)
        assert (handlers.cancelled, face.ended) == (1, 1)
        assert face.counted("waits.ended") == face.counted("waits.gone") == 1


@pytest.mark.parametrize("path", ["/v1/wait", "/v1/stream"])
async def test_a_client_that_ends_its_side_while_it_waits_counts_as_gone(
    autojump_clock: trio.testing.MockClock, path: str
) -> None:
    """As with Go's server, and so Consul's: nobody can tell it from a client that closed."""
    handlers = Handlers()
    async with facing(*handlers.routes()) as face:
        client = face.connect()
        await client.send(get(path))
        await trio.sleep(0.5)
        client.socket.shutdown(socket.SHUT_WR)
        await trio.sleep(2)
        assert (handlers.cancelled + handlers.closed, face.ended) == (1, 1)
        assert face.counted("waits.ended") == face.counted("waits.gone") == 1


async def test_a_client_that_ends_its_side_has_what_is_there_at_once() -> None:
    async with facing(*Handlers().routes()) as face:
        client = face.connect()
        await client.send(get("/v1/echo/a") + get("/v1/long"))
        client.socket.shutdown(socket.SHUT_WR)
        assert (await client.read()).text == "/v1/echo/a"
        assert (await client.read()).body == LONG
        assert await client.is_over()


async def test_a_client_that_ends_its_side_has_what_is_written_in_portions(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Whether it gets an answer does not depend on how long that is."""

    async def write(request: Request, desk: object) -> Reply:
        for _ in range(50):
            await trio.sleep(0.01)
        return Reply(body=LONG)

    route = Route(method="GET", pattern="/v1/portions", handler=write, waits=True)
    async with facing(route) as face:
        client = face.connect()
        await client.send(get("/v1/portions") * 2)
        client.socket.shutdown(socket.SHUT_WR)
        assert (await client.read()).body == LONG
        assert (await client.read()).body == LONG
        assert await client.is_over()
        assert (face.counted("waits.ended"), face.counted("waits.gone")) == (2, 0)


async def test_hanging_up_is_seen_behind_requests_sent_ahead(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handlers = Handlers()
    async with facing(*handlers.routes()) as face:
        client = face.connect()
        await client.send(get("/v1/wait") + get("/v1/echo/a"))
        await trio.sleep(1)
        await client.send(get("/v1/echo/b"))
        await trio.sleep(1000)
        assert (handlers.cancelled, face.ended) == (0, 0)
        client.socket.close()
        await trio.sleep(1)
        assert (handlers.cancelled, face.ended) == (1, 1)
        assert handlers.seen == []


async def test_a_request_that_waits_outlives_every_time_out(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handlers = Handlers()
    async with facing(*handlers.routes()) as face:
        client = face.connect()
        await client.send(get("/v1/wait") + get("/v1/echo/a"))
        await trio.sleep(80_000)
        handlers.release.set()
        assert (await client.read()).text == "[]"
        assert (await client.read()).text == "/v1/echo/a"
        assert face.counted("waits.gone") == 0


async def test_a_stream_is_chunked_and_closed_with_its_client(
    autojump_clock: trio.testing.MockClock,
) -> None:
    handlers = Handlers()
    async with facing(*handlers.routes()) as face:
        client = face.connect()
        await client.send(get("/v1/stream"))
        head = await client.socket.recv(1000)
        assert b"\r\nTransfer-Encoding: chunked\r\n" in head
        assert b"\r\nContent-Type: text/event-stream\r\n" in head
        if not head.endswith(b"9\r\ndata: x\n\n\r\n"):
            assert await client.socket.recv(1000) == b"9\r\ndata: x\n\n\r\n"
        client.socket.close()
        await trio.sleep(2)
        assert (handlers.closed, face.ended) == (1, 1)


async def test_who_does_not_read_its_stream_is_cut_off(
    autojump_clock: trio.testing.MockClock,
) -> None:
    closed = 0

    async def flood() -> AsyncIterator[bytes]:
        nonlocal closed
        try:
            while True:
                yield b"x" * 100_000
        finally:
            closed += 1

    async def handler(request: Request, desk: object) -> Streamed:
        return Streamed(pieces=flood())

    route = Route(method="GET", pattern="/v1/flood", handler=handler, waits=True)
    async with facing(route) as face:
        client = face.connect()
        await client.send(get("/v1/flood"))
        await trio.sleep(100)
        assert (closed, face.ended) == (1, 1)
        assert face.counted("refused.slow-reader") == 1


async def test_a_head_that_never_ends_is_told_so(autojump_clock: trio.testing.MockClock) -> None:
    async with facing(*Handlers().routes()) as face:
        client = face.connect()
        began = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def drip() -> None:
                await client.send(b"GET /v1/long HTTP/1.1\r\n")
                while True:
                    await client.send(b"X")
                    await trio.sleep(1)

            nursery.start_soon(drip)
            answer = await client.read()
            nursery.cancel_scope.cancel()
        assert answer.status == 408
        assert trio.current_time() - began == pytest.approx(HttpLimits().head_seconds, abs=1)
        assert face.counted("refused.slow-request") == 1


async def test_a_body_that_drips_is_told_so(autojump_clock: trio.testing.MockClock) -> None:
    async with facing(*Handlers().routes()) as face:
        client = face.connect()
        await client.send(get("/v1/echo/a", "Content-Length: 100000", method="PUT"))
        assert (await client.read()).status == 408
        assert face.service.bodies.held == 0


async def test_an_idle_connection_is_kept_for_minutes_then_closed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with facing(*Handlers().routes()) as face:
        client = face.connect()
        await client.ask(get("/v1/long"))
        await trio.sleep(120)
        assert (await client.ask(get("/v1/long"))).status == 200
        began = trio.current_time()
        assert await client.is_over()
        assert trio.current_time() - began == HttpLimits().idle_seconds
        assert face.ended == 1
