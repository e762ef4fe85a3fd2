"""Tasks that send records: event streams and log monitors.

Each first subscribes, then sends the bare success header, then reports that
it has started; so the client gets the header before the first record, and no
event between the two is missed (rpc.md, section 5).
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import trio

from gossipd.node.handle import LogLine, Lost, NodeHandle
from gossipd.query import requests
from gossipd.query.event_filter import EventFilter
from gossipd.rpc import answers, records
from gossipd.rpc.pending import PendingQueries
from gossipd.serf.events import (
    ApplicationEvent,
    MembersChanged,
    QueryReceived,
    UserEventReceived,
)

QUEUE_MAX = 512
"""Records kept for a client that does not read; what comes on top is lost to it."""
BATCH_MAX = 64
"""Records sent in one write, so that a stop need not wait for all of a long queue."""

Item: TypeAlias = ApplicationEvent | LogLine
"""What a subscription yields, beside losses."""


class Follower:
    """What a record task needs: its number, where it reads and how it sends.

    ``scope`` ends it; a message that is being sent then is still sent whole.
    """

    __slots__ = ("_peer", "_report_lost", "handle", "scope", "send", "seq", "wants_gaps")

    def __init__(
        self,
        seq: int,
        wants_gaps: bool,
        handle: NodeHandle,
        send: Callable[[bytes], Awaitable[None]],
        report_lost: Callable[[str, str, int], None],
        peer: str,
    ) -> None:
        self.seq = seq
        self.wants_gaps = wants_gaps
        self.handle = handle
        self.send = send
        self.scope = trio.CancelScope()
        self._report_lost = report_lost
        self._peer = peer

    async def tell_lost(self, what: str, lost: int, gap: bytes) -> None:
        """Log the loss, and tell a client that asked for it."""
        self._report_lost(what, self._peer, lost)
        if self.wants_gaps:
            await self.send(gap)


class Backlog:
    """Messages that wait for the client, at most ``QUEUE_MAX``; the newest are lost.

    A loss is noted at its place: after what was kept, before what came later.
    """

    __slots__ = ("_lost", "_messages", "_wakeup")

    def __init__(self) -> None:
        self._messages: deque[bytes | Lost] = deque()
        self._lost = 0
        self._wakeup = trio.Event()

    def put(self, message: bytes) -> None:
        """Append a message, or count it as lost."""
        if len(self._messages) >= QUEUE_MAX:
            self._lost += 1
            return
        if self._lost:
            self._messages.append(Lost(self._lost))
            self._lost = 0
        self._messages.append(message)
        self._wakeup.set()

    def note_lost(self, count: int) -> None:
        """Count what was lost before it came here."""
        self._lost += count
        self._wakeup.set()

    async def take(self) -> bytes | Lost:
        """Wait for messages; return a few of them joined, or the gap that comes next."""
        while not self._messages and not self._lost:
            self._wakeup = trio.Event()
            await self._wakeup.wait()
        messages = self._messages
        if not messages:
            lost, self._lost = self._lost, 0
            return Lost(lost)
        first = messages.popleft()
        if isinstance(first, Lost):
            return first
        batch = [first]
        while messages and len(batch) < BATCH_MAX and isinstance(messages[0], bytes):
            batch.append(messages.popleft())  # type: ignore[arg-type]  # looked at above
        return b"".join(batch)


async def follow_events(
    follower: Follower,
    request: requests.Stream,
    wanted: EventFilter,
    pending: PendingQueries,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Send a record for each wanted event until stopped.

    Queries are entered into ``pending`` under the number that their record shows.
    Those of the cluster itself (``_serf_``) are never shown.
    """
    seq, handle, with_sender = follower.seq, follower.handle, request.wants_senders

    def wants_query(name: str) -> bool:
        return wanted.wants_query(name) and not name.startswith(requests.RESERVED_NAMES)

    def record(event: Item) -> bytes | None:
        match event:
            case MembersChanged(kind, members) if wanted.wants_member_event(kind.value):
                return records.members_message(seq, kind.value, members)
            case UserEventReceived() if wanted.wants_user_event(event.name):
                return records.user_event_message(seq, event, with_sender=with_sender)
            case QueryReceived() if wants_query(event.name):
                number = pending.register(event, handle.now())
                return records.query_event_message(seq, number, event, with_sender=with_sender)
        return None

    await _follow(
        follower,
        lambda: handle.subscribe(
            QUEUE_MAX,
            coalesced=not request.is_immediate,
            may_answer=None if request.never_answers else wants_query,
        ),
        record,
        ("event", records.event_gap_message),
        task_status,
    )


async def follow_log(
    follower: Follower,
    level: str,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Send the kept log lines and then each new one until stopped."""
    seq = follower.seq

    def record(line: Item) -> bytes | None:
        return records.log_message(seq, line.text) if isinstance(line, LogLine) else None

    await _follow(
        follower,
        lambda: follower.handle.follow_log(level, QUEUE_MAX),
        record,
        ("logs", records.log_gap_message),
        task_status,
    )


async def _follow(
    follower: Follower,
    subscribe: Callable[[], AbstractAsyncContextManager[AsyncIterator[Item | Lost]]],
    record: Callable[[Item], bytes | None],
    gap: tuple[str, Callable[[int, int], bytes]],
    task_status: trio.TaskStatus[None],
) -> None:
    """Pump a subscription into a backlog and send from it.

    Two tasks, so that events which this client did not ask for never take the
    room of those it did, and a loss is counted in what it asked for.
    """
    backlog = Backlog()
    seq, (what, gap_message) = follower.seq, gap
    is_started = False
    try:
        with follower.scope:
            async with subscribe() as items, trio.open_nursery() as nursery:
                try:
                    await follower.send(answers.header(seq))
                    is_started = True
                    task_status.started()
                    nursery.start_soon(_pump, items, record, backlog)
                    while True:
                        taken = await backlog.take()
                        if isinstance(taken, Lost):
                            await follower.tell_lost(
                                what, taken.count, gap_message(seq, taken.count)
                            )
                        else:
                            await follower.send(taken)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    # The reading side of the connection notices and ends it.
                    nursery.cancel_scope.cancel()
    finally:
        if not is_started:
            task_status.started()


async def _pump(
    items: AsyncIterator[Item | Lost], record: Callable[[Item], bytes | None], backlog: Backlog
) -> None:
    async for item in items:
        if isinstance(item, Lost):
            backlog.note_lost(item.count)
        else:
            message = record(item)
            if message is not None:
                backlog.put(message)
