"""Checks through HTTP: registered, and reported by providers (consul-http.md, 10.2 and 10.3)."""

from __future__ import annotations

from gossipd.errors import UsageError
from gossipd.rest.consul.shapes_checks import NODE_MAINTENANCE, SERVICE_MAINTENANCE
from gossipd.rest.consul.writes.bodies import read_body, refused, shown_json
from gossipd.rest.consul.writes.commands import (
    DONE,
    no_ttl_check,
    own_service,
    refusing,
    takes_scripts,
    unknown_check,
)
from gossipd.rest.consul.writes.definitions import refuse_places
from gossipd.rest.consul.writes.definitions_checks import read_check_definition
from gossipd.rest.desk import Desk
from gossipd.rest.values import WRITE, Handler, Reply, Request, Route
from gossipd.services.definition import CRITICAL, PASSING, STATUSES, WARNING


async def register(request: Request, desk: Desk) -> Reply:
    """Add the check of the body to a service of this node, or to the node itself."""
    fields = read_body(request)
    refuse_places(fields)
    service = fields.text("ServiceID")
    known = own_service(desk, service) if service else None
    if service and known is None:
        raise refused(f'ServiceID "{service}" does not exist', 404)
    check = read_check_definition(
        fields,
        node=desk.handle.view().name,
        takes_scripts=takes_scripts(request, desk),
        address=known.service.address if known else "",
        port=known.service.port if known else 0,
    )
    with refusing():
        desk.handle.register_check(check, service)
    return DONE


async def deregister(request: Request, desk: Desk) -> Reply:
    """Take a check back; of maintenance, which is shown as one, it is the end."""
    check = request.names["id"]
    service = _in_maintenance(desk, check)
    if service is not None:
        with refusing():
            desk.handle.set_maintenance(service, None)
        return DONE
    if not _has_check(desk, check):
        raise unknown_check(check)
    with refusing():
        desk.handle.deregister_check(check)
    return DONE


def saying(status: str) -> Handler:
    """Return the handler that takes a provider's word ``status`` for its check."""

    async def say(request: Request, desk: Desk) -> Reply:
        return _take_word(desk, request.names["id"], status, request.first("note"))

    say.__doc__ = f"Take the provider's word that its check is {status}."
    return say


async def update(request: Request, desk: Desk) -> Reply:
    """Take the provider's word in the body for its check."""
    fields = read_body(request)
    status = fields.text("Status")
    if status not in STATUSES:
        raise refused(f"Invalid check status: {shown_json(status)}, give {', '.join(STATUSES)}")
    return _take_word(desk, request.names["id"], status, fields.text("Output"))


def _take_word(desk: Desk, check: str, status: str, output: str) -> Reply:
    # asked first, found out afterwards: heartbeats are the most frequent of all writes
    try:
        desk.handle.report_check(check, status, output)
    except UsageError:
        if not _has_check(desk, check) and _in_maintenance(desk, check) is None:
            raise unknown_check(check) from None
        raise no_ttl_check(check) from None
    return DONE


def _has_check(desk: Desk, check: str) -> bool:
    own = desk.handle.own_services()
    return any(one.id == check for one in own.node.checks) or any(
        one.id == check for service in own.services for one in service.checks
    )


def _in_maintenance(desk: Desk, check: str) -> str | None:
    """Return the service whose maintenance is shown as the check of that id; empty is the node."""
    if check == NODE_MAINTENANCE:
        return "" if desk.handle.own_services().node.maintenance else None
    if not check.startswith(SERVICE_MAINTENANCE):
        return None
    one = own_service(desk, check.removeprefix(SERVICE_MAINTENANCE))
    return one.service.id if one is not None and one.state.maintenance else None


def _route(verb: str, handler: Handler, summary: str) -> Route:
    return Route(
        method="PUT",
        pattern=f"/v1/agent/check/{verb}",
        handler=handler,
        level=WRITE,
        summary=summary,
    )


ROUTES = (
    _route("register", register, "Add a check to a service of this node, or to the node itself."),
    _route("deregister/{id*}", deregister, "Take back a check of this node."),
    _route("pass/{id*}", saying(PASSING), "Say that what a TTL check is about is well."),
    _route("warn/{id*}", saying(WARNING), "Say that what a TTL check is about is in doubt."),
    _route("fail/{id*}", saying(CRITICAL), "Say that what a TTL check is about is not well."),
    _route("update/{id*}", update, "Say how what a TTL check is about is, with an output."),
)
