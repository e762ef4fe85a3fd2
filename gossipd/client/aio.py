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
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from gossipd.client.aio_link import AsyncLink, Inbox
from gossipd.client.aio_services import AsyncServiceCalls
from gossipd.client.connection import (
    DaemonUnreachable,
    RequestRefused,
    as_payload,
    as_timeout_ns,
)
from gossipd.client.endpoint import Endpoint, find_auth, find_endpoint
from gossipd.query import requests
from gossipd.query.records import (
    EventRecord,
    LogRecord,
    MemberRecord,
    read_event_untrusted,
    read_log_untrusted,
    read_members_untrusted,
    read_query_record_untrusted,
)
from gossipd.query.replies import (
    CoordinateReply,
    KeysReply,
    QueryOutcome,
    QueryReply,
    read_coordinate_untrusted,
    read_joined_untrusted,
    read_keys_untrusted,
    read_stats_untrusted,
)

if TYPE_CHECKING:
    from gossipd.client.aio_balancing import AsyncServiceBalancer
    from gossipd.config.settings import Setting
    from gossipd.query.config_records import ReloadRecord

T = TypeVar("T")


class _Done(Exception):
    """The records are over (a coroutine must not raise ``StopAsyncIteration`` itself)."""


class _Reader(Generic[T]):
    """An async iterator over a function; unlike a generator it needs no closing."""

    __slots__ = ("_is_over", "_next")

    def __init__(self, following: Callable[[], Awaitable[T]]) -> None:
        self._next = following
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self._is_over:
            raise StopAsyncIteration
        try:
            return await self._next()
        except _Done:
            self._is_over = True
            raise StopAsyncIteration from None


