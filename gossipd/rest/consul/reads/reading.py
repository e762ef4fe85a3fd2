"""``Reading``: what all reads in Consul's words share, and the way each of them is answered.

An answer is made once for a question and a state of things, and sent again as it
is until either is another one.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Hashable
from random import Random

import trio

from gossipd.node.events import NodeEvent
from gossipd.node.handle import NodeHandle
from gossipd.node.view import View
from gossipd.rest.consul.reads.blocking import Hold, hold_of, hold_while
from gossipd.rest.consul.reads.fragments import Fragments, Listing
from gossipd.rest.consul.reads.kept import Kept, are_the_same
from gossipd.rest.consul.reads.questions import Question
from gossipd.rest.consul.shapes import Shapes
from gossipd.rest.topics import USER_EVENTS, Topic, Topics
from gossipd.rest.values import Reply, Request
from gossipd.serf.events import UserEventReceived
from gossipd.wire.serf_messages import MemberStatus

EVENTS_KEPT = 256
NEAR_KEPT = 1.0
"""Seconds for which an order by distance is sent again; distances drift all the time."""
Make = Callable[[], object]


class Reading:
    """The state behind the reads of one face.

    Args:
        handle: the node.
        datacenter: what clients are told.
        wall: calendar time, seconds since 1970.
    """

    def __init__(self, handle: NodeHandle, datacenter: str, wall: Callable[[], float]) -> None:
        self._handle = handle
        self.topics = Topics(handle, wall)
        self.shapes = Shapes(handle, self.topics, datacenter, wall() - handle.now())
        self.fragments = Fragments(self.shapes, handle.view)
        self.kept = Kept()
        self._under_way: dict[Hashable, _UnderWay] = {}
        self.random = Random()
        self.events: deque[UserEventReceived] = deque(maxlen=EVENTS_KEPT)
        """The last user events, oldest first."""
        self._stop_listening = handle.observe(self._take)
        self._expects_others: bool | None = None
        self._leader: tuple[View | None, str] = (None, "")

    def close(self) -> None:
        """Observe the node no longer."""
        self.topics.close()
        self._stop_listening()

    def _take(self, event: NodeEvent, _now: float) -> None:
        if type(event) is UserEventReceived:
            self.events.append(event)
            self.topics.tell(USER_EVENTS)

    # -- answers ------------------------------------------------------------------

    async def answer(
        self,
        request: Request,
        question: Question,
        topics: tuple[Topic, ...],
        make: Make,
        made_from: Callable[[], tuple[object, ...]],
    ) -> Reply:
        """Answer a read that can block by index.

        Args:
            request: says how long to wait for what.
            question: what of it makes answers different.
            topics: what the answer is made from.
            make: returns the object of the body, its JSON as bytes, or a ``Listing``.
            made_from: returns what ``make`` reads; while it is the same, so is the answer.
        """
        hold = hold_of(request)
        if hold.index:
            self._hold(hold, topics)
        key: Hashable = (request.path, question)

        def sources() -> tuple[object, ...]:
            moment = int(self._handle.now() / NEAR_KEPT) if question.near else 0
            self.fragments.view()
            return self.topics.index(*topics), self.fragments.views, moment, *made_from()

        reply = self.kept.find(key, sources())
        while reply is None:
            under_way = self._under_way.get(key)
            if under_way is None:
                return await self._write(key, question, sources, make)
            await under_way.is_over.wait()
            now = sources()
            if under_way.reply is not None and are_the_same(under_way.made_from, now):
                return under_way.reply  # even one that is too long to be kept
            reply = self.kept.find(key, now)
        return reply

    async def _write(
        self,
        key: Hashable,
        question: Question,
        sources: Callable[[], tuple[object, ...]],
        make: Make,
    ) -> Reply:
        """Return a new answer; who wants the same one meanwhile waits for it."""
        under_way = self._under_way[key] = _UnderWay()
        try:
            item = make()
            if isinstance(item, Listing):
                await item.ahead()
            made_from = sources()
            index = made_from[0]
            assert isinstance(index, int)
            headers = self.headers(index)
            if question.is_cached:
                headers = (*headers, ("X-Cache", "HIT"), ("Age", "0"))
            reply = json_reply(item.now() if isinstance(item, Listing) else item, headers)
            self.kept.keep(key, made_from, reply)
            under_way.made_from, under_way.reply = made_from, reply
        finally:
            del self._under_way[key]
            under_way.is_over.set()
        return reply

    def _hold(self, hold: Hold, topics: tuple[Topic, ...]) -> None:
        def is_same() -> bool:
            return self.topics.index(*topics) == hold.index

        hold_while(is_same, self.topics, topics, hold.wait, self.random)

    def headers(self, index: int) -> tuple[tuple[str, str], ...]:
        """Return the headers of an answer that can block (section 4)."""
        return (
            ("X-Consul-Index", str(max(1, index))),
            ("X-Consul-KnownLeader", self.known_leader()),
            ("X-Consul-LastContact", "0"),
            ("X-Consul-Effective-Consistency", "stale"),
        )

    def known_leader(self) -> str:
        """Return ``false`` before the first join and while every other member is lost."""
        view = self._handle.view()
        if self._leader[0] is not view:
            self._leader = view, "true" if self._is_in_touch(view) else "false"
        return self._leader[1]

    def _is_in_touch(self, view: View) -> bool:
        statuses = {member.status for member in view.members if member.name != view.name}
        if MemberStatus.ALIVE in statuses:
            return True
        if MemberStatus.FAILED in statuses:
            return False
        if statuses:
            return True  # all others left by their own word
        if self._expects_others is None:
            self._expects_others = any(
                setting.key in ("start_join", "retry_join", "join", "discover") and setting.value
                for setting in self._handle.settings()
                if not setting.table
            )
        return not self._expects_others


class _UnderWay:
    """An answer that is being written, in portions, and that others may want, too."""

    __slots__ = ("is_over", "made_from", "reply")

    def __init__(self) -> None:
        self.is_over = trio.Event()
        self.made_from: tuple[object, ...] = ()
        self.reply: Reply | None = None
        """None as well if it was given up."""


def json_reply(item: object, headers: tuple[tuple[str, str], ...] = (), status: int = 200) -> Reply:
    """Return an answer with ``item`` as JSON; bytes are JSON already."""
    if isinstance(item, bytes):
        return Reply(status=status, body=item, headers=headers)
    text = json.dumps(item, separators=(",", ":"), ensure_ascii=False)
    return Reply(status=status, body=text.encode("utf-8", "replace"), headers=headers)
