"""Registering services through HTTP, taking them back, maintenance (consul-http.md, 10.1, 10.4).

The verbs are those of the local socket and the command line: what is registered here
is a client's, kept over restarts, and seen by all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gossipd.rest.consul.writes import commands
from gossipd.rest.consul.writes.bodies import read_body, refused, shown_json
from gossipd.rest.consul.writes.commands import (
    DONE,
    needed_flag,
    own_service,
    refusing,
    takes_scripts,
    unknown_service,
)
from gossipd.rest.consul.writes.definitions import read_service_definition
from gossipd.rest.desk import Desk
from gossipd.rest.query import flag
from gossipd.rest.values import WRITE, Refused, Reply, Request, Route
from gossipd.services.definition import Service
from gossipd.value import replace

NO_REASON = "Maintenance mode is enabled, but no reason was given."


async def register(request: Request, desk: Desk) -> Reply:
    """Register the service of the body, or replace the one of its id."""
    replaces_checks = flag(request, "replace-existing-checks")
    service = read_service_definition(
        read_body(request),
        node=desk.handle.view().name,
        takes_scripts=takes_scripts(request, desk),
    )
    known = own_service(desk, service.id)
    if known is not None:
        desk.reading.topics.look()
        node = desk.reading.shapes.externals.node_of(known.service)
        if node is not None:
            raise refused(f"ID: it is one of node {shown_json(node)}, which has no agent")
        if not replaces_checks:
            service = with_checks_of(known.service, service)
    commands.register(desk, service)
    return DONE


def with_checks_of(known: Service, service: Service) -> Service:
    """Return ``service`` with the checks of ``known`` that it says nothing of."""
    new = {check.id: check for check in service.checks}
    kept = [new.pop(check.id, check) for check in known.checks]
    return replace(service, checks=(*kept, *new.values()))


async def deregister(request: Request, desk: Desk) -> Reply:
    """Take back a service and its checks."""
    service = request.names["id"]
    with _refusing_unknown(desk, service):
        desk.handle.deregister_service(service)
    return DONE


async def maintain(request: Request, desk: Desk) -> Reply:
    """Take a service out of ``passing``, or let it take part again."""
    service = request.names["id"]
    if not service:  # for the verbs of the node that means the node itself
        raise Refused(400, "Missing service ID")
    enable = needed_flag(request, "enable")
    with _refusing_unknown(desk, service):
        reason = (request.first("reason") or NO_REASON) if enable else None
        desk.handle.set_maintenance(service, reason)
    return DONE


@contextmanager
def _refusing_unknown(desk: Desk, service: str) -> Iterator[None]:
    """Turn what the node refuses into a reply; what it refuses is looked at afterwards."""
    if not service:
        raise unknown_service(service)
    try:
        with refusing():
            yield
    except Refused:
        if own_service(desk, service) is None:
            raise unknown_service(service) from None
        raise


ROUTES = (
    Route(
        method="PUT",
        pattern="/v1/agent/service/register",
        handler=register,
        level=WRITE,
        summary="Register a service on this node, or replace the one of its id.",
    ),
    Route(
        method="PUT",
        pattern="/v1/agent/service/deregister/{id*}",
        handler=deregister,
        level=WRITE,
        summary="Take back a service of this node.",
    ),
    Route(
        method="PUT",
        pattern="/v1/agent/service/maintenance/{id*}",
        handler=maintain,
        level=WRITE,
        summary="Take a service of this node out of passing, or end that.",
    ),
)
