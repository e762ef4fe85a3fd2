"""``AsyncLink``: the connection of ``AsyncClient``: answers and records to whoever waits.

One task reads the socket. What is asked, and what the answers mean, is
``aio.py``'s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import anyio.abc
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from gossipd.client.connection import (
    Connection,
    Record,
    Reply,
    gone,
    refused,
    unreachable,
)
from gossipd.client.endpoint import Endpoint
from gossipd.errors import GossipdError, WireError
from gossipd.query import requests

CONNECT_SECONDS = 5.0
LAST_WORDS_SECONDS = 1.0
"""How long taking something back may take when its caller is cancelled."""
RECEIVE_BYTES = 1 << 18
RECORDS_MAX = 1024
"""Records kept for a stream whose reader is slow; newer ones are then lost."""
QUERY_RECORDS_MAX = 1 << 17
"""Records kept for a query: two of each member, so that its end is never lost."""


class _Waiting:
    """A request that waits for its answer."""

    __slots__ = ("answered", "error", "reply")

    def __init__(self) -> None:
        self.answered = anyio.Event()
        self.reply: Reply | None = None
        self.error: GossipdError | None = None


class Gap:
    """Stands among the records where ``count`` of them are missing."""

    __slots__ = ("count",)

    def __init__(self, count: int) -> None:
        self.count = count


class Inbox:
    """Records of one stream on their way to its reader; ``lost`` counts what did not fit."""

    __slots__ = ("lost", "receive", "send")

    def __init__(self, capacity: int) -> None:
        self.send: MemoryObjectSendStream[object]
        self.receive: MemoryObjectReceiveStream[object]
        self.send, self.receive = anyio.create_memory_object_stream[object](capacity)
        self.lost = 0

    def put(self, body: object) -> None:
        try:
            if self.lost:  # told at its place: before what comes later
                self.send.send_nowait(Gap(self.lost))
                self.lost = 0
            self.send.send_nowait(body)
        except anyio.WouldBlock:
            self.lost += 1
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return

    def close(self) -> None:
        self.send.close()
        self.receive.close()


class AsyncLink:
    """A connection to a daemon; ``connected`` makes it and ends it, more than once if need be."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._connection: Connection
        self._waiting: dict[int, _Waiting] = {}
        self._inboxes: dict[int, Inbox] = {}
        self._over: GossipdError | None = None
        self._stream: anyio.abc.ByteStream
        self._sending: anyio.Lock
        self._ended: anyio.Event

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Connect and read in the background; everything ends with the context."""
        failure: Exception | None = None
        self._connection, self._over = Connection(), None  # entered again, it begins afresh
        self._stream = await _connect(self.endpoint)
        self._sending, self._ended = anyio.Lock(), anyio.Event()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._read)
                try:
                    yield
                except Exception as error:
                    # Raised again below: the task group would wrap it in a group.
                    failure = error
                tasks.cancel_scope.cancel()
        finally:
            self._fail(gone(self.endpoint))
            for inbox in self._inboxes.values():
                inbox.close()
            await anyio.aclose_forcefully(self._stream)
        if failure is not None:
            raise failure

    async def ask(
        self, request: requests.Request, undo: Callable[[], Awaitable[object]] | None = None
    ) -> Any:
        """Send a request and return its answer's body.

        Args:
            request: what is asked.
            undo: takes back what the daemon did, when the caller was cancelled before it
                heard of it.

        Raises:
            RequestRefused: the daemon's answer is an error.
            DaemonUnreachable: the daemon is gone.
        """
        seq, data = self._connection.request(request)
        return await self._transact(request.command, seq, data, undo)

    @asynccontextmanager
    async def following(self, request: requests.Request) -> AsyncIterator[tuple[int, Inbox]]:
        """Send a request that opens records; stops them when the context is left."""
        seq, inbox = await self.follow(request)
        try:
            yield seq, inbox
        finally:
            await self.unfollow(seq, inbox)

    async def follow(self, request: requests.Request) -> tuple[int, Inbox]:
        """Send a request that opens records; return its number, and where they arrive."""
        is_query = request.command == "query"
        inbox = Inbox(QUERY_RECORDS_MAX if is_query else RECORDS_MAX)
        seq, data = self._connection.request(request)
        self._inboxes[seq] = inbox
        try:
            await self._transact(request.command, seq, data)
        except BaseException:
            await self.unfollow(seq, inbox)
            raise
        return seq, inbox

    async def unfollow(self, seq: int, inbox: Inbox) -> None:
        """Stop the records of ``seq``, unless they are over."""
        del self._inboxes[seq]
        inbox.close()
        if self._over is None and self._connection.expects(seq):
            # Told even when the caller was cancelled, or records would go on.
            with anyio.move_on_after(1, shield=True):
                await self._send(self._connection.request(requests.Stop(seq))[1])

    async def wait_for_end(self) -> None:
        """Return when the daemon is gone."""
        await self._ended.wait()

    async def next_record(self, inbox: Inbox) -> tuple[object, int]:
        """Return (record, 0), or (None, count) after the records before a loss."""
        if inbox.lost and not inbox.receive.statistics().current_buffer_used:
            lost, inbox.lost = inbox.lost, 0
            return None, lost
        try:
            record = await inbox.receive.receive()
            return (None, record.count) if isinstance(record, Gap) else (record, 0)
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            raise self._over or gone(self.endpoint) from None

    def forget(self, seq: int) -> None:
        """Note that the records of ``seq`` are over."""
        self._connection.forget(seq)

    async def _transact(
        self,
        command: str,
        seq: int,
        data: bytes,
        undo: Callable[[], Awaitable[object]] | None = None,
    ) -> Any:
        if self._over is not None:
            raise self._over
        waiting = self._waiting[seq] = _Waiting()
        try:
            await self._send(data)
            try:
                await waiting.answered.wait()
            except BaseException:
                if undo is not None:
                    await self._undo(waiting, undo)
                raise
        finally:
            del self._waiting[seq]
        if waiting.error is not None:
            raise waiting.error
        reply = waiting.reply
        assert reply is not None
        if reply.error:
            raise refused(command, reply.error, reply.body)
        return reply.body

    async def _undo(self, waiting: _Waiting, undo: Callable[[], Awaitable[object]]) -> None:
        """Take back what a request did whose caller is gone, once its answer says it did."""
        with anyio.move_on_after(LAST_WORDS_SECONDS, shield=True):
            await waiting.answered.wait()
            if waiting.reply is not None and not waiting.reply.error:
                with suppress(GossipdError):
                    await undo()

    async def _send(self, data: bytes) -> None:
        """Send one whole request: half of one would spoil all that follow."""
        async with self._sending:
            try:
                with anyio.CancelScope(shield=True):
                    await self._stream.send(data)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                raise gone(self.endpoint) from error

    async def _read(self) -> None:
        """Hand what the daemon sends to those who wait, until it closes."""
        try:
            while True:
                self._connection.feed(await self._stream.receive(RECEIVE_BYTES))
                while (message := self._connection.next_message_untrusted()) is not None:
                    self._hand_over(message)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            self._fail(gone(self.endpoint))
        except WireError as error:
            self._fail(error)

    def _hand_over(self, message: Reply | Record) -> None:
        if isinstance(message, Record):
            inbox = self._inboxes.get(message.seq)
            if inbox is not None:
                inbox.put(message.body)
            return
        waiting = self._waiting.get(message.seq)
        if waiting is not None:
            waiting.reply = message
            waiting.answered.set()

    def _fail(self, error: GossipdError) -> None:
        """End everybody who waits: nothing will come any more."""
        if self._over is not None:
            return
        self._over = error
        self._ended.set()
        for waiting in self._waiting.values():
            if not waiting.answered.is_set():
                waiting.error = error
                waiting.answered.set()
        for inbox in self._inboxes.values():
            inbox.send.close()


async def _connect(endpoint: Endpoint) -> anyio.abc.ByteStream:
    try:
        with anyio.fail_after(CONNECT_SECONDS):
            if endpoint.path:
                return await anyio.connect_unix(endpoint.path)
            return await anyio.connect_tcp(endpoint.host, endpoint.port)
    except TimeoutError as error:
        raise unreachable(endpoint, "timed out") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise unreachable(endpoint, reason) from error
    except ValueError as error:  # no resolver is asked for a name like a..b
        raise unreachable(endpoint, "not a host name or path") from error
