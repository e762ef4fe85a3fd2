"""``AgentHandle``: the running node as the faces see it (``NodeHandle``)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import trio

from gossipd.agent.parts import Parts
from gossipd.agent.service_face import ServiceFace
from gossipd.config.agent_model import AgentConfig, check_agent_config
from gossipd.config.load import Loaded
from gossipd.coordinate import Coordinate
from gossipd.errors import Unavailable, UsageError
from gossipd.node.events import NodeEvent
from gossipd.node.handle import Answers, EventStream, JoinResult, LogStream, Lost, ReloadReport
from gossipd.node.statistics import Statistics
from gossipd.node.view import View
from gossipd.serf.events import (
    KeysAnswered,
    QueryAcked,
    QueryAnswered,
    QueryClosed,
)
from gossipd.serf.question import STRANGERS_MAX, KeyCommand, KeyReport, Question
from gossipd.serf.roster import MEMBERS_MAX
from gossipd.wire.serf_messages import MemberStatus

if TYPE_CHECKING:
    from gossipd.agent.operations import Operation
    from gossipd.agent.reload import Reloader
    from gossipd.config.settings import Setting

ANSWERS_MAX = 2 * (MEMBERS_MAX + STRANGERS_MAX) + 1
"""Unread acks and answers of one query, and its end: no query can bring more."""
KEY_REPORTS_MAX = 512
"""Unread reports of key commands; the node has fewer queries open."""

LOGGED_BYTES_MAX = 512
"""Bytes of a payload that are shown in the log."""


GoOn: TypeAlias = Callable[[Mapping[str, str], Mapping[str, str]], None]
"""Takes the tags before and after a change."""


def _go_on(_before: Mapping[str, str], _after: Mapping[str, str]) -> None:
    """Nothing else is changed along with the tags."""


class AgentHandle(ServiceFace):
    """What may be asked of, and commanded to, one running agent.

    Args:
        parts: what the agent is made of.
        nursery: in which a leave goes on when its caller went away.
        left: called when a leave is over, with whether it succeeded.
    """

    def __init__(self, parts: Parts, nursery: trio.Nursery, left: Callable[[bool], None]) -> None:
        self._parts = parts
        self._driver = parts.driver
        self._joiner = parts.joiner
        self._applications = parts.applications
        self._tags = parts.tags
        self._tags_change = trio.Lock()
        self._log = parts.log
        self._nursery = nursery
        self._left = left
        self.make_reloader: Callable[[], Reloader] | None = None
        """Set by who starts the agent; without it nothing can be reloaded."""
        self._reloader: Reloader | None = None
        self._drain_ends: trio.Event | None = None
        """Set when a leave need not wait for its drain any longer."""

    def now(self) -> float:
        """Return the clock the view's times are in (seconds, monotonic)."""
        return self._driver.now()

    def view(self) -> View:
        """Return the current picture; the same object until something changes."""
        return self._driver.node.view()

    def statistics(self) -> Statistics:
        """Return the counters as they are now."""
        return self._parts.statistics()

    def degraded(self) -> Mapping[str, str]:
        """Return who behaves worse than usual; see ``NodeHandle.degraded``."""
        return self._parts.degraded()

    def own_tags(self) -> dict[str, str]:
        """Return the tags that this node has now."""
        return dict(self.view().own_tags())

    def is_alone(self) -> bool:
        """Return whether no other member is alive."""
        view = self.view()
        alive = MemberStatus.ALIVE
        return all(m.name == view.name or m.status is not alive for m in view.members)

    def observe(self, take: Callable[[NodeEvent, float], None]) -> Callable[[], None]:
        """See every event; see ``NodeHandle.observe``."""
        observers = self._parts.observers
        observers.append(take)
        return lambda: observers.remove(take)

    def settings(self) -> tuple[Setting, ...]:
        """Return what the agent runs with now, and where it came from; secrets are hidden."""
        from gossipd.config.settings import settings_of  # seldom asked for

        reloader = self._made_reloader()
        return () if reloader is None else settings_of(reloader.running())

    async def reload(self) -> ReloadReport:
        """Read the configuration again; see ``NodeHandle.reload``."""
        reloader = self._made_reloader()
        if reloader is None:
            raise UsageError("this agent cannot reload")
        return await reloader.reload()

    async def reconfigure(self, config: AgentConfig) -> ReloadReport:
        """Apply what can change of ``config``, as a reload does.

        Raises:
            ConfigError: it cannot work; nothing was changed.
            UsageError: the tags do not fit, or the agent is leaving; nothing was changed.
        """
        check_agent_config(config)
        reloader = self._made_reloader()
        if reloader is None:
            raise UsageError("this agent cannot reload")
        return await reloader.apply(Loaded(config, {}))

    def _made_reloader(self) -> Reloader | None:
        if self._reloader is None and self.make_reloader is not None:
            self._reloader = self.make_reloader()
        return self._reloader

    async def join(self, addresses: Sequence[str], *, replay: bool = False) -> JoinResult:
        """Join through ``addresses``; see ``NodeHandle.join``."""
        seeds = " ".join(addresses)
        self._log.say("INFO", f"agent: joining: [{seeds}] replay: {str(replay).lower()}")
        result = await self._joiner.join(addresses, replay=replay)
        self._log.say("INFO", f"agent: joined: {result.contacted} nodes")
        for error in result.errors:
            self._log.say("WARN", f"agent: error joining: {error}")
        return result

    async def leave(self, *, drain: float = 0.0) -> None:
        """Leave gracefully; the agent ends afterwards, also when the caller is cancelled.

        Args:
            drain: seconds in which consumers of the services of this node turn away first;
                a node without services leaves at once. ``hurry_leave`` cuts it short.

        Raises:
            UsageError: a leave is already in progress.
            Unavailable: it could not be completed.
        """
        if self._drain_ends is not None:
            raise UsageError("Leave already in progress")
        node = self._parts.node
        operation: Operation | None = None
        if drain > 0 and node.own_services().services:
            self._log.say("INFO", f"agent: draining services for {drain:g}s before the leave")
            self._driver.step(node.drain, "", drain)
            self._drain_ends = trio.Event()
        else:
            operation = self._begin_leave()
        over = trio.Event()
        failure: list[Unavailable | UsageError] = []

        async def see_through() -> None:
            try:
                await (operation or await self._leave_drained(drain)).wait()
            except (Unavailable, UsageError) as error:
                failure.append(error)
            over.set()
            self._left(not failure)

        self._nursery.start_soon(see_through)
        await over.wait()
        if failure:
            raise failure[0]

    def hurry_leave(self) -> bool:
        """Leave now if a drain is waited for; return whether one was."""
        if self._drain_ends is None or self._drain_ends.is_set():
            return False
        self._drain_ends.set()
        return True

    async def _leave_drained(self, seconds: float) -> Operation:
        """Begin to leave when the drain is over."""
        assert self._drain_ends is not None
        with trio.move_on_after(seconds):
            await self._drain_ends.wait()
        self._drain_ends.set()
        return self._begin_leave()

    def _begin_leave(self) -> Operation:
        operation = self._driver.begin(self._driver.node.leave)
        if self._driver.journal is not None:
            self._driver.journal.leave()
        return operation

    async def force_leave(self, node: str, *, prune: bool = False) -> None:
        """Announce that ``node`` left; see ``NodeHandle.force_leave``."""
        how = " (prune)" if prune else ""
        self._log.say("INFO", f"agent: Force leaving node: {node}{how}")
        operation = self._driver.begin(self._driver.node.force_leave, node, prune)
        await operation.wait()

    async def set_tags(self, tags: Mapping[str, str], delete: Sequence[str]) -> None:
        """Delete tags, then set tags; see ``NodeHandle.set_tags``."""
        async with self._tags_change:
            changes = self._tags.plan(tags, delete)
            if self._tags.path:  # on disk before anybody hears of it
                await trio.to_thread.run_sync(self._tags.write, changes)
            operation = self._driver.begin(self._driver.node.set_tags, tags, delete)
            self._tags.adopt(changes)
        await operation.wait()

    async def rebase_tags(self, base: Mapping[str, str], go_on: GoOn = _go_on) -> None:
        """Take ``base`` for the tags of the configuration, for a reload; see ``OwnTags.rebase``.

        Args:
            base: the tags that it says now.
            go_on: called when they are known to fit and before anything is changed, with
                the tags before and after; may raise, and then nothing is.

        Raises:
            UsageError: with what the ``tags`` command changed they exceed 512 bytes, or
                the agent is leaving.
            Unavailable: the change is made but could not be gossiped in time.
        """
        async with self._tags_change:
            before, after = self._tags.current, self._tags.rebased(base)
            go_on(before, after)
            self._tags.rebase(base)
            if after == before:
                return
            gone = [key for key in before if key not in after]
            operation = self._driver.begin(self._driver.node.set_tags, after, gone)
        await operation.wait()

    async def send_event(
        self,
        name: str,
        payload: bytes | None,
        *,
        may_coalesce: bool = False,
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Send a user event; see ``NodeHandle.send_event``."""
        self._log.say(
            "DEBUG",
            f"agent: Requesting user event send: {name}."
            f" Coalesced: {str(may_coalesce).lower()}. Payload: {_quoted(payload)}",
        )
        self._driver.step(
            self._driver.node.send_event,
            name,
            payload,
            may_coalesce=may_coalesce,
            nodes=nodes,
            tags=tags,
        )

    @asynccontextmanager
    async def ask(self, question: Question) -> AsyncIterator[Answers]:
        """Ask the cluster; see ``NodeHandle.ask``."""
        payload = _quoted(question.payload)
        self._log.say("DEBUG", f"agent: Requesting query send: {question.name}. Payload: {payload}")
        query: int | None = None

        def wants(event: NodeEvent) -> bool:
            # those of the first step are published before its number is known
            return isinstance(event, _OF_QUERIES) and query in (None, event.query)

        with self._driver.fanout.subscribe(ANSWERS_MAX, wants) as events:
            query = self._driver.step(self._driver.node.ask, question)
            try:
                yield _Answers(events, query)
            finally:
                self._driver.step(self._driver.node.stop_asking, query)

    async def respond(self, query: int, payload: bytes | None) -> None:
        """Answer a query; see ``NodeHandle.respond``."""
        self._driver.step(self._driver.node.respond, query, payload)

    async def manage_keys(self, command: KeyCommand, key: bytes | None = None) -> KeyReport:
        """Change or list the keys of all members; see ``NodeHandle.manage_keys``."""

        def wants(event: NodeEvent) -> bool:
            return type(event) is KeysAnswered

        with self._driver.fanout.subscribe(KEY_REPORTS_MAX, wants) as events:
            operation = self._driver.step(self._driver.node.manage_keys, command, key)
            async for event in events:
                if isinstance(event, KeysAnswered) and event.operation == operation:
                    return event.report
        raise Unavailable("the agent ends before all members have answered")

    def coordinate(self, node: str) -> Coordinate | None:
        """Return the network coordinate of ``node``; ``None`` if it is not known."""
        return self._driver.node.coordinate(node)

    @asynccontextmanager
    async def subscribe(
        self,
        capacity: int = 512,
        *,
        coalesced: bool = True,
        may_answer: Callable[[str], bool] | None = None,
    ) -> AsyncIterator[EventStream]:
        """Follow what applications are told; see ``NodeHandle.subscribe``."""
        with self._applications.subscribe(
            capacity, coalesced=coalesced, may_answer=may_answer
        ) as events:
            yield events

    def set_handlers(self, config: AgentConfig) -> None:
        """Run the event handlers of ``config``; see ``Parts.set_handlers``."""
        self._parts.set_handlers(config)

    @asynccontextmanager
    async def follow_log(self, level: str, capacity: int = 512) -> AsyncIterator[LogStream]:
        """Follow the log at ``level``, the kept lines first; a slow reader gets ``Lost``."""
        with self._log.follow(level, capacity) as lines:
            yield lines


def _quoted(payload: bytes | None) -> str:
    """Return the beginning of a payload as the log shows it, in quotes."""
    shown = (payload or b"")[:LOGGED_BYTES_MAX].decode("utf-8", "backslashreplace")
    more = "..." if len(payload or b"") > LOGGED_BYTES_MAX else ""
    escaped = shown.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}{more}"'


_OF_QUERIES = (QueryAcked, QueryAnswered, QueryClosed)


class _Answers:
    """Acks and answers of one query, until the query is closed."""

    def __init__(self, events: AsyncIterator[NodeEvent | Lost], query: int) -> None:
        self._events = events
        self._query = query

    def __aiter__(self) -> Answers:
        return self

    async def __anext__(self) -> QueryAcked | QueryAnswered:
        async for event in self._events:
            if isinstance(event, _OF_QUERIES) and event.query == self._query:
                if isinstance(event, QueryClosed):
                    break
                return event
        raise StopAsyncIteration
