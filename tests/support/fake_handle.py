"""A ``NodeHandle`` without a node: the faces are tested against this."""

from __future__ import annotations

import contextlib
import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence

import trio

from gossipd.address import Address, address_from_host
from gossipd.config.settings import Setting
from gossipd.coordinate import Coordinate
from gossipd.errors import GossipdError
from gossipd.node.events import NodeEvent
from gossipd.node.handle import (
    Answers,
    EventStream,
    JoinResult,
    LogLine,
    LogStream,
    Lost,
    NodeHandle,
    ReloadReport,
)
from gossipd.node.statistics import Statistics
from gossipd.node.view import Suspicion, View
from gossipd.serf.events import (
    ApplicationEvent,
    ChangeKind,
    MembersChanged,
    QueryAcked,
    QueryAnswered,
    SerfMember,
)
from gossipd.serf.filters import Audience
from gossipd.serf.question import PING_ALL, KeyCommand, KeyReport, Question
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import MemberStatus
from support.fake_services import FakeServices


def make_member(
    name: str,
    host: str = "127.0.0.1",
    port: int = 7946,
    *,
    status: MemberStatus = MemberStatus.ALIVE,
    tags: Mapping[str, str] | None = None,
) -> SerfMember:
    """Return a member of the usual versions."""
    return SerfMember(name, address_from_host(host, port), tags or {}, status, Versions(), 1)


def make_view(
    *members: SerfMember, name: str = "a", suspicions: dict[str, Suspicion] | None = None
) -> View:
    """Return a view of ``members``, sorted by name as real ones are."""
    ordered = tuple(sorted(members, key=lambda member: member.name))
    return View(name, Address(b"\x7f\x00\x00\x01", 7946), 1, ordered, suspicions or {})


class Feed:
    """One subscriber's bounded queue, as the real fanout keeps it."""

    def __init__(
        self,
        capacity: int,
        *,
        coalesced: bool = True,
        may_answer: Callable[[str], bool] | None = None,
    ) -> None:
        self.coalesced = coalesced
        self.may_answer = may_answer
        self._items: deque[object] = deque()
        self._capacity = capacity
        self._lost = 0
        self._changed = trio.Event()

    def put(self, item: object) -> None:
        if len(self._items) >= self._capacity:
            self._lost += 1
            return
        if self._lost:
            self._items.append(Lost(self._lost))
            self._lost = 0
        self._items.append(item)
        self._changed.set()

    def __aiter__(self) -> Feed:
        return self

    async def __anext__(self) -> object:
        await trio.lowlevel.checkpoint()
        while not self._items:
            if self._lost:
                lost, self._lost = self._lost, 0
                return Lost(lost)
            self._changed = trio.Event()
            await self._changed.wait()
        return self._items.popleft()


