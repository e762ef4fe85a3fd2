"""GET /v1/status, /v1/coordinate and /v1/event/list: what is of the cluster as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from gossipd.coordinate import Coordinate
from gossipd.coordinates.space import is_finite
from gossipd.rest.consul.reads.blocking import hold_of, hold_while
from gossipd.rest.consul.reads.questions import question_of
from gossipd.rest.consul.reads.reading import json_reply
from gossipd.rest.consul.shapes import Json, coordinate_shape, event_id, event_shape, point_shape
from gossipd.rest.topics import NODES, USER_EVENTS
from gossipd.rest.values import Refused, Reply, Request, Route
from gossipd.serf.events import UserEventReceived
from gossipd.wire.serf_messages import MemberStatus

if TYPE_CHECKING:
    from gossipd.rest.desk import Desk

PEERS_MAX = 64
_HALF = 2**64


async def leader(request: Request, desk: Desk) -> Reply:
    """Answer our own address: there is no leader, and who is asked knows best."""
    question_of(request, desk)
    return json_reply(str(desk.handle.view().address))


async def peers(request: Request, desk: Desk) -> Reply:
    """Answer the addresses of members that are alive, ours first, not more than 64."""
    question_of(request, desk)
    view = desk.handle.view()
    alive = [
        str(member.address)
        for member in view.members
        if member.status is MemberStatus.ALIVE and member.name != view.name
    ]
    return json_reply([str(view.address), *alive][:PEERS_MAX])


async def coordinates(request: Request, desk: Desk) -> Reply:
    """Answer the network coordinates of all nodes."""
    question, reading = question_of(request, desk), desk.reading

    def make() -> list[Json]:
        names = reading.shapes.node_names()
        return [coordinate_shape(*each) for each in _known(desk, names)]

    return await reading.answer(request, question, (NODES,), make, lambda: (_second(desk),))


async def coordinate(request: Request, desk: Desk) -> Reply:
    """Answer the network coordinate of one node."""
    name, reading = request.names["node"], desk.reading
    if not name:
        raise Refused(400, "Missing node name")
    question = question_of(request, desk)

    def make() -> list[Json]:
        is_node = reading.shapes.is_node(name)
        return [coordinate_shape(*each) for each in _known(desk, [name] if is_node else [])]

    reply = await reading.answer(request, question, (NODES,), make, lambda: (_second(desk),))
    if reply.body == b"[]":
        raise Refused(404, "No coordinate is known of this node", *reply.headers)
    return reply


async def datacenters(request: Request, desk: Desk) -> Reply:
    """Answer the coordinates of datacenters: ours, at this agent."""
    question_of(request, desk)
    name = desk.handle.view().name
    own = desk.handle.coordinate(name)
    points = []
    if own is not None and is_finite(own):
        points.append({"Node": f"{name}.{desk.datacenter}", "Coord": point_shape(own)})
    return json_reply([{"Datacenter": desk.datacenter, "AreaID": "wan", "Coordinates": points}])


async def events(request: Request, desk: Desk) -> Reply:
    """Answer the last user events, oldest first; held while the newest is that of the index."""
    name, reading = request.first("name"), desk.reading
    hold = hold_of(request)
    question_of(request, desk)

    def chosen() -> list[UserEventReceived]:
        return [event for event in reading.events if not name or event.name == name]

    def index() -> int:
        newest = next((e for e in reversed(reading.events) if not name or e.name == name), None)
        return 1 if newest is None else folded(event_id(newest))

    if hold.index:
        hold_while(
            lambda: index() == hold.index, reading.topics, (USER_EVENTS,), hold.wait, reading.random
        )
    return json_reply([event_shape(event) for event in chosen()], reading.headers(index()))


def folded(id: str) -> int:
    """Return the index that stands for an event's id: its halves, one upon the other."""
    number = UUID(id).int
    return (number // _HALF ^ number % _HALF) or 1


def _known(desk: Desk, names: Iterable[str]) -> list[tuple[str, Coordinate]]:
    found = []
    for name in names:
        each = desk.handle.coordinate(name)
        if each is not None and is_finite(each):
            found.append((name, each))
    return found


def _second(desk: Desk) -> int:
    """Return what is another number each second: coordinates drift and nobody tells."""
    return int(desk.handle.now())


ROUTES: tuple[Route, ...] = (
    Route(method="GET", pattern="/v1/status/leader", handler=leader, summary="Our own address"),
    Route(method="GET", pattern="/v1/status/peers", handler=peers, summary="Who is alive"),
    Route(
        method="GET", pattern="/v1/coordinate/nodes", handler=coordinates, waits=True,
        summary="Network coordinates of all nodes",
    ),
    Route(
        method="GET", pattern="/v1/coordinate/node/{node}", handler=coordinate, waits=True,
        summary="Network coordinate of one node",
    ),
    Route(
        method="GET", pattern="/v1/coordinate/datacenters", handler=datacenters,
        summary="Network coordinates of datacenters",
    ),
    Route(
        method="GET", pattern="/v1/event/list", handler=events, waits=True,
        summary="The last user events",
    ),
)  # fmt: skip
