"""Queries by TCP: two bytes of length before each message, many on a connection (RFC 7766)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import trio

from gossipd.dns.answering import DROPPED, LATENCY, Answering, Pending
from gossipd.dns.defects import Defects
from gossipd.dns.limits import is_proven, source_of
from gossipd.ledger import Ledger

if TYPE_CHECKING:
    from gossipd.dns.forwarding import Forwarding

CONNECTIONS_MAX = 256
CONNECTIONS_ABROAD_MAX = 192
"""Of all other hosts together: they cannot take this one's name service away."""
CONNECTIONS_PER_SOURCE_MAX = 64
"""Of one other host: an IPv4 address, or the /64 of an IPv6 one."""
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
        self._abroad: Counter[str] = Counter()
        """Connections by source, those of this host left out."""

    async def serve(self, listener: trio.SocketListener) -> None:
        """Accept and answer until cancelled."""
        await trio.serve_listeners(self._connection, [listener])

    async def _connection(self, stream: trio.SocketStream) -> None:
        await self.take(stream, _host_of(stream))

    async def take(self, stream: trio.abc.Stream, host: str) -> None:
        """Converse with ``host``, or hang up if there are too many; closes the stream."""
        source = "" if is_proven(host) else source_of(host)
        if not self._has_room(host, source):
            self._ledger.count(DROPPED + "connections")
            await trio.aclose_forcefully(stream)
            return
        self._open += 1
        if source:
            self._abroad[source] += 1
        try:
            async with stream:
                await self.converse(stream, host)
        except trio.BrokenResourceError:
            pass  # it went away; there is nobody to tell
        finally:
            self._open -= 1
            if source:
                self._abroad[source] -= 1
                if not self._abroad[source]:
                    del self._abroad[source]

    def _has_room(self, host: str, source: str) -> bool:
        if not host or self._open >= CONNECTIONS_MAX:
            return False
        if not source:
            return True
        return (
            self._abroad[source] < CONNECTIONS_PER_SOURCE_MAX
            and self._abroad.total() < CONNECTIONS_ABROAD_MAX
        )

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