class FakeHandle(FakeServices, NodeHandle):
    """Shows ``current`` and notes what is asked of it in ``calls``.

    Attributes:
        refusals: command name to the error it raises.
        acks: names that answer a ping; ``None`` among them waits for ever.
        replies: what a query brings; ``None`` among them waits for ever.
        key_report: what a key command brings.
        coordinates: known ones by node.
        event_handlers: scripts by filter.
        joinable: addresses that a join reaches.
        observers: who sees what ``happen`` is told.
        clock: what ``now`` returns.
        degraded_members: names and why.
    """

    def __init__(self, view: View | None = None) -> None:
        self.current = view or make_view(make_member("a"))
        super().__init__(self.current.name)
        self.calls: list[tuple[object, ...]] = []
        self.refusals: dict[str, GossipdError] = {}
        self.acks: list[str | None] = []
        self.replies: list[QueryAcked | QueryAnswered | None] = []
        self.key_report = KeyReport(1, 1, 0, {}, {}, {})
        self.coordinates: dict[str, Coordinate] = {}
        self.event_handlers: dict[str, str] = {}
        self.joinable: set[str] = set()
        self.known_settings: tuple[Setting, ...] = ()
        self.reload_report = ReloadReport()
        self.log_ring: list[LogLine] = []
        self.clock = 100.0
        self.degraded_members: dict[str, str] = {}
        self.blocked: trio.Event | None = None
        self.feeds: list[Feed] = []
        self.observers: list[Callable[[NodeEvent, float], None]] = []
        self.log_feeds: list[tuple[str, Feed]] = []
        self.random = random.Random(0)

    def now(self) -> float:
        return self.clock

    def view(self) -> View:
        return self.current

    def statistics(self) -> Statistics:
        count = self.current.count
        return Statistics(
            members=len(self.current.members),
            alive=count(MemberStatus.ALIVE),
            failed=count(MemberStatus.FAILED),
            left=count(MemberStatus.LEFT),
            health_score=0,
            incarnation=3,
            member_time=7,
            event_time=1,
            query_time=2,
            intent_queue=0,
            event_queue=0,
            query_queue=0,
            claim_queue=4,
            encrypted=False,
            coordinate_resets=0,
            packets_sent={"ping": 5},
            packets_received={"ack": 5},
            bytes_sent=1000,
            bytes_received=900,
            stream_bytes_sent=10,
            stream_bytes_received=20,
            dropped={"bad-checksum": 2},
            lost={"datagrams-unsent": 3},
            event_handlers=self.event_handlers,
        )

    def degraded(self) -> Mapping[str, str]:
        return self.degraded_members

    def observe(self, take: Callable[[NodeEvent, float], None]) -> Callable[[], None]:
        self.observers.append(take)
        return lambda: self.observers.remove(take)

    def happen(self, event: NodeEvent) -> None:
        """Let observers see ``event`` now."""
        for take in tuple(self.observers):
            take(event, self.now())

    def settings(self) -> tuple[Setting, ...]:
        return self.known_settings

    async def reload(self) -> ReloadReport:
        await self._command("reload")
        return self.reload_report

    async def _command(self, *call: object) -> None:
        self.calls.append(call)
        if self.blocked is not None:
            await self.blocked.wait()
        refusal = self.refusals.get(str(call[0]))
        if refusal is not None:
            raise refusal

    async def join(self, addresses: Sequence[str], *, replay: bool = False) -> JoinResult:
        await self._command("join", tuple(addresses), replay)
        errors = [
            f"Failed to join {address.partition(':')[0]}: connection refused"
            for address in addresses
            if address not in self.joinable
        ]
        return JoinResult(len(addresses) - len(errors), tuple(errors))

    async def leave(self, *, drain: float = 0.0) -> None:
        await self._command("leave", *([drain] if drain else []))

    async def force_leave(self, node: str, *, prune: bool = False) -> None:
        await self._command("force-leave", node, prune)

    async def set_tags(self, tags: Mapping[str, str], delete: Sequence[str]) -> None:
        await self._command("tags", dict(tags), tuple(delete))

    async def send_event(
        self,
        name: str,
        payload: bytes | None,
        *,
        may_coalesce: bool = False,
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        await self._command("event", name, payload, may_coalesce, tuple(nodes), dict(tags or {}))

    @contextlib.asynccontextmanager
    async def ask(self, question: Question) -> AsyncIterator[Answers]:
        await self._command("ask", question)
        Audience(question.nodes, question.tags)  # refuses what the node refuses
        pinged = [None if name is None else QueryAcked(1, name) for name in self.acks]

        async def replies() -> AsyncGenerator[QueryAcked | QueryAnswered, None]:
            for reply in pinged if question.name == PING_ALL.name else self.replies:
                await trio.lowlevel.checkpoint()
                if reply is None:
                    await trio.sleep_forever()
                else:
                    yield reply

        async with contextlib.aclosing(replies()) as iterator:
            yield iterator

    async def respond(self, query: int, payload: bytes | None) -> None:
        await self._command("respond", query, payload)

    async def manage_keys(self, command: KeyCommand, key: bytes | None = None) -> KeyReport:
        await self._command(command.value, key)
        return self.key_report

    def coordinate(self, node: str) -> Coordinate | None:
        return self.coordinates.get(node)

    @contextlib.asynccontextmanager
    async def subscribe(
        self,
        capacity: int = 512,
        *,
        coalesced: bool = True,
        may_answer: Callable[[str], bool] | None = None,
    ) -> AsyncIterator[EventStream]:
        feed = Feed(capacity, coalesced=coalesced, may_answer=may_answer)
        self.feeds.append(feed)
        try:
            yield feed  # type: ignore[misc]  # one queue serves both kinds of items
        finally:
            self.feeds.remove(feed)

    @contextlib.asynccontextmanager
    async def follow_log(self, level: str, capacity: int = 512) -> AsyncIterator[LogStream]:
        feed = Feed(capacity)
        for line in self.log_ring:
            if _passes(line, level):
                feed.put(line)
        entry = level, feed
        self.log_feeds.append(entry)
        try:
            yield feed  # type: ignore[misc]
        finally:
            self.log_feeds.remove(entry)

    def emit(self, event: ApplicationEvent) -> None:
        """Tell all subscribers."""
        for feed in self.feeds:
            feed.put(event)

    def change(self, kind: ChangeKind, member: SerfMember) -> None:
        """Put ``member`` into the view and tell subscribers that ``kind`` happened."""
        others = [m for m in self.current.members if m.name != member.name]
        self.current = make_view(*others, member, name=self.current.name)
        self.emit(MembersChanged(kind, (member,)))

    def log(self, level: str, text: str) -> None:
        """Write a log line."""
        line = LogLine(level, text)
        self.log_ring.append(line)
        for wanted, feed in self.log_feeds:
            if _passes(line, wanted):
                feed.put(line)


def _passes(line: LogLine, level: str) -> bool:
    levels = ("TRACE", "DEBUG", "INFO", "WARN", "ERR")
    return levels.index(line.level) >= levels.index(level)
