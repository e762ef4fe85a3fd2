"""The HTTP server on real listeners: how many clients, tokens, TLS, the end."""

from __future__ import annotations

import contextlib
import errno
import resource
import socket
import ssl
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from gossipd.config.faces import HttpConfig
from gossipd.errors import ConfigError
from gossipd.ledger import Ledger
from gossipd.rest.transport import tls
from gossipd.rest.transport.limits import HttpLimits
from gossipd.rest.transport.server import serve_http
from gossipd.rest.transport.tls import Certificate, load_context
from gossipd.rest.values import WRITE, Reply, Request, Route
from support.certificates import trusting, write_certificate
from support.fake_handle import FakeHandle
from support.http_face import Client, get


class Server:
    """A running server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.ledger = Ledger()
        self.lines: list[tuple[str, str]] = []
        self.waiting = 0
        self.cancelled = 0
        self.seen: list[Request] = []
        self.clients: list[trio.socket.SocketType] = []

    async def connect(self) -> Client:
        connected = trio.socket.socket()
        self.clients.append(connected)
        await connected.connect(("127.0.0.1", self.port))
        return Client(connected)

    def counted(self, name: str) -> int:
        return self.ledger.counts.get(f"gossipd.http.{name}", 0)

    async def echo(self, request: Request, desk: object) -> Reply:
        self.seen.append(request)
        return Reply(body=b"[]")

    async def wait(self, request: Request, desk: object) -> Reply:
        self.waiting += 1
        try:
            await trio.sleep_forever()
        finally:
            self.waiting -= 1
            self.cancelled += 1

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(method="GET", pattern="/v1/echo", handler=self.echo),
            Route(method="PUT", pattern="/v1/echo", handler=self.echo, level=WRITE),
            Route(method="GET", pattern="/v1/wait", handler=self.wait, waits=True),
        )


@contextlib.asynccontextmanager
async def serving(
    config: HttpConfig | None = None, limits: HttpLimits | None = None
) -> AsyncIterator[Server]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    running = Server(listener.socket.getsockname()[1])
    async with trio.open_nursery() as nursery:
        await nursery.start(
            partial(
                serve_http,
                [listener],
                FakeHandle(),
                config or HttpConfig(),
                datacenter="dc1",
                ledger=running.ledger,
                log=lambda level, text: running.lines.append((level, text)),
                routes=running.routes(),
                limits=limits,
            )
        )
        try:
            yield running
        finally:
            for client in running.clients:
                client.close()
        nursery.cancel_scope.cancel()


async def test_a_client_is_known_by_its_address() -> None:
    async with serving() as running:
        client = await running.connect()
        assert (await client.ask(get("/v1/echo"))).status == 200
        (request,) = running.seen
        assert request.peer == "{}:{}".format(*client.socket.getsockname())
        assert request.is_loopback


async def test_one_client_too_many_is_told_so() -> None:
    async with serving(HttpConfig(connections_max=2)) as running:
        first, second = await running.connect(), await running.connect()
        for client in (first, second):
            assert (await client.ask(get("/v1/echo"))).status == 200
        third = await running.connect()
        assert (await third.read()).status == 503
        assert running.counted("refused.connections") == 1
        ((level, line),) = running.lines
        assert (level, "too many connections" in line) == ("WARN", True)
        first.socket.close()
        with trio.fail_after(5):
            while running.counted("connections.closed") == 0:
                await trio.testing.wait_all_tasks_blocked()
        fourth = await running.connect()
        assert (await fourth.ask(get("/v1/echo"))).status == 200


async def test_half_of_the_descriptors_is_kept_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2, 2))
    async with serving() as running:
        client = await running.connect()
        assert (await client.ask(get("/v1/echo"))).status == 200
        assert (await (await running.connect()).read()).status == 503


async def test_a_lack_of_descriptors_is_waited_out(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    accept = socket.socket.accept
    failures = [OSError(errno.EMFILE, "Too many open files")] * 3

    def failing(self: socket.socket) -> object:
        if failures:
            raise failures.pop()
        return accept(self)

    monkeypatch.setattr(socket.socket, "accept", failing)
    async with serving() as running:
        client = await running.connect()
        assert (await client.ask(get("/v1/echo"))).status == 200
        assert running.counted("refused.descriptors") == 3
        assert running.lines == [
            ("WARN", "agent.http: Failed to accept a client: Too many open files")
        ]


async def test_the_end_of_the_server_is_the_end_of_who_waits() -> None:
    async with serving() as running:
        client = await running.connect()
        await client.send(get("/v1/wait"))
        with trio.fail_after(5):
            while not running.waiting:
                await trio.testing.wait_all_tasks_blocked()
        idle = await running.connect()
    assert (running.waiting, running.cancelled) == (0, 1)
    for name in ("connections", "waits"):
        counts = running.ledger.counts
        begun = counts.get(f"gossipd.http.{name}.{'begun' if name == 'waits' else 'accepted'}")
        ended = counts.get(f"gossipd.http.{name}.{'ended' if name == 'waits' else 'closed'}")
        assert begun == ended
    del idle


async def test_pages_of_others_are_refused_and_counted_apart_from_tokens() -> None:
    async with serving() as running:
        client = await running.connect()
        rebound = b"GET /v1/echo HTTP/1.1\r\nHost: a.example.com:8500\r\n\r\n"
        answer = await client.ask(rebound)
        assert (answer.status, b"http.hosts" in answer.body) == (403, True)
        foreign = get("/v1/echo", "Origin: https://a.example.com", method="PUT", body=b"{}")
        assert (await client.ask(foreign)).status == 403
        assert (await client.ask(get("/v1/echo"))).status == 200
        assert len(running.seen) == 1
        assert running.counted("refused.foreign") == 2
        assert running.counted("refused.token") == 0


async def test_tokens_decide_and_are_seen_by_nobody() -> None:
    config = HttpConfig(token="wr1te-secret", read_token="r3ad-secret")
    async with serving(config) as running:
        client = await running.connect()
        answer = await client.ask(get("/v1/echo"))
        assert (answer.status, answer.headers["www-authenticate"][:6]) == (401, "Bearer")
        assert (await client.ask(get("/v1/echo", "X-Consul-Token: guess"))).status == 403
        asked = get("/v1/echo?token=r3ad-secret&x=1", "Authorization: Bearer r3ad-secret")
        assert (await client.ask(asked)).status == 200
        assert (await client.ask(get("/v1/echo?token=r3ad-secret", method="PUT"))).status == 403
        put = get("/v1/echo", "X-Consul-Token: wr1te-secret", method="PUT", body=b"{}")
        assert (await client.ask(put)).status == 200
        assert "secret" not in repr((running.seen, running.lines, running.ledger.counts))
        assert running.seen[0].target == "/v1/echo?token=hidden&x=1"
        assert running.counted("refused.token") == 3
        assert running.counted("requests.4xx.GET./v1/echo") == 2


async def ask_within_tls(running: Server, cert: str, request: bytes) -> tuple[bytes, bytes]:
    """Return the reply to ``request`` and the certificate that was shown."""
    connected = await running.connect()
    stream = trio.SSLStream(
        trio.SocketStream(connected.socket),
        trusting(cert),
        server_hostname="127.0.0.1",
        https_compatible=True,
    )
    await stream.send_all(request)
    reply = b""
    while not reply.endswith(b"[]"):
        portion = await stream.receive_some()
        assert portion
        reply += portion
    shown = stream.getpeercert(binary_form=True)
    await trio.aclose_forcefully(stream)
    return reply, shown


async def test_a_new_certificate_is_shown_to_the_next_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "LOOK_SECONDS", 0.0)
    cert, key = write_certificate(tmp_path)
    async with serving(HttpConfig(tls_cert=cert, tls_key=key)) as running:
        reply, first = await ask_within_tls(running, cert, get("/v1/echo"))
        assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
        _, second = await ask_within_tls(running, cert, get("/v1/echo"))
        assert second == first
        write_certificate(tmp_path, "another")
        _, third = await ask_within_tls(running, cert, get("/v1/echo"))
        assert third != first
        assert running.lines == [("INFO", f"agent.http: Loaded a new certificate: {cert}")]


async def test_a_client_that_speaks_no_tls_is_counted(tmp_path: Path) -> None:
    cert, key = write_certificate(tmp_path)
    async with serving(HttpConfig(tls_cert=cert, tls_key=key)) as running:
        client = await running.connect()
        await client.send(get("/v1/echo"))
        answer = await client.socket.recv(1000)
        assert answer.startswith(b"HTTP/1.0 400 ")
        assert answer.endswith(b"Client sent an HTTP request to an HTTPS server.\n")
        assert await client.is_over()
        assert running.counted("refused.handshake") == 1
        reply, _ = await ask_within_tls(running, cert, get("/v1/echo"))
        assert reply.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_who_never_shakes_hands_is_cut_off(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    cert, key = write_certificate(tmp_path)
    async with serving(HttpConfig(tls_cert=cert, tls_key=key)) as running:
        client = await running.connect()
        assert await client.is_over()
        assert running.counted("refused.handshake") == running.counted("connections.closed") == 1


def test_a_certificate_that_cannot_be_used_keeps_the_former(tmp_path: Path) -> None:
    cert, key = write_certificate(tmp_path)
    lines: list[tuple[str, str]] = []
    certificate = Certificate(cert, key, lambda level, text: lines.append((level, text)))
    former = certificate.context(0.0)
    Path(cert).write_text("no certificate")
    assert certificate.context(0.5) is former
    assert lines == []
    assert certificate.context(2.0) is former
    assert certificate.context(4.0) is former
    ((level, line),) = lines
    assert level == "ERR"
    assert line.startswith("agent.http: Keeping the former certificate: http.tls_cert")
    write_certificate(tmp_path)
    assert certificate.context(6.0) is not former


def test_files_that_may_be_read_at_last_are_loaded(tmp_path: Path) -> None:
    """Renewed by root and handed over afterwards: only the moment of that tells."""
    cert, key = write_certificate(tmp_path)
    certificate = Certificate(cert, key, lambda level, text: None)
    former = certificate.context(0.0)
    seen = Path(key).stat()
    Path(key).chmod(0o400)
    assert Path(key).stat().st_mtime_ns == seen.st_mtime_ns
    assert certificate.context(2.0) is not former


@pytest.mark.parametrize("spoiled", ["cert", "key", "both", "missing"])
def test_files_that_do_not_fit_are_named(tmp_path: Path, spoiled: str) -> None:
    cert, key = write_certificate(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    wrong, wrong_key = write_certificate(other)
    pair = {
        "cert": (wrong, key),
        "key": (cert, wrong_key),
        "both": (key, cert),
        "missing": (cert, str(tmp_path / "none")),
    }[spoiled]
    with pytest.raises(ConfigError, match=r"http\.tls_"):
        load_context(*pair)
    assert isinstance(load_context(cert, key), ssl.SSLContext)
