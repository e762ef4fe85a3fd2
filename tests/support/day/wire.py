"""A client's connection to the HTTP face: raw bytes out, replies read with few lines of our own."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import trio


class Ended(Exception):
    """The server hung up before the reply was whole."""


class Answer:
    """One reply, and between which moments it was made."""

    __slots__ = ("asked_at", "at", "body", "headers", "status", "target")

    def __init__(
        self, target: str, status: int, headers: dict[str, str], body: bytes, asked_at: float
    ) -> None:
        self.target = target
        self.status = status
        self.headers = headers
        self.body = body
        self.asked_at = asked_at
        self.at = trio.current_time()

    def json(self) -> Any:
        """Return what the body says."""
        return json.loads(self.body)

    @property
    def index(self) -> int:
        """The index of a read that can block; 0 is none."""
        return int(self.headers.get("x-consul-index", "0"))


class Wires:
    """Opens connections to the socket at ``path`` and knows which are open."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.open: dict[Wire, None] = {}
        self.requests = 0
        self.hang_ups = 0
        self.watch: Callable[[Answer], None] | None = None
        """Told of every reply."""

    async def connect(self) -> Wire:
        """Return a new connection.

        Raises:
            OSError: nobody listens.
        """
        connected = trio.socket.socket(socket.AF_UNIX)
        try:
            await connected.connect(self.path)
        except BaseException:
            connected.close()
            raise
        wire = Wire(self, connected)
        self.open[wire] = None
        return wire


class Wire:
    """One connection.

    Attributes:
        is_waiting: whether it has asked something that the server may hold.
        is_streaming: whether it reads a stream.
        is_deaf: whether it reads nothing, so that the server may have hung up unnoticed.
    """

    __slots__ = ("_buffer", "_wires", "is_deaf", "is_streaming", "is_waiting", "socket")

    def __init__(self, wires: Wires, connected: trio.socket.SocketType) -> None:
        self._wires = wires
        self.socket = connected
        self._buffer = b""
        self.is_waiting = False
        self.is_streaming = False
        self.is_deaf = False

    async def __aenter__(self) -> Wire:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """Close it, whatever is under way."""
        if self._wires.open.pop(self, self) is None:
            self.socket.close()

    async def send(self, data: bytes) -> None:
        """Send bytes as they are.

        Raises:
            Ended: the server hung up.
        """
        try:
            while data:
                data = data[await self.socket.send(data) :]
        except OSError:
            raise Ended from None

    async def ask(
        self, target: str, method: str = "GET", body: object = None, *, waits: bool = False
    ) -> Answer:
        """Send a request and return its reply.

        Raises:
            Ended: the server hung up first.
        """
        asked_at = trio.current_time()
        await self.send(request(target, method, body))
        self._wires.requests += 1
        self.is_waiting = waits
        try:
            status, headers = await self.head()
            length = int(headers["content-length"])
            while len(self._buffer) < length:
                await self.more()
        finally:
            self.is_waiting = False
        told, self._buffer = self._buffer[:length], self._buffer[length:]
        answer = Answer(target, status, headers, told, asked_at)
        if self._wires.watch is not None:
            self._wires.watch(answer)
        return answer

    async def head(self) -> tuple[int, dict[str, str]]:
        """Read the head of a reply."""
        while b"\r\n\r\n" not in self._buffer:
            await self.more()
        raw, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = raw.decode("ascii").split("\r\n")
        assert first.startswith("HTTP/1.1 "), first
        pairs = (line.split(": ", 1) for line in lines)
        return int(first.split(" ", 2)[1]), {name.lower(): value for name, value in pairs}

    async def more(self) -> None:
        """Read on."""
        try:
            data = await self.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            raise Ended
        self._buffer += data

    async def chunk(self) -> bytes:
        """Read one piece of a stream; empty is its end."""
        while b"\r\n" not in self._buffer:
            await self.more()
        size, _, rest = self._buffer.partition(b"\r\n")
        self._buffer = rest
        length = int(size, 16)
        while len(self._buffer) < length + 2:
            await self.more()
        piece, end = self._buffer[:length], self._buffer[length : length + 2]
        assert end == b"\r\n", end
        self._buffer = self._buffer[length + 2 :]
        return piece

    async def until_closed(self) -> bytes:
        """Read until the server hangs up."""
        with contextlib.suppress(Ended):
            while True:
                await self.more()
        told, self._buffer = self._buffer, b""
        return told


def request(target: str, method: str = "GET", body: object = None) -> bytes:
    """Return a request as it is sent."""
    raw = b"" if body is None else json.dumps(body).encode()
    length = f"Content-Length: {len(raw)}\r\n" if method == "PUT" else ""
    return f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n".encode() + raw


def target_of(path: str, **query: object) -> str:
    """Return a path with parameters; ``node_meta`` is written with a hyphen, lists are repeated."""
    pairs = []
    for name, value in query.items():
        for one in value if isinstance(value, (list, tuple)) else (value,):
            pairs.append(f"{name.replace('_', '-')}={quote(str(one))}")
    return path + ("?" if pairs else "") + "&".join(pairs)
