"""What one client of HTTP within TLS sees: words before the end, long replies, hanging up."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from gossipd.rest.transport.limits import HttpLimits
from gossipd.rest.transport.tls import load_context
from gossipd.rest.transport.tls_line import TlsLine
from gossipd.rest.values import Reply, Request, Route
from support.certificates import trusting, write_certificate
from support.http_face import Face, facing, get

BODY = bytes(range(256)) * 20_000
Stream = trio.SSLStream[trio.SocketStream]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    return write_certificate(tmp_path)


async def echo(request: Request, desk: object) -> Reply:
    return Reply(body=request.body or request.path.encode())


async def long(request: Request, desk: object) -> Reply:
    return Reply(body=BODY)


async def wait(request: Request, desk: object) -> Reply:
    await trio.sleep_forever()


ROUTES = (
    Route(method="GET", pattern="/v1/echo/{id}", handler=echo),
    Route(method="PUT", pattern="/v1/echo/{id}", handler=echo),
    Route(method="GET", pattern="/v1/long", handler=long),
    Route(method="GET", pattern="/v1/wait", handler=wait, waits=True),
)


@asynccontextmanager
async def connected(
    face: Face,
    certificate: tuple[str, str],
    version: ssl.TLSVersion | None = None,
    turn: trio.Lock | None = None,
) -> AsyncIterator[Stream]:
    """Yield a client that takes a connection's end for a cut unless it was announced."""
    near, far = socket.socketpair()
    far.setblocking(False)
    line = TlsLine(far, load_context(*certificate))

    async def serve() -> None:
        await line.shake_hands(turn or trio.Lock())
        await face.serve(line)

    context = trusting(certificate[0])
    if version is not None:
        context.maximum_version = version
    face.nursery.start_soon(serve)
    stream = trio.SSLStream(
        trio.SocketStream(trio.socket.from_stdlib_socket(near)),
        context,
        server_hostname="127.0.0.1",
        https_compatible=False,
    )
    try:
        yield stream
    finally:
        await trio.aclose_forcefully(stream)


async def read_to_end(stream: Stream) -> bytes:
    """Return all that comes; ``BrokenResourceError`` if the end was not announced."""
    received = b""
    while portion := await stream.receive_some():
        received += portion
    return received


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_requests_are_answered_in_their_order(
    certificate: tuple[str, str], version: ssl.TLSVersion
) -> None:
    async with facing(*ROUTES) as face, connected(face, certificate, version) as stream:
        last = get("/v1/echo/c", "Connection: close", method="PUT", body=b"x" * 50_000)
        await stream.send_all(get("/v1/echo/a") + get("/v1/echo/b") + last)
        received = await read_to_end(stream)
        assert received.count(b"HTTP/1.1 200 OK") == 3
        assert received.index(b"/v1/echo/a") < received.index(b"/v1/echo/b")
        assert received.endswith(b"\r\n\r\n" + b"x" * 50_000)


async def test_a_slow_request_is_told_so_and_the_end_announced(
    certificate: tuple[str, str], autojump_clock: trio.testing.MockClock
) -> None:
    async with facing(*ROUTES) as face, connected(face, certificate) as stream:
        await stream.send_all(b"GET /v1/echo/a HTTP/1.1\r\nHo")
        received = await read_to_end(stream)
        assert received.startswith(b"HTTP/1.1 408 ")
        assert face.counted("refused.slow-request") == 1


async def test_what_is_no_request_is_told_so_and_the_end_announced(
    certificate: tuple[str, str],
) -> None:
    async with facing(*ROUTES) as face, connected(face, certificate) as stream:
        await stream.send_all(b"\x00\x01\x02\r\n\r\n")
        assert (await read_to_end(stream)).startswith(b"HTTP/1.1 400 ")


async def test_a_reply_longer_than_any_buffer_arrives_whole(
    certificate: tuple[str, str],
) -> None:
    async with facing(*ROUTES) as face, connected(face, certificate) as stream:
        await stream.send_all(get("/v1/long", "Connection: close"))
        await trio.testing.wait_all_tasks_blocked()
        assert (await read_to_end(stream)).endswith(b"\r\n\r\n" + BODY)


async def test_who_does_not_read_a_long_reply_is_cut_off(
    certificate: tuple[str, str], autojump_clock: trio.testing.MockClock
) -> None:
    async with facing(*ROUTES) as face, connected(face, certificate) as stream:
        await stream.send_all(get("/v1/long"))
        await trio.sleep(3600)
        assert face.ended == 1
        assert face.counted("refused.slow-reader") == 1


async def test_what_came_in_one_record_is_read_in_portions(certificate: tuple[str, str]) -> None:
    """What OpenSSL has decrypted already, the socket does not show as readable."""
    limits = HttpLimits(received_max=10)
    async with facing(*ROUTES, limits=limits) as face, connected(face, certificate) as stream:
        await stream.send_all(get("/v1/echo/a", "Connection: close"))
        assert (await read_to_end(stream)).endswith(b"/v1/echo/a")


@pytest.mark.parametrize("announces", [True, False])
async def test_a_client_that_hangs_up_frees_its_waiter(
    certificate: tuple[str, str], autojump_clock: trio.testing.MockClock, announces: bool
) -> None:
    async with facing(*ROUTES) as face, connected(face, certificate) as stream:
        await stream.send_all(get("/v1/wait"))
        await trio.sleep(400)
        assert (face.counted("waits.begun"), face.ended) == (1, 0)
        if announces:
            with trio.move_on_after(1):
                await stream.aclose()
        await trio.aclose_forcefully(stream)
        await trio.sleep(1)
        assert (face.counted("waits.gone"), face.ended) == (1, 1)


async def test_an_idle_connection_ends_announced(
    certificate: tuple[str, str], autojump_clock: trio.testing.MockClock
) -> None:
    async with facing(*ROUTES) as face, connected(face, certificate) as stream:
        await stream.send_all(get("/v1/echo/a"))
        received = await read_to_end(stream)
        assert received.endswith(b"/v1/echo/a")
        assert face.ended == 1


async def test_handshakes_of_many_leave_others_their_turn(
    certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, turns, seen = ssl.SSLSocket.do_handshake, 0, []

    def noted(self: ssl.SSLSocket, block: bool = False) -> None:
        seen.append(turns)
        plain(self, block)

    monkeypatch.setattr(ssl.SSLSocket, "do_handshake", noted)
    turn = trio.Lock()
    async with facing(*ROUTES) as face, AsyncExitStack() as clients, trio.open_nursery() as all_:
        for _ in range(20):
            client = connected(face, certificate, turn=turn)
            all_.start_soon((await clients.enter_async_context(client)).do_handshake)
        while len(seen) < 40:  # a hello, and what makes the keys
            turns += 1
            await trio.lowlevel.checkpoint()
    # Between two of our turns lie the rest of one pass of the scheduler and the beginning of the
    # next; in a pass one gives way and one that finds the lock free may follow. Not twenty.
    assert max(seen.count(turn) for turn in seen) <= 4
