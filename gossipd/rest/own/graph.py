"""``/v1/gossipd/graph`` and ``/impact``: what needs what, and who loses what without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossipd.rest.own.json_pieces import NO_STORE, fresh_reply
from gossipd.rest.values import Refused, Reply, Request, Route

if TYPE_CHECKING:
    from gossipd.rest.desk import Desk

DOT = "text/vnd.graphviz; charset=utf-8"
FORMATS = ("json", "dot")


async def graph(request: Request, desk: Desk) -> Reply:
    """Answer with the graph of services by their needs."""
    wanted = request.first("format", "json")
    if wanted not in FORMATS:
        raise Refused(400, f"format: give one of {', '.join(FORMATS)}")
    summaries = desk.handle.services()
    if wanted == "dot":
        from gossipd.catalog.graph import dot

        body = dot(summaries).encode("utf-8", "replace")
        return Reply(body=body, content_type=DOT, headers=NO_STORE)
    from gossipd.rest.own.graph_json import graph_json

    return fresh_reply(graph_json(summaries))


async def impact(request: Request, desk: Desk) -> Reply:
    """Answer with who loses what when a node or a service goes."""
    from gossipd.catalog.graph import impact_of_node, impact_of_service, needs_of
    from gossipd.rest.own.graph_json import impact_json

    kind, name, handle = request.names["kind"], request.names["name"], desk.handle
    needs = needs_of(handle.services())
    if kind == "service":
        if name not in needs:
            raise Refused(404, "no service of that name")
        found = impact_of_service(name, handle.service(name).instances, needs)
    elif kind == "node":
        if not any(member.name == name for member in handle.view().members):
            raise Refused(404, "no member of that name")
        own = handle.services_of(name)
        carried = dict.fromkeys(instance.service.name for instance in own)
        others = {each: handle.service(each).instances for each in carried}
        found = impact_of_node(name, own, others, needs)
    else:
        raise Refused(400, "impact: of a node or of a service")
    return fresh_reply({kind: name} | impact_json(found))


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        pattern="/v1/gossipd/graph",
        handler=graph,
        summary="Which service needs which, and what is missing.",
    ),
    Route(
        method="GET",
        pattern="/v1/gossipd/impact/{kind}/{name}",
        handler=impact,
        summary="Who loses what when a node or a service goes.",
    ),
)
