"""``/v1/openapi.json``: what this face answers, as an OpenAPI 3.1 document made from its routes.

Paths, methods, access and what a path names come from the routes; parameters, bodies and
shapes of answers from the tables beside (``parameters.py``, ``answers.py``).
A route without an entry there is a failing test, not a gap in the document. Refusals of
what needs consensus are one entry a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gossipd.rest.openapi.answers import BODIES, COMPONENTS, answers_of
from gossipd.rest.openapi.parameters import ALWAYS, parameters_of
from gossipd.rest.own.json_pieces import encoded
from gossipd.rest.values import JSON, OPEN, READ, Reply, Request, Route
from gossipd.version import __version__

if TYPE_CHECKING:
    from gossipd.rest.desk import Desk

Json = dict[str, Any]
TEXT_ANSWER = {"text/plain": {"schema": {"type": "string"}}}
REFUSED = "Refused:"
"""So begins the summary of routes that only say what is not offered."""
ABOUT = """\
Consul's HTTP API for discovery, and gossipd's own endpoints under /v1/gossipd/. Every answer
is this agent's own view; there is no server and no leader. Errors are one line of plain text.
"""
ERRORS = {
    "400": "Something in the request is wrong; the text names it.",
    "401": "A token is needed.",
    "403": "The token does not allow this.",
    "404": "There is no such thing.",
    "500": "This could not be done.",
    "503": "This cannot be done now.",
}
_NAMED = re.compile(r"\{([a-z_]+)(\*?)\}")


def document(routes: Iterable[Route], datacenter: str) -> Json:
    """Return the description of ``routes``.

    Args:
        datacenter: the only one that may be asked for.
    """
    paths: dict[str, Json] = {}
    for route in routes:
        if route.pattern.endswith("/{rest*}"):
            continue  # what lies below a refused path is refused alike
        path = _NAMED.sub(r"{\1}", route.pattern)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, datacenter)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gossipd",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": COMPONENTS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "consul": {"type": "apiKey", "in": "header", "name": "X-Consul-Token"},
            },
        },
    }


def operation_id(route: Route) -> str:
    """Return a name for an operation, made from method and path: the same in each version."""
    words = re.findall(r"[A-Za-z0-9]+", route.pattern)
    return "_".join([route.method.lower(), *words]) or "root"


def _operation(route: Route, datacenter: str) -> Json:
    operation: Json = {
        "operationId": operation_id(route),
        "summary": route.summary.rstrip("."),
        "tags": [_tag(route)],
        "parameters": [*_of_path(route), *parameters_of(route, datacenter)],
        "responses": _responses(route),
    }
    if route.level != OPEN:
        # a daemon without tokens asks for none
        operation["security"] = [{}, {"bearer": []}, {"consul": []}]
        operation["x-gossipd-level"] = route.level
    body = BODIES.get(route.pattern)
    if body is not None and route.method == "PUT":
        operation["requestBody"] = {"required": body.is_needed, "content": body.content}
    return operation


def _of_path(route: Route) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": "May hold slashes." if rest else "",
            "schema": ALWAYS.get((route.pattern, name), {"type": "string", "minLength": 1}),
        }
        for name, rest in _NAMED.findall(route.pattern)
    ]


def _tag(route: Route) -> str:
    if route.summary.startswith(REFUSED):
        return "not offered"
    parts = route.pattern.strip("/").split("/")
    return parts[1] if parts[0] == "v1" and len(parts) > 1 else parts[0] or "root"


def _responses(route: Route) -> Json:
    answers = dict(answers_of(route))
    errors = ERRORS if route.level != OPEN else {"400": ERRORS["400"], "503": ERRORS["503"]}
    for status, text in errors.items():
        answers.setdefault(status, {"description": text, "content": TEXT_ANSWER})
    return dict(sorted(answers.items()))


async def describe(request: Request, desk: Desk) -> Reply:
    """Answer with the document."""
    from gossipd.rest.table import all_routes  # which has this route too

    kept = desk.reading.kept
    question, state = ("openapi",), (desk.config,)
    reply = kept.find(question, state)
    if reply is None:
        body = encoded(document(all_routes(desk.config), desk.datacenter))
        reply = Reply(body=body, content_type=JSON)
        kept.keep(question, state, reply)
    return reply


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        pattern="/v1/openapi.json",
        handler=describe,
        level=READ,
        summary="This description.",
    ),
)
