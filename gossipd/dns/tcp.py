"""Queries by TCP: two bytes of length before each message, many on a connection (RFC 7766)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import trio

from gossipd.dns.answering import DROPPED, LATENCY, Answering, Pending
from gossipd.dns.defects import Defects
from gossipd.dns.limits import is_proven
from gossipd.ledger import Ledger

if TYPE_CHECKING:
    from gossipd.dns.forwarding import Forwarding

CONNECTIONS_MAX = 256
CONNECTIONS_PER_HOST_MAX = 64
"""Of one address; loopback may have all of them."""
IDLE_TIMEOUT = 15.0
"""Seconds within which the next query must be complete, and a reply be taken."""
RECEIVE_BYTES = 4096


class Connections:
    """All TCP connections of one face."""

    def __init__(
        self,
        answering: Answering,
        forwarding: Forwarding | None,
        ledger: Ledger,
        defects: Defects,
    ) -> None:
        self._answering = answering
        self._forwarding = forwarding
        self._ledger = ledger
        self._defects = defects
        self._open = 0
        self._by_host: Counter[str] = Counter()

    async def serve(self, listener: trio.SocketListener) -> None:
        """Accept and answer until cancelled."""
        await trio.serve_listeners(self._connection, [listener])

    async def _connection(self, stream: trio.SocketStream) -> None:
        host = _host_of(stream)
        most = CONNECTIONS_MAX if is_proven(host) else CONNECTIONS_PER_HOST_MAX
        if self._open >= CONNECTIONS_MAX or self._by_host[host] >= most:
            self._ledger.count(DROPPED + "connections")
            await trio.aclose_forcefully(stream)
            return
        self._open += 1
        self._by_host[host] += 1
        try:
            async with stream:
                await self.converse(stream, host)
        except trio.BrokenResourceError:
            pass  # it went away; there is nobody to tell
        finally:
            self._open -= 1
            self._by_host[host] -= 1
            if not self._by_host[host]:
                del self._by_host[host]

    async def converse(self, stream: trio.abc.Stream, host: str) -> None:
        """Answer one query after another until ``host`` ends it, is idle or says nonsense."""
        buffer = bytearray()
        while True:
            with trio.move_on_after(IDLE_TIMEOUT) as waiting:
                message = await _next_message(stream, buffer)
            if waiting.cancelled_caught or message is None:
                return
            before = trio.current_time()
            reply = await self._reply(message, host)
            if reply is None:
                return
            self._ledger.measure(LATENCY, 1000 * (trio.current_time() - before))
            with trio.move_on_after(IDLE_TIMEOUT) as waiting:
                await stream.send_all(len(reply).to_bytes(2) + reply)
            if waiting.cancelled_caught:
                return

    async def _reply(self, message: bytes, host: str) -> bytes | None:
        try:
            reply = self._answering.message(message, host)
            if isinstance(reply, Pending):
                assert self._forwarding is not None, "nothing is pending without recursors"
                return await self._forwarding.complete(reply)
        except Exception:
            return self._defects.answer(message, host)
        return reply


async def _next_message(stream: trio.abc.ReceiveStream, buffer: bytearray) -> bytes | None:
    """Return the next message, taken out of ``buffer``; ``None`` when there will be none."""
    while len(buffer) < 2 or len(buffer) < 2 + int.from_bytes(buffer[:2]):
        received = await stream.receive_some(RECEIVE_BYTES)
        if not received:
            return None
        buffer += received
    end = 2 + int.from_bytes(buffer[:2])
    message = bytes(buffer[2:end])
    del buffer[:end]
    await trio.lowlevel.checkpoint()
    return message


def _host_of(stream: trio.SocketStream) -> str:
    try:
        return str(stream.socket.getpeername()[0])
    except OSError:
        return ""  # it is gone already
