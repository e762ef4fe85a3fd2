"""What one connection has open: streams, a monitor and queries, and its answers to others'.

Made when a client first asks for any of it; each runs as a task of the
connection and ends with it (rpc.md, sections 5 and 6).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import trio

from gossipd.errors import GossipdError, WireError
from gossipd.query import requests
from gossipd.query.event_filter import EventFilter
from gossipd.rpc import answers
from gossipd.rpc.followers import Follower, follow_events, follow_log
from gossipd.rpc.pending import PendingQueries
from gossipd.rpc.questions import follow_question, is_ping

if TYPE_CHECKING:
    from gossipd.rpc.service import Service


class Subscriptions:
    """The records of one connection.

    Args:
        service: what all connections share.
        nursery: the connection's, in which records are sent.
        send: sends one whole message.
        peer: how the client is named in the log.
    """

    def __init__(
        self,
        service: Service,
        nursery: trio.Nursery,
        send: Callable[[bytes], Awaitable[None]],
        peer: str,
    ) -> None:
        self._service = service
        self._handle = service.handle
        self._nursery = nursery
        self._send = send
        self._peer = peer
        self._streams: dict[int, Follower] = {}
        self._monitor: tuple[int, Follower] | None = None
        self._pending = PendingQueries()
        self._questions = 0
        self._asked: dict[int, Follower] = {}
        self.commands: dict[str, Callable[[int, Any], Awaitable[None]]] = {
            "stream": self._open_stream,
            "monitor": self._open_monitor,
            "query": self._query,
            "respond": self._respond,
        }

    async def _open_stream(self, seq: int, request: requests.Stream) -> None:
        try:
            wanted = EventFilter(request.filters)
        except WireError as error:
            await self._send(answers.header(seq, error.detail))
            return
        if seq in self._streams:
            await self._send(answers.header(seq, requests.STREAM_EXISTS))
            return
        if len(self._streams) >= self._service.limits.streams_max:
            await self._send(answers.header(seq, "too many streams on this connection"))
            return
        if self._service.streams >= self._service.limits.streams_in_all_max:
            await self._send(answers.header(seq, "too many streams on all connections together"))
            return
        follower = self._follower(seq, request.wants_gaps)
        self._streams[seq] = follower
        await self._nursery.start(self._run_stream, follower, request, wanted)

    async def _run_stream(
        self,
        follower: Follower,
        request: requests.Stream,
        wanted: EventFilter,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        self._service.streams += 1
        try:
            await follow_events(follower, request, wanted, self._pending, task_status=task_status)
        finally:
            self._service.streams -= 1

    async def _open_monitor(self, seq: int, request: requests.Monitor) -> None:
        level = request.level.upper()
        if level not in requests.LOG_LEVELS:
            await self._send(answers.header(seq, f"Unknown log level: {level}"))
            return
        if self._monitor is not None:
            await self._send(answers.header(seq, requests.MONITOR_EXISTS))
            return
        follower = self._follower(seq, request.wants_gaps)
        self._monitor = seq, follower
        await self._nursery.start(follow_log, follower, level)

    async def stop(self, seq: int, request: requests.Stop) -> None:
        """End the records that were opened under the number of ``request``."""
        stream = self._streams.pop(request.target, None)
        if stream is not None:
            stream.scope.cancel()
        if self._monitor is not None and self._monitor[0] == request.target:
            self._monitor[1].scope.cancel()
            self._monitor = None
        question = self._asked.pop(request.target, None)
        if question is not None:
            question.scope.cancel()
        await self._send(answers.header(seq))

    async def _query(self, seq: int, request: requests.Query) -> None:
        if request.name.startswith(requests.RESERVED_NAMES) and not is_ping(request):
            await self._send(answers.header(seq, requests.RESERVED_PREFIX))
            return
        if self._questions >= self._service.limits.queries_max:
            await self._send(answers.header(seq, "too many queries at a time on this connection"))
            return
        self._questions += 1
        await self._nursery.start(self._run_question, seq, request)

    async def _run_question(
        self,
        seq: int,
        request: requests.Query,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        follower = self._asked[seq] = self._follower(seq, False)
        try:
            await follow_question(follower, request, task_status=task_status)
        finally:
            self._questions -= 1
            if self._asked.get(seq) is follower:  # the number may be in use again
                del self._asked[seq]

    def _follower(self, seq: int, wants_gaps: bool) -> Follower:
        return Follower(
            seq, wants_gaps, self._handle, self._send, self._service.report_lost, self._peer
        )

    async def _respond(self, seq: int, request: requests.Respond) -> None:
        query = self._pending.find(request.query, self._handle.now())
        if query is None:
            await self._send(answers.header(seq, requests.NO_PENDING_QUERY))
            return
        error = ""
        try:
            await self._handle.respond(query, request.payload)
        except GossipdError as failure:
            error = f"{requests.RESPOND_FAILED}{failure}"
        await self._send(answers.header(seq, error))
