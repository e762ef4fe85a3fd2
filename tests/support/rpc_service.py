"""The local socket's service over in-memory streams and a fake node, and its clients."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgpack
import trio
import trio.testing

from gossipd.query.framing import encode
from gossipd.rpc.server import Limits
from gossipd.rpc.service import Service
from support.fake_handle import FakeHandle


class Peer:
    """The client's end: sends objects, reads objects."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._unpacker = msgpack.Unpacker(strict_map_key=False)
        self._seq = 100

    async def send(self, *objects: object) -> None:
        """Send objects."""
        await self.stream.send_all(encode(*objects))

    async def read(self) -> Any:
        """Return the next object; ``EOFError`` at the end."""
        while True:
            try:
                return self._unpacker.unpack()
            except msgpack.OutOfData:
                data = await self.stream.receive_some()
                if not data:
                    raise EOFError from None
                self._unpacker.feed(data)

    async def ask(self, command: str, *body: object, has_body: bool = False) -> Any:
        """Send a request; return its header's error, or (error, body)."""
        self._seq += 1
        await self.send({"Command": command, "Seq": self._seq}, *body)
        header = await self.read()
        assert header["Seq"] == self._seq
        return (header["Error"], await self.read()) if has_body else header["Error"]

    async def is_closed(self) -> bool:
        """Say whether the other end has closed; an object that comes instead is dropped."""
        try:
            await self.read()
        except (EOFError, trio.BrokenResourceError):
            return True
        return False


class Server:
    """A service over in-memory streams."""

    def __init__(self, nursery: trio.Nursery, handle: FakeHandle, service: Service) -> None:
        self.nursery = nursery
        self.handle = handle
        self.service = service

    def connect(self) -> Peer:
        """Return a new client that has said nothing yet."""
        ours, theirs = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.service.serve_connection, theirs)
        return Peer(ours)

    async def greet(self) -> Peer:
        """Return a new client whose handshake is done."""
        peer = self.connect()
        assert await peer.ask("handshake", {"Version": 1}) == ""
        return peer


LOG: list[tuple[str, str]] = []
"""What the service logged, level and line, since ``serving`` began."""

COUNTED: list[str] = []
"""What the service counted, likewise."""
MEASURED: list[tuple[str, float]] = []
"""What it measured, likewise."""


@contextlib.asynccontextmanager
async def serving(
    handle: FakeHandle | None = None, *, auth: str | None = None, limits: Limits | None = None
) -> AsyncIterator[Server]:
    """Serve ``handle``; at the end no connection may be left."""
    LOG.clear()
    handle = handle or FakeHandle()
    COUNTED.clear()
    MEASURED.clear()
    async with trio.open_nursery() as nursery:
        service = Service(
            handle,
            auth,
            limits or Limits(),
            lambda *line: LOG.append(line),
            nursery=nursery,
        )
        service.count = COUNTED.append
        service.measure = lambda name, value: MEASURED.append((name, value))
        yield Server(nursery, handle, service)
        nursery.cancel_scope.cancel()
    assert service.connections == 0
