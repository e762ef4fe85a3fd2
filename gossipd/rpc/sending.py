"""``Sender``: whole messages to one client, from several tasks, whoever is slow.

Most messages fit into the socket's buffer: they are written at once, without a task
and without a turn of the scheduler. Only what does not fit waits, and blocks its
own connection alone.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from gossipd.rpc.service import Service


class Sender:
    """The way out to one client.

    Args:
        stream: the accepted socket.
        service: what all connections share.
    """

    __slots__ = ("_lock", "_service", "_stream", "_unsent")

    def __init__(self, stream: trio.abc.Stream, service: Service) -> None:
        self._stream = stream
        self._service = service
        self._lock = trio.Lock()
        self._unsent = b""  # the rest of a message that the socket took in part

    async def send(self, data: bytes) -> None:
        """Send one whole message; once begun it is not cut off by a cancellation."""
        if not self.send_now(data):
            await self._send_waiting(data)
        elif self._unsent:
            await self.flush()

    def send_now(self, data: bytes) -> bool:
        """Send one message without waiting, if the socket takes at least a part of it now.

        Returns:
            Whether it is on its way; ``flush`` then sends what is left of it, if
            ``has_unsent`` says so.
        """
        if self._unsent or self._lock.locked() or not isinstance(self._stream, trio.SocketStream):
            return False
        try:
            sent = os.write(self._stream.socket.fileno(), data)
        except OSError:  # full, or gone: whoever waits for it is told
            return False
        self._unsent = data[sent:]
        return True

    @property
    def has_unsent(self) -> bool:
        """Whether ``flush`` is to be called."""
        return bool(self._unsent)

    async def flush(self) -> None:
        """Send what is left of a message."""
        # Shielded as a whole: a message that has begun is never left half sent.
        with trio.CancelScope(shield=True):
            await self._send_waiting(b"")

    async def _send_waiting(self, data: bytes) -> None:
        """Send a message to a client that may be slow; it blocks its own connection only."""
        over = trio.Event()
        async with self._lock:
            self._service.nursery.start_soon(self._close_when_cancelled, over)
            try:
                with trio.CancelScope(shield=True):
                    await self._send_all(data)
            finally:
                over.set()

    async def _send_all(self, data: bytes) -> None:
        """Send what is left of an earlier message, then ``data``; the lock is ours."""
        data, self._unsent = self._unsent + data, b""
        await self._stream.send_all(data)

    async def _close_when_cancelled(self, over: trio.Event) -> None:
        """Close the socket soon after a cancellation of the whole service.

        A client that does not read must not keep an answer, and with it the
        daemon's end, waiting in a shielded send.
        """
        try:
            await over.wait()
        finally:
            if not over.is_set():
                with trio.move_on_after(self._service.limits.last_words_seconds, shield=True):
                    await over.wait()
                if not over.is_set():
                    await trio.aclose_forcefully(self._stream)

    async def send_cancellable(self, data: bytes) -> None:
        """Send a last message, which a cancellation may cut off."""
        async with self._lock:
            await self._send_all(data)
