"""User events sent through HTTP (consul-http.md, section 10.4).

They are Serf's user events under their own name. Filters are turned into names of
nodes when the event is fired, for that is what travels; a Serf among the members
tells its applications all the same.
"""

from __future__ import annotations

from gossipd.errors import WireError
from gossipd.node.view import View
from gossipd.pattern import Pattern
from gossipd.rest.consul.reads.reading import json_reply
from gossipd.rest.consul.shapes import event_shape
from gossipd.rest.consul.writes.bodies import refused
from gossipd.rest.consul.writes.commands import refusing
from gossipd.rest.desk import Desk
from gossipd.rest.values import WRITE, Reply, Request, Route
from gossipd.serf.events import UserEventReceived
from gossipd.wire.serf_messages import MemberStatus

PAYLOAD_BYTES_MAX = 512
"""As in Consul; name and payload together may be limited further (``serf``'s section)."""


async def fire(request: Request, desk: Desk) -> Reply:
    """Send a user event to all nodes, or to those that the filters mean."""
    name, payload = request.names["name"], request.body or None
    if len(request.body) > PAYLOAD_BYTES_MAX:
        raise refused(f"body: {len(request.body)} bytes; at most {PAYLOAD_BYTES_MAX} are taken")
    filters = {
        "NodeFilter": request.first("node"),
        "ServiceFilter": request.first("service"),
        "TagFilter": request.first("tag"),
    }
    meant = _meant(desk, *filters.values())
    event = UserEventReceived(desk.handle.statistics().event_time, name, payload, False)
    if meant is None or meant:
        with refusing(busy=503):
            await desk.handle.send_event(name, payload, nodes=meant or ())
    return json_reply({**event_shape(event), **filters, "LTime": 0})


def _meant(desk: Desk, node: str, service: str, tag: str) -> tuple[str, ...] | None:
    """Return the names of the nodes that the filters mean; ``None`` is all of them."""
    if tag and not service:
        raise refused("Cannot provide tag filter without service filter")
    if not node and not service:
        return None
    names = _alive(desk.handle.view())
    if node:
        pattern = _pattern("node", node)
        names = tuple(name for name in names if pattern.search(name))
    if service:
        providers = _providers(desk, service, tag)
        names = tuple(name for name in names if name in providers)
    return names


def _alive(view: View) -> tuple[str, ...]:
    return tuple(m.name for m in view.members if m.status is MemberStatus.ALIVE)


def _providers(desk: Desk, service: str, tag: str) -> set[str]:
    """Return the nodes with an instance whose name and one of whose tags match."""
    named = _pattern("service", service)
    tagged = _pattern("tag", tag) if tag else None
    return {
        instance.owner
        for summary in desk.handle.services()
        if named.search(summary.name)
        for instance in desk.handle.service(summary.name).instances
        if tagged is None or any(map(tagged.search, instance.service.tags))
    }


def _pattern(field: str, expression: str) -> Pattern:
    try:
        return Pattern(expression)
    except WireError as error:
        raise refused(f"Invalid {field} filter: {error.detail}") from None


ROUTES = (
    Route(
        method="PUT",
        pattern="/v1/event/fire/{name}",
        handler=fire,
        level=WRITE,
        summary="Send a user event.",
    ),
)
