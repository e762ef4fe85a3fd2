"""The HTTP face over socket pairs, with routes of the test's own."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Iterable

import h11
import trio

from gossipd.config.faces import HttpConfig
from gossipd.ledger import Ledger
from gossipd.rest.desk import Desk
from gossipd.rest.transport.connection import Connection
from gossipd.rest.transport.limits import HttpLimits
from gossipd.rest.transport.lines import Line, PlainLine
from gossipd.rest.transport.service import Service
from gossipd.rest.values import Route
from support.fake_handle import FakeHandle


def get(path: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    """Return a request as a client sends it."""
    lines = [f"{method} {path} HTTP/1.1", "Host: a", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Answer:
    """One reply, read whole."""

    def __init__(self, response: h11.Response, body: bytes) -> None:
        self.status = response.status_code
        self.headers = {name.decode(): value.decode() for name, value in response.headers}
        self.body = body

    @property
    def text(self) -> str:
        return self.body.decode()


class Client:
    """The other end of a connection; reads with h11, so the replies are legal."""

    def __init__(self, connected: trio.socket.SocketType) -> None:
        self.socket = connected
        self._kept = b""

    async def send(self, raw: bytes) -> None:
        """Send bytes as they are."""
        sent = 0
        while sent < len(raw):
            sent += await self.socket.send(raw[sent:])

    async def read(self, method: str = "GET") -> Answer:
        """Read the reply to a request of ``method``."""
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
        reader.send(h11.EndOfMessage())
        if self._kept:
            reader.receive_data(self._kept)
        response, body = None, b""
        while True:
            event = reader.next_event()
            if event is h11.NEED_DATA:
                reader.receive_data(await self.socket.recv(65536))
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert response is not None
                self._kept = bytes(reader.trailing_data[0])
                return Answer(response, body)

    async def ask(self, raw: bytes, method: str = "GET") -> Answer:
        """Send a request and read its reply."""
        await self.send(raw)
        return await self.read(method)

    async def is_over(self) -> bool:
        """Read to the end; returns whether nothing came any more."""
        try:
            return not self._kept and not await self.socket.recv(65536)
        except ConnectionError:
            return True


class Face:
    """A service without listeners."""

    def __init__(
        self,
        nursery: trio.Nursery,
        routes: Iterable[Route],
        limits: HttpLimits,
        config: HttpConfig,
        handle: FakeHandle | None = None,
    ) -> None:
        self.ledger = Ledger()
        self.lines: list[tuple[str, str]] = []
        self.handle = handle or FakeHandle()
        desk = Desk(
            self.handle,
            config,
            datacenter="dc1",
            ledger=self.ledger,
            log=lambda level, text: self.lines.append((level, text)),
            wall=lambda: 784_111_777.0,
        )
        self.service = Service(desk, routes, limits)
        self.nursery = nursery
        self.ended = 0
        self.clients: list[Client] = []

    def start(self) -> None:
        """Run what all connections share."""
        self.nursery.start_soon(self.service.departures.run)
        self.nursery.start_soon(self.service.alarms.run)
        self.nursery.start_soon(self.service.door.run)

    def connect(self, *, is_loopback: bool = True) -> Client:
        """Return a client whose connection is served."""
        near, far = socket.socketpair()
        far.setblocking(False)
        self.nursery.start_soon(self.serve, PlainLine(far), is_loopback)
        client = Client(trio.socket.from_stdlib_socket(near))
        self.clients.append(client)
        return client

    async def serve(self, line: Line, is_loopback: bool = True) -> None:
        """Serve who is at the other end of ``line``."""
        self.service.connection_began()
        await Connection(line, self.service, "127.0.0.1:5", is_loopback).run()
        self.ended += 1

    def counted(self, name: str) -> int:
        """Return a counter of the face, ``gossipd.http.`` left away."""
        return self.ledger.counts.get(f"gossipd.http.{name}", 0)


@contextlib.asynccontextmanager
async def facing(
    *routes: Route, limits: HttpLimits | None = None, config: HttpConfig | None = None
) -> AsyncIterator[Face]:
    """Serve ``routes`` while the block runs."""
    async with trio.open_nursery() as nursery:
        face = Face(nursery, routes, limits or HttpLimits(), config or HttpConfig())
        face.start()
        try:
            yield face
        finally:
            for client in face.clients:
                client.socket.close()
        nursery.cancel_scope.cancel()
