"""``/v1/gossipd/state`` and parts of it: how the cluster looks from here, in one answer.

``state``, ``member/{name}``, ``service/{name}``, ``suspicion``, ``age``. Beside Consul's
API, which has no words for suspicions, doubts and ages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import trio

from gossipd.rest.own.json_pieces import NO_STORE, encoded, fresh_reply, list_pieces
from gossipd.rest.own.rows import Row, Rows, summaries_by_name
from gossipd.rest.values import Refused, Reply, Request, Route

if TYPE_CHECKING:
    from gossipd.rest.desk import Desk

INSTANCES_SHOWN = 2000
"""With more of them, ``state`` says only how many there are of each service."""
KEPT_SECONDS = 0.5
"""For so long the same state is not written again for the last acks alone."""
MEMBER_LINES = 50
"""Lines of the timeline shown with a member."""


async def state_pieces(desk: Desk, *, with_all: bool = False) -> AsyncIterator[bytes]:
    """Yield the whole state as JSON, a part at a time."""
    desk.timeline.look()
    rows, summaries = Rows(desk), desk.handle.services()
    total = sum(summary.total for summary in summaries)
    shows = with_all or total <= INSTANCES_SHOWN
    yield b'{"node":' + encoded(rows.node())
    yield b',"members":'
    async for piece in list_pieces(rows.member(member) for member in rows.view.members):
        yield piece
    yield b',"services":'
    service = desk.handle.service
    async for piece in list_pieces(
        rows.service(each, service(each.name), with_instances=shows) for each in summaries
    ):
        yield piece
    yield b',"instances":%d,"instances_shown":%s}' % (total, b"true" if shows else b"false")


class KeptState:
    """The last state that was written, for who asks again before anything changed."""

    __slots__ = ("_body", "_made_at", "_made_from")

    def __init__(self) -> None:
        self._made_at = float("-inf")
        self._made_from: tuple[object, ...] = ()
        self._body = b""

    async def body(self, desk: Desk) -> bytes:
        """Return the state as it is."""
        desk.timeline.look()
        handle = desk.handle
        made_from = (handle.view(), handle.services(), desk.timeline.newest, handle.degraded())
        now = trio.current_time()
        is_same = all(a is b or a == b for a, b in zip(made_from, self._made_from, strict=False))
        if self._body and is_same and now - self._made_at < KEPT_SECONDS:
            return self._body
        body = b"".join([piece async for piece in state_pieces(desk)])
        self._made_at, self._made_from, self._body = now, made_from, body
        return body


async def state(request: Request, desk: Desk) -> Reply:
    """Answer with node, members and services."""
    if "instances" in request.query:
        wanted = request.first("instances")
        if wanted != "all":
            raise Refused(400, "instances: the only value is all")
        pieces = [piece async for piece in state_pieces(desk, with_all=True)]
        return Reply(body=b"".join(pieces), headers=NO_STORE)
    return Reply(body=await desk.kept_state.body(desk), headers=NO_STORE)


async def member(request: Request, desk: Desk) -> Reply:
    """Answer with one member, its services and what happened to it lately."""
    name = request.names["name"]
    rows = Rows(desk)
    found = next((each for each in rows.view.members if each.name == name), None)
    if found is None:
        raise Refused(404, "no member of that name")
    row = rows.member(found)
    row["services"] = [
        {"service": each.service.name} | rows.instance(each)
        for each in desk.handle.services_of(name)
    ]
    about = [each for each in desk.timeline.after(0) if each.told.node == name]
    row["timeline"] = [each.record() for each in about[-MEMBER_LINES:]]
    return fresh_reply(row)


async def service(request: Request, desk: Desk) -> Reply:
    """Answer with one service and all its instances."""
    name = request.names["name"]
    summary = summaries_by_name(desk).get(name)
    view = desk.handle.service(name)
    if summary is None and not view.instances:
        raise Refused(404, "no service of that name")
    rows = Rows(desk)
    row = rows.service(summary, view, with_instances=False)
    pieces = [piece async for piece in list_pieces(rows.instance(each) for each in view.instances)]
    body = encoded(row)[:-1] + b',"instances":' + b"".join(pieces) + b"}"
    return Reply(body=body, headers=NO_STORE)


async def suspicion(request: Request, desk: Desk) -> Reply:
    """Answer with the members that are suspected now."""
    rows = Rows(desk)
    suspected: list[Row] = []
    for each in rows.view.members:
        found = rows.view.suspicions.get(each.name)
        if found is not None:
            suspected.append({"name": each.name} | rows.suspicion(each.name, found))
    return fresh_reply({"now": round(desk.wall(), 3), "suspected": suspected})


async def age(request: Request, desk: Desk) -> Reply:
    """Answer with how old is what this node knows: of members, of services, of the catalog."""
    rows, now = Rows(desk), desk.handle.now()
    timeline = desk.timeline
    members: list[Row] = []
    for each in rows.view.members:
        contact, known = timeline.contacts.get(each.name), timeline.known.get(each.name)
        members.append(
            {
                "name": each.name,
                "status": rows.status(each),
                "acked": None if contact is None else round(now - contact.at, 3),
                "unchanged": None if known is None else round(now - known.changed_at, 3),
            }
        )
    services: list[Row] = []
    for summary in desk.handle.services():
        learned = [one.learned_at for one in desk.handle.service(summary.name).instances]
        services.append(
            {
                "name": summary.name,
                "instances": len(learned),
                "oldest": round(now - min(learned), 3) if learned else None,
                "newest": round(now - max(learned), 3) if learned else None,
            }
        )
        await trio.lowlevel.checkpoint()
    levels = desk.handle.statistics().levels
    return fresh_reply({"members": members, "services": services, "catalog": dict(levels)})


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        pattern="/v1/gossipd/state",
        handler=state,
        summary="This node, all members and all services as seen from here.",
    ),
    Route(
        method="GET",
        pattern="/v1/gossipd/member/{name}",
        handler=member,
        summary="One member, its services, and what happened to it lately.",
    ),
    Route(
        method="GET",
        pattern="/v1/gossipd/service/{name}",
        handler=service,
        summary="One service and all its instances.",
    ),
    Route(
        method="GET",
        pattern="/v1/gossipd/suspicion",
        handler=suspicion,
        summary="Who is suspected now, by whom, since when and until when.",
    ),
    Route(
        method="GET",
        pattern="/v1/gossipd/age",
        handler=age,
        summary="How old is what this node knows.",
    ),
)
