"""``/v1/gossipd/timeline`` and ``/v1/gossipd/events``: what happened, asked for or as it happens.

Events are server-sent ones (WHATWG HTML, section 9.2): ``happened`` carries a line of the
timeline, its id is ``<life>-<number>``, and ``Last-Event-ID`` goes on behind it. What the
reader missed is told with ``lost``. With ``?state`` the whole state comes first, and then
``member``, ``service`` and ``node`` as they change: the last word only, however often they
did, so that a slow reader is late but never wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import trio

from gossipd.rest.happening.following import Follower
from gossipd.rest.happening.words import KINDS, LEVELS
from gossipd.rest.own.json_pieces import NO_STORE, encoded, fresh_reply, whole_number
from gossipd.rest.own.rows import Rows, summaries_by_name
from gossipd.rest.own.state import state_pieces
from gossipd.rest.values import Refused, Reply, Request, Route, Streamed

if TYPE_CHECKING:
    from gossipd.rest.desk import Desk
    from gossipd.rest.happening.words import Happening

READERS_MAX = 128
LINES_AT_ONCE = 100
GATHER_SECONDS = 0.05
"""What happens within it is told together."""
HEARTBEAT_SECONDS = 5.0
"""A sign of life, so that both ends know of a dead connection."""
RETRY_MS = 1000
TIMELINE_MAX = 1024


async def timeline(request: Request, desk: Desk) -> Reply:
    """Answer with the last lines of the timeline, oldest first."""
    after = whole_number(request, "after", 0, 0, 2**52)
    limit = whole_number(request, "limit", 200, 1, TIMELINE_MAX)
    kinds, levels = _words(request, "kind", KINDS), _words(request, "level", LEVELS)
    node, service = request.first("node"), request.first("service")
    found = [
        line
        for line in desk.timeline.after(after)
        if (not kinds or line.told.kind in kinds)
        and (not levels or line.told.level in levels)
        and (not node or line.told.node == node)
        and (not service or line.told.service == service)
    ]
    return fresh_reply(
        {
            "life": desk.timeline.life,
            "began": round(desk.timeline.began, 3),
            "oldest": desk.timeline.oldest,
            "newest": desk.timeline.newest,
            "lines": [line.record() for line in found[-limit:]],
        }
    )


def _words(request: Request, name: str, known: tuple[str, ...]) -> frozenset[str]:
    words = frozenset(
        word for value in request.query.get(name, ()) for word in value.split(",") if word
    )
    unknown = sorted(words.difference(known))
    if unknown:
        raise Refused(400, f"{name}: one that is not known; see /v1/openapi.json")
    return words


async def events(request: Request, desk: Desk) -> Streamed:
    """Answer with what happens from now on, or since what the reader has seen last."""
    if len(desk.timeline.followers) >= READERS_MAX:
        raise Refused(503, f"{READERS_MAX} readers of events are served already")
    backlog = whole_number(request, "backlog", 0, 0, TIMELINE_MAX)
    seen = _seen(request, desk)
    wants_state = "state" in request.query and request.first("state") not in ("false", "0")
    return Streamed(pieces=EventPieces(desk, wants_state, seen, backlog), headers=NO_STORE)


def _seen(request: Request, desk: Desk) -> int | None:
    """Return the number of the last line that the reader has; ``None`` if it says none.

    Of a line of another life, 0: all that happened in this one is new to it.
    """
    told = request.headers.get("last-event-id", "") or request.first("last-event-id")
    if not told:
        return None
    life, _, number = told.partition("-")
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        raise Refused(400, "Last-Event-ID: give the id of an event as it came")
    if life != desk.timeline.life or int(number) > desk.timeline.newest:
        return 0
    return int(number)


class EventPieces:
    """The stream of one reader; iterate, and close it at the end.

    Args:
        desk: whose timeline is followed, from now on.
        wants_state: whether the reader shows members and services.
        seen: number of the last line that it has, if it says so.
        backlog: lines of the past that it wants otherwise.
    """

    def __init__(self, desk: Desk, wants_state: bool, seen: int | None, backlog: int) -> None:
        timeline = desk.timeline
        timeline.look()
        self._desk = desk
        self._timeline = timeline
        self._wants_state = wants_state
        self._number = max(0, timeline.newest - backlog, timeline.oldest - 1)
        if seen is not None:
            self._number = seen
        self._follower = Follower(wants_state)
        timeline.followers[self._follower] = None
        self._begins = True
        self._node_shown_at = trio.current_time()

    def __aiter__(self) -> EventPieces:
        return self

    async def aclose(self) -> None:
        """Follow no longer."""
        self._timeline.followers.pop(self._follower, None)
        await trio.lowlevel.checkpoint()

    async def __anext__(self) -> bytes:
        if self._begins:
            self._begins = False
            return await self._first()
        if self._timeline.newest <= self._number:
            with trio.move_on_after(HEARTBEAT_SECONDS) as pause:
                await self._follower.wait()
                await trio.sleep(GATHER_SECONDS)
            if pause.cancelled_caught and not self._wants_state:
                return b": nothing new\n\n"
        else:
            await trio.lowlevel.checkpoint()
        return b"".join(self._pieces())

    async def _first(self) -> bytes:
        begin = b"retry: %d\n\n" % RETRY_MS
        if not self._wants_state:
            await trio.lowlevel.checkpoint()
            return begin + b": gossipd\n\n"
        self._follower.take()  # changes from here on are shown behind the state
        pieces = [piece async for piece in state_pieces(self._desk)]
        return begin + b"event: state\ndata: " + b"".join(pieces) + b"\n\n"

    def _pieces(self) -> Iterator[bytes]:
        """Yield what there is to tell now; of lines, a bounded part."""
        self._timeline.look()
        members, services = self._follower.take()
        if self._wants_state:
            yield from self._state_pieces(members, services)
        lost = self._timeline.oldest - 1 - self._number
        if lost > 0:
            self._number += lost
            yield event_piece("lost", {"count": lost})
        for line in self._timeline.after(self._number)[:LINES_AT_ONCE]:
            self._number = line.number
            yield self._line_piece(line)

    def _line_piece(self, line: Happening) -> bytes:
        return event_piece("happened", line.record(), f"{self._timeline.life}-{line.number}")

    def _state_pieces(self, members: tuple[str, ...], services: tuple[str, ...]) -> Iterator[bytes]:
        desk = self._desk
        rows = Rows(desk)
        present = {each.name: each for each in rows.view.members} if members else {}
        for name in members:
            member = present.get(name)
            row = {"name": name, "gone": True} if member is None else rows.member(member)
            yield event_piece("member", row)
        summaries = summaries_by_name(desk) if services else {}
        for name in services:
            view = desk.handle.service(name)
            summary = summaries.get(name)
            row = rows.service(summary, view)
            if summary is None:
                row["gone"] = True
            yield event_piece("service", row)
        now = trio.current_time()
        if not members or now - self._node_shown_at >= 1:
            self._node_shown_at = now
            yield event_piece("node", rows.node())


def event_piece(kind: str, value: object, id: str = "") -> bytes:
    """Return one server-sent event; JSON without line ends fits into one line of data."""
    begin = f"id: {id}\n" if id else ""
    return f"{begin}event: {kind}\ndata: ".encode() + encoded(value) + b"\n\n"


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        pattern="/v1/gossipd/timeline",
        handler=timeline,
        summary="The last things that happened, and why.",
    ),
    Route(
        method="GET",
        pattern="/v1/gossipd/events",
        handler=events,
        waits=True,
        summary="What happens, as server-sent events.",
    ),
)
