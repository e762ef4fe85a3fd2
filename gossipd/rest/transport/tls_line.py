"""``TlsLine``: the bytes of one connection within TLS.

OpenSSL works on the socket itself, which does not block, and what it wants before it goes on
is waited for here. trio's stream of TLS carries all bytes through buffers of its own instead,
has two locks for each direction, and takes that memory for each client that waits.
"""

from __future__ import annotations

import contextlib
import socket
import ssl

import trio

PLAIN = (
    b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    b"Client sent an HTTP request to an HTTPS server.\n"
)
"""As Go's server says it."""


class TlsLine:
    """One client's socket and the TLS on it; ``shake_hands`` before anything else.

    Raises:
        OSError: the client is gone already.
    """

    __slots__ = ("_socket", "descriptor")

    def __init__(self, connected: socket.socket, context: ssl.SSLContext) -> None:
        self._socket = context.wrap_socket(
            connected, server_side=True, do_handshake_on_connect=False
        )
        self.descriptor = self._socket.fileno()

    async def shake_hands(self, turn: trio.Lock) -> None:
        """Agree with the client on keys.

        Args:
            turn: of all clients that shake hands. A signature takes a millisecond or more, so
                only one is made between two turns of everything else, however many come.

        Raises:
            OSError: it speaks no TLS, not one that we speak, or is gone.
        """
        while True:
            try:
                async with turn:
                    return self._socket.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
                await self._wait_for(wanted)

    def refuse_plain(self, error: OSError) -> None:
        """Tell a client so that speaks HTTP without TLS, as ``error`` says it did."""
        if getattr(error, "reason", "") != "HTTP_REQUEST":
            return
        with contextlib.suppress(OSError):  # the end of TLS is the end of what OpenSSL does here
            self._socket.shutdown(socket.SHUT_RD)
            while self._socket.recv(16_384):
                pass  # what is unread would take our words back
            self._socket.send(PLAIN)

    async def receive(self, count: int) -> bytes:
        if self._socket.pending():  # decrypted already: the socket itself would not tell
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.wait_readable(self._socket)
        while True:
            try:
                return self._socket.recv(count)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError) as wanted:
                await self._wait_for(wanted)

    def send_now(self, data: bytes) -> int:
        try:
            return self._socket.send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0

    async def send_rest(self, data: bytes, sent: int) -> None:
        with memoryview(data) as view:
            while sent < len(data):
                try:
                    sent += self._socket.send(view[sent:])
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
                    await self._wait_for(wanted)
                else:
                    await trio.lowlevel.checkpoint()

    async def _wait_for(self, wanted: OSError) -> None:
        if isinstance(wanted, ssl.SSLWantWriteError):
            await trio.lowlevel.wait_writable(self._socket)
        else:
            await trio.lowlevel.wait_readable(self._socket)

    def end_writing(self) -> None:
        """Tell the client that nothing more comes; what it still sends is not decrypted."""
        self._say_goodbye()
        with contextlib.suppress(OSError):  # it is gone already: receiving will tell
            self._socket.shutdown(socket.SHUT_WR)

    async def close(self) -> None:
        self._say_goodbye()
        self._socket.close()

    def _say_goodbye(self) -> None:
        """Send ``close_notify``, without which a client cannot tell an end from a cut.

        Not waited for: neither that it can be sent, nor that the client says the same.
        """
        with contextlib.suppress(OSError, ValueError):
            self._socket.unwrap()
