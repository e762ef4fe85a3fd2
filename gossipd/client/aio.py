"""``AsyncClient``: asks a running daemon, under trio or asyncio (through anyio).

One task reads the socket and hands replies and records to whoever waits for
them, so several tasks may use one client at a time. A request that is
cancelled while it waits leaves the connection usable: its answer is dropped.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import anyio
import anyio.abc
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from gossipd.client.connection import (
    Connection,
    DaemonUnreachable,
    Record,
    Reply,
    RequestRefused,
    gone,
    unreachable,
)
from gossipd.client.endpoint import Endpoint, find_auth, find_endpoint
from gossipd.errors import GossipdError, WireError
from gossipd.query import requests
from gossipd.query.records import (
    BAD_REPLY,
    EventRecord,
    LogRecord,
    MemberRecord,
    read_event_untrusted,
    read_log_untrusted,
    read_members_untrusted,
    read_query_record_untrusted,
)

CONNECT_SECONDS = 5.0
RECEIVE_BYTES = 1 << 18
RECORDS_MAX = 1024
"""Records kept for a stream whose reader is slow; newer ones are then lost."""

T = TypeVar("T")


class _Waiting:
    """A request that waits for its answer."""

    __slots__ = ("answered", "error", "reply")

    def __init__(self) -> None:
        self.answered = anyio.Event()
        self.reply: Reply | None = None
        self.error: GossipdError | None = None


class _Gap:
    """Stands among the records where ``count`` of them are missing."""

    __slots__ = ("count",)

    def __init__(self, count: int) -> None:
        self.count = count


class _Inbox:
    """Records of one stream on their way to its reader; ``lost`` counts what did not fit."""

    __slots__ = ("lost", "receive", "send")

    def __init__(self) -> None:
        self.send: MemoryObjectSendStream[object]
        self.receive: MemoryObjectReceiveStream[object]
        self.send, self.receive = anyio.create_memory_object_stream[object](RECORDS_MAX)
        self.lost = 0

    def put(self, body: object) -> None:
        try:
            if self.lost:  # told at its place: before what comes later
                self.send.send_nowait(_Gap(self.lost))
                self.lost = 0
            self.send.send_nowait(body)
        except anyio.WouldBlock:
            self.lost += 1
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return

    def close(self) -> None:
        self.send.close()
        self.receive.close()


class _Done(Exception):
    """The records are over (a coroutine must not raise ``StopAsyncIteration`` itself)."""


class _Reader(Generic[T]):
    """An async iterator over a function; unlike a generator it needs no closing."""

    __slots__ = ("_next",)

    def __init__(self, following: Callable[[], Awaitable[T]]) -> None:
        self._next = following

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            return await self._next()
        except _Done:
            raise StopAsyncIteration from None


class AsyncClient:
    """A connection to a daemon; enter it as an async context manager, again to reconnect.

    Args:
        socket: a unix socket's path or ``host:port``; by default what
            ``GOSSIPD_SOCKET`` or ``SERF_RPC_ADDR`` says, else the usual path.
        auth: the daemon's RPC token; by default ``GOSSIPD_RPC_AUTH`` or ``SERF_RPC_AUTH``.

    Entering raises ``DaemonUnreachable`` if nobody answers, ``RequestRefused``
    for a wrong token. Time limits are the caller's (``anyio.fail_after``).
    """

    def __init__(self, socket: str | None = None, *, auth: str | None = None) -> None:
        self.endpoint: Endpoint = find_endpoint(socket, os.environ, os.geteuid())
        self._auth = find_auth(auth, os.environ)
        self._connection: Connection
        self._waiting: dict[int, _Waiting] = {}
        self._inboxes: dict[int, _Inbox] = {}
        self._over: GossipdError | None = None
        self._stream: anyio.abc.ByteStream
        self._sending: anyio.Lock
        self._session: AbstractAsyncContextManager[Self]

    async def __aenter__(self) -> Self:
        self._session = self._connected()
        return await self._session.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._session.__aexit__(kind, error, trace)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Self]:
        """Connect, read in the background, and greet; everything ends with the context."""
        failure: Exception | None = None
        self._connection, self._over = Connection(), None  # entered again, it begins afresh
        self._stream = await _connect(self.endpoint)
        self._sending = anyio.Lock()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._read)
                try:
                    await self._ask(requests.Handshake())
                    if self._auth:
                        await self._ask(requests.Auth(self._auth))
                    yield self
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

    async def members(self) -> list[MemberRecord]:
        """Return all members of every status, sorted by name."""
        return _sorted_members(await self._ask(requests.Plain("members")))

    async def members_filtered(
        self, *, name: str = "", status: str = "", tags: Mapping[str, str] | None = None
    ) -> list[MemberRecord]:
        """Return the members whose name, status and tags match the RE2 patterns given.

        Raises:
            RequestRefused: a pattern does not compile.
        """
        return _sorted_members(await self._ask(requests.MembersFiltered(tags, status, name)))

    async def join(self, addresses: Sequence[str], *, replay: bool = False) -> int:
        """Join the cluster through ``addresses``; return how many were contacted.

        Raises:
            RequestRefused: none could be contacted.
        """
        body = await self._ask(requests.Join(addresses, replay))
        contacted = body.get("Num") if isinstance(body, dict) else None
        if not isinstance(contacted, int):
            raise WireError(BAD_REPLY, "a join without its number")
        return contacted

    async def leave(self) -> None:
        """Make the daemon leave the cluster gracefully and end."""
        await self._ask(requests.Plain("leave"))

    async def force_leave(self, node: str, *, prune: bool = False) -> None:
        """Declare that ``node`` left; with ``prune`` it is forgotten at once."""
        await self._ask(requests.ForceLeave(node, prune))

    async def set_tags(
        self, tags: Mapping[str, str] | None = None, *, delete: Sequence[str] = ()
    ) -> None:
        """Delete tags of the daemon's own node, then set others.

        Raises:
            RequestRefused: the tags are too long together; nothing was changed.
        """
        await self._ask(requests.SetTags(tags, delete))

    async def tags(self) -> dict[str, str]:
        """Return the tags of the daemon's own node."""
        return (await self.stats()).get("tags", {})

    async def stats(self) -> dict[str, dict[str, str]]:
        """Return the daemon's numbers by section; all values are text."""
        body = await self._ask(requests.Plain("stats"))
        if not isinstance(body, dict) or not all(isinstance(v, dict) for v in body.values()):
            raise WireError(BAD_REPLY, "stats that are no map of maps")
        return body

    @asynccontextmanager
    async def stream(self, filters: str = "*") -> AsyncIterator[AsyncIterator[EventRecord]]:
        """Follow events that match ``filters`` while the context is open.

        A record of kind ``gap`` says how many were lost because they were
        read too slowly.
        """
        async with self._following(requests.Stream(filters, wants_gaps=True)) as (_, inbox):
            yield _Reader(lambda: self._next_event(inbox))

    @asynccontextmanager
    async def monitor(self, level: str = "INFO") -> AsyncIterator[AsyncIterator[LogRecord]]:
        """Follow the daemon's log at ``level``, the kept lines first."""
        async with self._following(requests.Monitor(level, wants_gaps=True)) as (_, inbox):
            yield _Reader(lambda: self._next_line(inbox))

    @asynccontextmanager
    async def reachability(self, timeout: float | None = None) -> AsyncIterator[AsyncIterator[str]]:
        """Ask all members for a sign of life; the iterator yields who answers.

        It ends when every alive member has answered, or after ``timeout`` seconds
        (by default the cluster's query timeout).
        """
        query = requests.Query(
            requests.PING_QUERY, wants_acks=True, timeout_ns=int((timeout or 0) * 1e9)
        )
        async with self._following(query) as (seq, inbox):
            yield _Reader(lambda: self._next_ack(seq, inbox))

    # --- below: one request, its records ----------------------------------------

    async def _next_record(self, inbox: _Inbox) -> tuple[object, int]:
        """Return (record, 0), or (None, count) after the records before a loss."""
        if inbox.lost and not inbox.receive.statistics().current_buffer_used:
            lost, inbox.lost = inbox.lost, 0
            return None, lost
        try:
            record = await inbox.receive.receive()
            return (None, record.count) if isinstance(record, _Gap) else (record, 0)
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            raise self._over or gone(self.endpoint) from None

    async def _next_event(self, inbox: _Inbox) -> EventRecord:
        body, lost = await self._next_record(inbox)
        if lost:
            return EventRecord("gap", [], lost, {"Event": "gap", "Lost": lost})
        return read_event_untrusted(body)

    async def _next_line(self, inbox: _Inbox) -> LogRecord:
        body, lost = await self._next_record(inbox)
        return LogRecord("", lost) if lost else read_log_untrusted(body)

    async def _next_ack(self, seq: int, inbox: _Inbox) -> str:
        while True:
            body, lost = await self._next_record(inbox)
            if lost:
                continue
            kind, sender, _payload = read_query_record_untrusted(body)
            if kind == "ack":
                return sender
            if kind == "done":
                self._connection.forget(seq)
                raise _Done

    @asynccontextmanager
    async def _following(self, request: requests.Request) -> AsyncIterator[tuple[int, _Inbox]]:
        inbox = _Inbox()
        seq, data = self._connection.request(request)
        self._inboxes[seq] = inbox
        try:
            await self._transact(seq, data)
            yield seq, inbox
        finally:
            del self._inboxes[seq]
            inbox.close()
            if self._over is None and request.command != "query":
                # Told even when the caller was cancelled, or records would go on.
                with anyio.move_on_after(1, shield=True):
                    await self._send(self._connection.request(requests.Stop(seq))[1])

    async def _ask(self, request: requests.Request) -> Any:
        return await self._transact(*self._connection.request(request))

    async def _transact(self, seq: int, data: bytes) -> Any:
        if self._over is not None:
            raise self._over
        waiting = self._waiting[seq] = _Waiting()
        try:
            await self._send(data)
            await waiting.answered.wait()
        finally:
            del self._waiting[seq]
        if waiting.error is not None:
            raise waiting.error
        reply = waiting.reply
        assert reply is not None
        if reply.error:
            raise RequestRefused(reply.error, reply.body)
        return reply.body

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
        for waiting in self._waiting.values():
            if not waiting.answered.is_set():
                waiting.error = error
                waiting.answered.set()
        for inbox in self._inboxes.values():
            inbox.send.close()


def _sorted_members(body: object) -> list[MemberRecord]:
    return sorted(read_members_untrusted(body), key=lambda member: member.name)


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


__all__ = ["AsyncClient", "DaemonUnreachable", "RequestRefused"]
