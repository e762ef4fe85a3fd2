"""``Line``: the bytes of one connection, plain here or within TLS (``tls_line.py``).

It works on the socket itself: a trio stream takes more memory than all the rest of
a client that waits, and two more turns of the scheduler for each request.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Protocol

import trio


class Line(Protocol):
    """One connection's bytes, in and out."""

    descriptor: int
    """Of the socket, for who watches whether the client is still there."""

    async def receive(self, count: int) -> bytes:
        """Return what came, at most ``count`` bytes; nothing at the end.

        Raises:
            OSError: the connection broke.
        """

    def send_now(self, data: bytes) -> int:
        """Send what can be sent without waiting; returns how much of ``data`` that was.

        Raises:
            OSError: the connection broke.
        """

    async def send_rest(self, data: bytes, sent: int) -> None:
        """Send ``data`` from ``sent`` on.

        Raises:
            OSError: the connection broke.
        """

    def end_writing(self) -> None:
        """Tell the client that nothing more comes, if that can be told without waiting."""

    async def close(self) -> None:
        """Give the socket back, at once."""


class PlainLine:
    """A socket without anything around it."""

    __slots__ = ("_socket", "descriptor")

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self.descriptor = connected.fileno()

    async def receive(self, count: int) -> bytes:
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                return self._socket.recv(count)
            except (BlockingIOError, InterruptedError):
                continue

    def send_now(self, data: bytes) -> int:
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0

    async def send_rest(self, data: bytes, sent: int) -> None:
        with memoryview(data) as view:
            while sent < len(data):
                await trio.lowlevel.wait_writable(self._socket)
                try:
                    sent += self._socket.send(view[sent:])
                except (BlockingIOError, InterruptedError):
                    continue

    def end_writing(self) -> None:
        with contextlib.suppress(OSError):  # it is gone already: receiving will tell
            self._socket.shutdown(socket.SHUT_WR)

    async def close(self) -> None:
        self._socket.close()