class AsyncClient(AsyncServiceCalls):
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
        self._link = AsyncLink(self.endpoint)
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
        async with self._link.connected():
            await self._link.ask(requests.Handshake())
            if self._auth:
                await self._link.ask(requests.Auth(self._auth))
            yield self

    def _another(self) -> AsyncClient:
        return AsyncClient(str(self.endpoint), auth=self._auth)

    def balancer(self, name: str, *, policy: str = "p2c", **options: Any) -> AsyncServiceBalancer:
        """Return what sends requests to the instances of service ``name``; see its class.

        It follows the service on a connection of its own, in a task of its own.

        Raises:
            UsageError: the policy or an option is unknown or wrong.
        """
        from gossipd.client.aio_balancing import AsyncServiceBalancer

        return AsyncServiceBalancer(name, self._another, policy=policy, **options)

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
        return read_joined_untrusted(await self._ask(requests.Join(addresses, replay)))

    async def leave(self, *, drain: float | None = None) -> None:
        """Make the daemon leave the cluster gracefully and end.

        Args:
            drain: seconds before it, in which consumers turn away from its services.
        """
        await self._ask(requests.Leave(drain or 0.0))

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

    async def settings(self) -> tuple[Setting, ...]:
        """Return what the daemon runs with now, and where each value came from.

        Raises:
            DaemonUnreachable: it is no gossipd that knows the command; it closes then.
        """
        from gossipd.query.config_records import read_settings_untrusted

        return read_settings_untrusted(await self._link.ask(requests.Plain("config")))

    async def tasks(self) -> list[str]:
        """Return where the daemon's tasks stand, as lines: names of functions, files, numbers.

        Raises:
            DaemonUnreachable: it is no gossipd that knows the command; it closes then.
        """
        from gossipd.client.tasks import read_tasks_untrusted

        return read_tasks_untrusted(await self._link.ask(requests.Plain("config")))

    async def reload(self) -> ReloadRecord:
        """Let the daemon read its configuration again; return what came of it.

        Raises:
            RequestRefused: the configuration is wrong, and nothing was changed.
        """
        from gossipd.query.config_records import read_reload_untrusted

        return read_reload_untrusted(await self._link.ask(requests.Plain("reload")))

    async def stats(self) -> dict[str, dict[str, str]]:
        """Return the daemon's numbers by section; all values are text."""
        return read_stats_untrusted(await self._ask(requests.Plain("stats")))

    async def event(
        self,
        name: str,
        payload: bytes | str | None = None,
        *,
        may_coalesce: bool = True,
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Send a user event to the cluster.

        Args:
            name: name and payload together take 512 bytes by default.
            payload: text is sent as UTF-8.
            may_coalesce: of several of one name within a moment only the newest counts.
            nodes: only nodes of these names are told of it.
            tags: only nodes whose tags match these RE2 expressions are (searched, not
                anchored). Both filters are gossipd's own: Serf nodes are told anyway.

        Raises:
            RequestRefused: it is too large, or an expression is none.
        """
        event = requests.UserEvent(name, as_payload(payload), may_coalesce, nodes=nodes, tags=tags)
        await self._ask(event)

    @asynccontextmanager
    async def query(
        self,
        name: str,
        payload: bytes | str | None = None,
        *,
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        wants_acks: bool = True,
        relay_factor: int = 0,
        timeout: float | None = None,
        full_time: bool = False,
    ) -> AsyncIterator[AsyncIterator[QueryReply]]:
        """Ask the cluster; the iterator yields acks and responses until the query is over.

        Leaving the context early stops the query.

        Args:
            name, payload: name, payload and filters take 1024 bytes by default.
            nodes: only these are asked.
            tags: only nodes whose tags match these RE2 expressions (searched) are asked.
            wants_acks: yield also that a node has got the query.
            relay_factor: over how many others each reply is sent as well, 0 to 255.
            timeout: seconds that answers may take; ``None`` is the cluster's default.
            full_time: go on to the end of that time even when all have answered.

        Raises:
            RequestRefused: it is too large, or an expression is none.
        """
        request = requests.Query(
            name,
            as_payload(payload),
            filter_nodes=nodes,
            filter_tags=tags,
            wants_acks=wants_acks,
            relay_factor=relay_factor,
            timeout_ns=as_timeout_ns(timeout),
            full_time=full_time,
            is_prompt=True,
        )
        async with self._link.following(request) as (seq, inbox):
            yield _Reader(lambda: self._next_reply(seq, inbox))

    async def ask(
        self, name: str, payload: bytes | str | None = None, **options: Any
    ) -> QueryOutcome:
        """Ask the cluster and return all that came; options are those of ``query``."""
        outcome = QueryOutcome()
        async with self.query(name, payload, **options) as replies:
            async for reply in replies:
                outcome.add(reply)
        return outcome

    async def respond(self, number: int, payload: bytes | str | None = None) -> None:
        """Answer the query that a stream of this client showed under ``number``.

        Raises:
            RequestRefused: it was answered already, is over, or the answer is too large.
        """
        await self._ask(requests.Respond(number, as_payload(payload)))

    async def list_keys(self) -> KeysReply:
        """Return the encryption keys of all members; see ``KeysReply``.

        Raises:
            KeysRefused: not all members answered, or some have no keys.
        """
        return read_keys_untrusted(await self._ask(requests.Plain("list-keys")))

    async def install_key(self, key: str) -> KeysReply:
        """Give all members the key ``key`` (base64 of 16, 24 or 32 bytes) to read with.

        Raises:
            KeysRefused: not all members have it now; ``reply.messages`` says why.
        """
        return read_keys_untrusted(await self._ask(requests.ChangeKey("install-key", key)))

    async def use_key(self, key: str) -> KeysReply:
        """Make all members encrypt with ``key``, which they have; errors as ``install_key``."""
        return read_keys_untrusted(await self._ask(requests.ChangeKey("use-key", key)))

    async def remove_key(self, key: str) -> KeysReply:
        """Take ``key`` from all members; it must not be the one they encrypt with."""
        return read_keys_untrusted(await self._ask(requests.ChangeKey("remove-key", key)))

    async def coordinate(self, node: str) -> CoordinateReply | None:
        """Return the network coordinate of ``node``, ``None`` if it is not known."""
        return read_coordinate_untrusted(await self._ask(requests.GetCoordinate(node)))

    async def rtt(self, a: str, b: str) -> float | None:
        """Return the estimated round trip between two nodes in seconds.

        ``None`` if the coordinate of one of them is not known.
        """
        here, there = await self.coordinate(a), await self.coordinate(b)
        return None if here is None or there is None else here.rtt(there)

    @asynccontextmanager
    async def stream(
        self, filters: str = "*", *, immediate: bool = False, never_answers: bool = False
    ) -> AsyncIterator[AsyncIterator[EventRecord]]:
        """Follow events that match ``filters`` while the context is open.

        A record of kind ``gap`` says how many were lost because they were
        read too slowly.

        Args:
            filters: comma separated: ``member-join``, ``user:deploy`` and so on.
            immediate: each event at once and alone, instead of gathered for a moment.
            never_answers: queries are only looked at, so nobody waits for this client.
        """
        request = requests.Stream(
            filters,
            wants_gaps=True,
            wants_senders=True,
            is_immediate=immediate,
            never_answers=never_answers,
        )
        async with self._link.following(request) as (_, inbox):
            yield _Reader(lambda: self._next_event(inbox))

    @asynccontextmanager
    async def monitor(self, level: str = "INFO") -> AsyncIterator[AsyncIterator[LogRecord]]:
        """Follow the daemon's log at ``level``, the kept lines first."""
        async with self._link.following(requests.Monitor(level, wants_gaps=True)) as (_, inbox):
            yield _Reader(lambda: self._next_line(inbox))

    @asynccontextmanager
    async def reachability(self, timeout: float | None = None) -> AsyncIterator[AsyncIterator[str]]:
        """Ask all members for a sign of life; the iterator yields who answers.

        It ends when every alive member has answered, or after ``timeout`` seconds
        (by default the cluster's query timeout).
        """
        async with self.query(requests.PING_QUERY, timeout=timeout) as replies:

            async def name() -> str:
                try:
                    return (await anext(replies)).node
                except StopAsyncIteration:
                    raise _Done from None

            yield _Reader(name)

    # --- below: records as values -----------------------------------------------

    async def _ask(self, request: requests.Request) -> Any:
        return await self._link.ask(request)

    async def _next_event(self, inbox: Inbox) -> EventRecord:
        body, lost = await self._link.next_record(inbox)
        if lost:
            return EventRecord("gap", [], lost, {"Event": "gap", "Lost": lost})
        return read_event_untrusted(body)

    async def _next_line(self, inbox: Inbox) -> LogRecord:
        body, lost = await self._link.next_record(inbox)
        return LogRecord("", lost) if lost else read_log_untrusted(body)

    async def _next_reply(self, seq: int, inbox: Inbox) -> QueryReply:
        kind, node, payload = read_query_record_untrusted((await self._link.next_record(inbox))[0])
        if kind == "done":
            self._link.forget(seq)
            raise _Done
        return QueryReply(kind, node, payload)


def _sorted_members(body: object) -> list[MemberRecord]:
    return sorted(read_members_untrusted(body), key=lambda member: member.name)


__all__ = ["AsyncClient", "DaemonUnreachable", "RequestRefused"]
