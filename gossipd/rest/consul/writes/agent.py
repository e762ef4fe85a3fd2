"""What operators command the agent: maintenance, join, leave, reload (consul-http.md, 10.4)."""

from __future__ import annotations

from gossipd.errors import ConfigError
from gossipd.rest.consul.writes.bodies import refused, short, shown_json
from gossipd.rest.consul.writes.commands import DONE, needed_flag, refusing
from gossipd.rest.consul.writes.service import NO_REASON
from gossipd.rest.desk import Desk
from gossipd.rest.query import flag
from gossipd.rest.values import WRITE, Handler, Refused, Reply, Request, Route


async def maintain(request: Request, desk: Desk) -> Reply:
    """Take all services of this node out of ``passing``, or let them take part again."""
    enable = needed_flag(request, "enable")
    with refusing():
        reason = (request.first("reason") or NO_REASON) if enable else None
        desk.handle.set_maintenance("", reason)
    return DONE


async def join(request: Request, desk: Desk) -> Reply:
    """Join the cluster through one address."""
    if flag(request, "wan"):
        raise refused("wan: there is one pool of members; join without it")
    with refusing(500, 500):
        result = await desk.handle.join([request.names["address"]])
    if not result.contacted:
        why = "; ".join(result.errors) or "nobody answers there"
        raise refused(why, 500)
    return DONE


async def force_leave(request: Request, desk: Desk) -> Reply:
    """Announce that a node left; with ``?prune`` it is forgotten."""
    node = request.names["node"]
    if all(member.name != node for member in desk.handle.view().members):
        raise refused(f"No node found with name {shown_json(node)}", 404)
    with refusing(500, 500):
        await desk.handle.force_leave(node, prune=flag(request, "prune"))
    return DONE


async def leave(request: Request, desk: Desk) -> Reply:
    """Leave the cluster; the daemon ends when this is answered."""
    desk.log("INFO", "agent.http: Graceful leave triggered")
    with refusing(500, 500):
        await desk.handle.leave()
    return DONE


async def reload(request: Request, desk: Desk) -> Reply:
    """Read the configuration again and apply what can change."""
    try:
        with refusing(500, 500):
            await desk.handle.reload()
    except ConfigError as error:
        raise Refused(500, short(str(error))) from None
    return DONE


def _route(pattern: str, handler: Handler, summary: str, *, waits: bool = False) -> Route:
    return Route(
        method="PUT",
        pattern=f"/v1/agent/{pattern}",
        handler=handler,
        level=WRITE,
        waits=waits,
        summary=summary,
    )


ROUTES = (
    _route("maintenance", maintain, "Take all services of this node out of passing, or end that."),
    _route("join/{address}", join, "Join the cluster through an address.", waits=True),
    _route("force-leave/{node}", force_leave, "Announce that a node left.", waits=True),
    _route("leave", leave, "Leave the cluster and end.", waits=True),
    _route("reload", reload, "Read the configuration again.", waits=True),
)
