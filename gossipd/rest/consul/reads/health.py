"""GET /v1/health/...: who of a service can be used, and what its checks say (section 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossipd.rest.consul.filtering.fields import CHECK, ENTRY
from gossipd.rest.consul.filtering.language import Filter
from gossipd.rest.consul.reads.catalog import (
    answer_listing,
    instances_on,
    meant_node,
    none,
    refuse_no_name,
)
from gossipd.rest.consul.reads.questions import Question, question_of
from gossipd.rest.consul.reads.selecting import by_distance, has_meta, node_of_item
from gossipd.rest.consul.shapes import Json
from gossipd.rest.topics import CHECKS, NODES
from gossipd.rest.values import Refused, Reply, Request, Route
from gossipd.services.definition import STATUSES
from gossipd.services.instance import Instance
from gossipd.value import replace

if TYPE_CHECKING:
    from gossipd.rest.desk import Desk

ANY = "any"


async def service(request: Request, desk: Desk) -> Reply:
    """Answer the instances of a service with their nodes and checks."""
    refuse_no_name(request)
    question, shape = question_of(request, desk), desk.reading.shapes.entry
    return await answer_listing(request, desk, question, question, shape, ENTRY)


async def checks(request: Request, desk: Desk) -> Reply:
    """Answer the checks of the instances of a service, without those of their nodes."""
    refuse_no_name(request)
    question, shape = question_of(request, desk), desk.reading.shapes.instance_checks
    plain = replace(question, passing=False, tags=())
    return await answer_listing(request, desk, question, plain, shape, CHECK)


async def node(request: Request, desk: Desk) -> Reply:
    """Answer the checks of a node and of all that runs there."""
    asked = request.names["node"]
    if not asked:
        raise Refused(400, "Missing node name")
    question, reading, handle = question_of(request, desk), desk.reading, desk.handle
    chosen_by = Filter(question.expression, CHECK)
    name, topics = meant_node(asked, reading.shapes)

    def make() -> list[Json]:
        return chosen_by.of(_checks_on(name, desk))

    return await reading.answer(
        request, question, topics, make, lambda: (handle.services(), handle.own_services())
    )


async def state(request: Request, desk: Desk) -> Reply:
    """Answer all checks of one status, or all there are."""
    wanted = request.names["state"]
    if not wanted:
        raise Refused(400, "Missing check state")
    if wanted != ANY and wanted not in STATUSES:
        raise Refused(400, "Invalid check state: write any, passing, warning or critical")
    question, reading, handle = question_of(request, desk), desk.reading, desk.handle
    chosen_by = Filter(question.expression, CHECK)

    def make() -> list[Json]:
        made = [
            check
            for name in _nodes_for(question, desk)
            for check in _checks_on(name, desk)
            if wanted in (ANY, check["Status"])
        ]
        return by_distance(question, handle, chosen_by.of(made), node_of_item)

    topics = (CHECKS, NODES) if question.node_meta else (CHECKS,)
    return await reading.answer(
        request, question, topics, make, lambda: (handle.services(), handle.own_services())
    )


def _nodes_for(question: Question, desk: Desk) -> list[str]:
    shapes = desk.reading.shapes
    names = shapes.node_names()
    if not question.node_meta:
        return names
    chosen = []
    for name in names:
        meta = shapes.node(name)["Meta"]
        assert isinstance(meta, dict)
        if has_meta(meta, question.node_meta):
            chosen.append(name)
    return chosen


def _checks_on(name: str, desk: Desk) -> list[Json]:
    """Return the checks of a node, then those of its instances by id."""
    shapes, known = desk.reading.shapes, desk.reading.topics.known(name)
    own: tuple[Instance, ...] = () if known is None else desk.handle.services_of(name)
    made = shapes.checks.of_node(name, 1 if known is None else known.since, own)
    for instance in instances_on(name, desk):
        made += shapes.checks.of_instance(instance, shapes.index_of(instance))
    return made


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET", pattern="/v1/health/service/{name}", handler=service, waits=True,
        summary="Instances of a service with their nodes and checks",
    ),
    Route(
        method="GET", pattern="/v1/health/checks/{name}", handler=checks, waits=True,
        summary="Checks of a service",
    ),
    Route(
        method="GET", pattern="/v1/health/node/{node}", handler=node, waits=True,
        summary="Checks of a node and of its services",
    ),
    Route(
        method="GET", pattern="/v1/health/state/{state}", handler=state, waits=True,
        summary="Checks of one status, or any",
    ),
    Route(
        method="GET", pattern="/v1/health/connect/{name}", handler=none, waits=True,
        summary="Nothing: there is no mesh",
    ),
    Route(
        method="GET", pattern="/v1/health/ingress/{name}", handler=none, waits=True,
        summary="Nothing: there is no mesh",
    ),
)  # fmt: skip
