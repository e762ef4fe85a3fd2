"""Gossip streams: accept, dial, write, close (gossip.md, section 6).

The node decides what is said and when a stream is over; this room moves the
bytes. Both directions are bounded in number. A stream is closed after what
was written has been sent: the write side ends first and late input is read
away for a moment, because closing with unread input would make the kernel
throw away the reply on its way.
"""

from __future__ import annotations

import socket
from collections import Counter
from typing import NoReturn, Protocol

import trio

from gossipd.address import Address
from gossipd.agent.ports import StreamPort
from gossipd.agent.sockaddr import SockAddr, SockAddrs, address_of, family_of
from gossipd.agent.system_errors import reason_of
from gossipd.node.effects import OpenStream

INBOUND_MAX = 256
OUTBOUND_MAX = 256
READ_BYTES = 65536
LINGER = 1.0
"""Seconds for which late input is read away after our last byte."""
ACCEPT_BACKOFF_MIN = 0.005
ACCEPT_BACKOFF_MAX = 1.0


class StreamEvents(Protocol):
    """What the driver is told of streams."""

    def accepted(self, stream: int, source: Address) -> None:
        """A peer opened ``stream``."""

    def opened(self, stream: int) -> None:
        """Our own ``stream`` is connected."""

    def received(self, stream: int, data: bytes) -> None:
        """Bytes came in."""

    def ended(self, stream: int) -> None:
        """The peer has sent everything."""

    def failed(self, stream: int, reason: str) -> None:
        """``stream`` is gone and will not come back."""


