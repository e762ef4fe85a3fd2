"""What all writing handlers share: the verbs of the node, its refusals as replies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gossipd.errors import Unavailable, UsageError
from gossipd.rest.consul.writes.bodies import one_line, short
from gossipd.rest.desk import Desk
from gossipd.rest.query import flag
from gossipd.rest.values import TEXT, Refused, Reply, Request
from gossipd.services.definition import Service
from gossipd.services.own import FROM_CLIENT, OwnService

DONE = Reply(content_type=TEXT)
"""A write that has nothing to say: 200 and no body, of a type that no client decodes."""
WARNINGS_MAX = 4
"""Lines of the log for one registration: it is warned of each service that is where it is."""


@contextmanager
def refusing(status: int = 400, busy: int = 429) -> Iterator[None]:
    """Turn what the node refuses into a reply: ``status``, or ``busy`` if it cannot now."""
    try:
        yield
    except UsageError as error:
        raise Refused(status, short(str(error))) from None
    except Unavailable as error:
        later = (("Retry-After", "1"),) if busy == 429 else ()
        raise Refused(busy, short(str(error)), *later) from None


def takes_scripts(request: Request, desk: Desk) -> bool:
    """Return whether this client may have commands run by a check.

    Whoever reaches the port could run anything: it is off until the operator says
    otherwise, and from elsewhere a token must have let the request in.
    """
    config = desk.config
    return config.script_checks and (request.is_loopback or bool(config.token))


def needed_flag(request: Request, name: str) -> bool:
    """Return what the flag ``name`` says, which must say something.

    Raises:
        Refused: it is missing, or its value is none of Go's words.
    """
    value = request.first(name)
    if not value:
        raise Refused(400, f"Missing value for {name}")
    try:
        return flag(request, name)
    except Refused:
        raise Refused(400, short(f'Invalid value for {name}: "{value}"')) from None


def register(desk: Desk, service: Service) -> None:
    """Register ``service`` as a client's; what the node warns of is logged.

    Raises:
        Refused: the node does not take it.
    """
    with refusing():
        warnings = desk.handle.register_service(service, FROM_CLIENT)
    for warning in warnings[:WARNINGS_MAX]:
        desk.log("WARN", f"agent.http: service '{service.id}': {warning}")
    if len(warnings) > WARNINGS_MAX:
        more = len(warnings) - WARNINGS_MAX
        desk.log("WARN", f"agent.http: service '{service.id}': and {more} more warnings")


def own_service(desk: Desk, service: str) -> OwnService | None:
    """Return the service of this node of that id."""
    for one in desk.handle.own_services().services:
        if one.service.id == service:
            return one
    return None


def unknown_service(service: str) -> Refused:
    """Return the 404 of Consul, whose words clients look for."""
    return Refused(
        404,
        f'Unknown service ID "{one_line(service)}". Ensure that the service ID is passed, '
        "not the service name.",
    )


def no_ttl_check(check: str) -> Refused:
    """Return the 500 of Consul for a report of a check that is not its provider's to judge."""
    return Refused(500, f'CheckID "{one_line(check)}" does not have associated TTL')


def unknown_check(check: str) -> Refused:
    """Return the 404 of Consul, whose words clients look for."""
    return Refused(
        404,
        f'Unknown check ID "{one_line(check)}". Ensure that the check ID is passed, '
        "not the check name.",
    )