class TcpPort:
    """``StreamPort`` on a listening TCP socket."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = trio.socket.from_stdlib_socket(listener)
        self._sockaddrs = SockAddrs(listener.family)

    @property
    def address(self) -> Address:
        """The address the listener is bound to."""
        return address_of(self._listener.getsockname())

    async def accept(self) -> tuple[trio.abc.HalfCloseableStream, Address]:
        """Wait for the next stream that a peer opened."""
        accepted, sockaddr = await self._listener.accept()
        return trio.SocketStream(accepted), self._sockaddrs.address(sockaddr)

    async def dial(self, to: Address) -> trio.abc.HalfCloseableStream:
        """Open a stream to ``to``; the kernel picks the source address."""
        family = family_of(to.ip)
        dialled = trio.socket.socket(family, socket.SOCK_STREAM)
        target: SockAddr = (
            (to.host, to.port, 0, 0) if family == socket.AF_INET6 else (to.host, to.port)
        )
        try:
            await dialled.connect(target)
        except BaseException:
            dialled.close()
            raise
        return trio.SocketStream(dialled)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


class _Line:
    """One stream: what waits to be written, and whether it is to be closed then."""

    __slots__ = ("changed", "closing", "is_open", "pending", "scope", "was_written")

    def __init__(self) -> None:
        self.pending: list[bytes] = []
        self.closing = False
        self.is_open = True
        self.changed = trio.Event()
        self.scope = trio.CancelScope()
        self.was_written = False


class Streams:
    """All open streams of one agent.

    Args:
        port: where streams come from.
        events: told of what happens; calls are synchronous.
        close_timeout: seconds in which a closed stream must have got rid of its bytes.
    """

    def __init__(self, port: StreamPort, events: StreamEvents, close_timeout: float) -> None:
        self._port = port
        self._events = events
        self._close_timeout = close_timeout
        self._lines: dict[int, _Line] = {}
        self._nursery: trio.Nursery | None = None
        self._inbound = 0
        self._accepted = 0
        self.lost: Counter[str] = Counter()
        """Inbound streams closed because there were too many, and accepts that failed."""

    async def run(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> NoReturn:
        """Accept streams and serve all of them until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            await self._accept_for_ever(nursery)
        raise AssertionError("the accept loop only ends when cancelled")

    # -- what the driver asks -------------------------------------------------

    def open(self, effect: OpenStream) -> bool:
        """Begin to dial; False when there are too many, and nothing was done."""
        if self._nursery is None or len(self._lines) - self._inbound >= OUTBOUND_MAX:
            return False
        line = self._lines[effect.stream] = _Line()
        line.is_open = False
        if effect.data:
            line.pending.append(bytes(effect.data))
        self._nursery.start_soon(self._dial, effect, line)
        return True

    def write(self, stream: int, data: bytes) -> None:
        """Send ``data`` after what waits already; nothing when the stream is gone."""
        line = self._lines.get(stream)
        if line is not None and not line.closing:
            line.pending.append(data)
            line.changed.set()

    def close(self, stream: int) -> None:
        """Close after everything written was sent; nothing when the stream is gone."""
        line = self._lines.get(stream)
        if line is not None and not line.closing:
            line.closing = True
            line.changed.set()
            if not line.is_open:
                line.scope.cancel()
            line.scope.deadline = min(
                line.scope.deadline, trio.current_time() + self._close_timeout
            )

    # -- inbound --------------------------------------------------------------

    async def _accept_for_ever(self, nursery: trio.Nursery) -> NoReturn:
        backoff = ACCEPT_BACKOFF_MIN
        while True:
            try:
                transport, source = await self._port.accept()
            except OSError:
                # out of descriptors, or the peer was gone before we looked
                self.lost["accept-errors"] += 1
                await trio.sleep(backoff)
                backoff = min(2 * backoff, ACCEPT_BACKOFF_MAX)
                continue
            backoff = ACCEPT_BACKOFF_MIN
            if self._inbound >= INBOUND_MAX:
                self.lost["streams-refused"] += 1
                await trio.aclose_forcefully(transport)
                continue
            self._inbound += 1
            self._accepted += 1
            nursery.start_soon(self._serve_inbound, -self._accepted, transport, source)

    async def _serve_inbound(
        self, stream: int, transport: trio.abc.HalfCloseableStream, source: Address
    ) -> None:
        line = self._lines[stream] = _Line()
        try:
            self._events.accepted(stream, source)
            await self._carry(stream, line, transport)
        finally:
            self._inbound -= 1

    # -- outbound -------------------------------------------------------------

    async def _dial(self, effect: OpenStream, line: _Line) -> None:
        transport = None
        reason = f"dial tcp {effect.to}: i/o timeout after {effect.timeout:g}s"
        with line.scope, trio.move_on_after(effect.timeout):
            try:
                transport = await self._port.dial(effect.to)
            except OSError as error:
                reason = f"dial tcp {effect.to}: connect: {reason_of(error)}"
        if transport is None:
            del self._lines[effect.stream]
            if not line.closing:
                self._events.failed(effect.stream, reason)
            return
        line.scope = trio.CancelScope()
        line.is_open = True
        if line.closing:
            line.scope.deadline = trio.current_time() + self._close_timeout
        else:
            self._events.opened(effect.stream)
        await self._carry(effect.stream, line, transport)

    # -- both -----------------------------------------------------------------

    async def _carry(
        self, stream: int, line: _Line, transport: trio.abc.HalfCloseableStream
    ) -> None:
        """Move bytes both ways until the node closes the stream or it breaks."""
        broken = ""
        try:
            with line.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read, stream, line, transport)
                    broken = await self._write(line, transport)
                    nursery.cancel_scope.cancel()
                if not broken and line.was_written:
                    await _linger(transport)
        finally:
            del self._lines[stream]
            await trio.aclose_forcefully(transport)
        if broken and not line.closing:
            self._events.failed(stream, broken)

    async def _read(
        self, stream: int, line: _Line, transport: trio.abc.HalfCloseableStream
    ) -> None:
        while not line.closing:
            try:
                data = await transport.receive_some(READ_BYTES)
            except trio.BrokenResourceError as error:
                if not line.closing:
                    line.closing = True
                    line.pending.clear()
                    line.changed.set()
                    self._events.failed(stream, _cause(error))
                return
            if line.closing:
                return
            if not data:
                self._events.ended(stream)
                return
            self._events.received(stream, bytes(data))

    async def _write(self, line: _Line, transport: trio.abc.HalfCloseableStream) -> str:
        """Send what is written until the stream is closed; returns why it broke, or nothing."""
        while True:
            while line.pending:
                data = line.pending[0] if len(line.pending) == 1 else b"".join(line.pending)
                line.pending.clear()
                line.was_written = True
                try:
                    await transport.send_all(data)
                except trio.BrokenResourceError as error:
                    return _cause(error)
            if line.closing:
                return ""
            await line.changed.wait()
            line.changed = trio.Event()


async def _linger(transport: trio.abc.HalfCloseableStream) -> None:
    """End our side and read late input away, so that our last bytes arrive."""
    with trio.move_on_after(LINGER):
        try:
            await transport.send_eof()
            while await transport.receive_some(READ_BYTES):
                pass
        except trio.BrokenResourceError:
            return


def _cause(error: BaseException) -> str:
    """Return what the system said, in one line."""
    cause = error.__cause__
    if isinstance(cause, OSError):
        return reason_of(cause)
    return str(error) or "stream broke"
