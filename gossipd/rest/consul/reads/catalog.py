"""GET /v1/catalog/...: nodes and services as Consul's clients list them (section 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossipd.rest.consul.filtering.fields import (
    AGENT_SERVICE,
    CATALOG_SERVICE,
    NODE,
    SERVICE_LISTED,
    Record,
)
from gossipd.rest.consul.filtering.language import Filter
from gossipd.rest.consul.nodes import is_id
from gossipd.rest.consul.reads.fragments import Listing, Shape
from gossipd.rest.consul.reads.questions import Question, question_of
from gossipd.rest.consul.reads.reading import json_reply
from gossipd.rest.consul.reads.selecting import (
    by_distance,
    has_meta,
    instances_for,
    node_of_item,
    shown_order,
)
from gossipd.rest.consul.shapes import Json, Shapes
from gossipd.rest.topics import DEFINITIONS, NAMES, NODES, Topic, node_topic, service_topic
from gossipd.rest.values import Refused, Reply, Request, Route
from gossipd.services.instance import Instance
from gossipd.value import replace

if TYPE_CHECKING:
    from gossipd.rest.desk import Desk


async def datacenters(request: Request, desk: Desk) -> Reply:
    """Answer the names of the datacenters, of which there is one."""
    question_of(request, desk)
    return json_reply([desk.datacenter])


async def nodes(request: Request, desk: Desk) -> Reply:
    """Answer all nodes."""
    question, reading = question_of(request, desk), desk.reading
    chosen_by = Filter(question.expression, NODE)

    def make() -> list[Json]:
        shapes = reading.shapes
        made = [shapes.node(name) for name in shapes.node_names()]
        wanted = question.node_meta
        if wanted:
            made = [node for node in made if has_meta(_text_map(node["Meta"]), wanted)]
        return by_distance(question, desk.handle, chosen_by.of(made), node_of_item)

    return await reading.answer(request, question, (NODES,), make, tuple)


async def services(request: Request, desk: Desk) -> Reply:
    """Answer the names of all services with their tags."""
    question, reading, handle = _question_of(request, desk), desk.reading, desk.handle
    chosen_by = Filter(question.expression, SERVICE_LISTED)
    is_narrow = bool(question.node_meta or question.expression)

    def make() -> dict[str, list[str]]:
        listed = handle.services()
        if not is_narrow:
            return {summary.name: list(summary.tags) for summary in listed}
        found: dict[str, set[str]] = {}
        shapes = reading.shapes
        for summary in listed:
            view = handle.service(summary.name)
            chosen = instances_for(question, view.instances, shapes)
            for item in chosen_by.of(map(shapes.catalog_service, chosen)):
                found.setdefault(summary.name, set()).update(_texts(item["ServiceTags"]))
        return {name: sorted(tags) for name, tags in found.items()}

    topics: tuple[Topic, ...] = (NAMES, NODES, DEFINITIONS) if is_narrow else (NAMES,)
    return await reading.answer(request, question, topics, make, lambda: (handle.services(),))


async def service(request: Request, desk: Desk) -> Reply:
    """Answer the instances of one service, node and service side by side."""
    refuse_no_name(request)
    question, shape = _question_of(request, desk), desk.reading.shapes.catalog_service
    return await answer_listing(request, desk, question, question, shape, CATALOG_SERVICE)


def refuse_no_name(request: Request) -> None:
    """Refuse a path without the name of a service."""
    if not request.names["name"]:
        raise Refused(400, "Missing service name")


async def answer_listing(
    request: Request, desk: Desk, question: Question, meant: Question, shape: Shape, record: Record
) -> Reply:
    """Answer what is shown of the instances of the service that the path names.

    Args:
        meant: says which of them are, like ``question`` or wider.
        shape: makes what is shown of one.
        record: what a filter may name of that.
    """
    name, reading, handle = request.names["name"], desk.reading, desk.handle
    chosen_by = Filter(question.expression, record)

    def chosen() -> list[Instance]:
        found = instances_for(meant, handle.service(name).instances, reading.shapes)
        return by_distance(question, handle, found, reading.shapes.externals.shown_node)

    def make() -> Listing:
        return Listing(reading.fragments, shape, chosen_by, chosen)

    topics = (service_topic(name),)
    return await reading.answer(request, question, topics, make, lambda: (handle.service(name),))


async def node(request: Request, desk: Desk) -> Reply:
    """Answer one node with its services by id."""
    return await _node(request, desk, as_list=False)


async def node_services(request: Request, desk: Desk) -> Reply:
    """Answer one node with its services as a list."""
    return await _node(request, desk, as_list=True)


async def _node(request: Request, desk: Desk, *, as_list: bool) -> Reply:
    asked = request.names["node"]
    if not asked:
        raise Refused(400, "Missing node name")
    question, reading, handle = question_of(request, desk), desk.reading, desk.handle
    chosen_by = Filter(question.expression, AGENT_SERVICE)
    shapes = reading.shapes
    name, topics = meant_node(asked, shapes)

    def make() -> Json | None:
        if not shapes.is_node(name):
            return None
        chosen = chosen_by.of(map(shapes.service, instances_on(name, desk)))
        return {
            "Node": shapes.node(name),
            "Services": chosen if as_list else {str(each["ID"]): each for each in chosen},
        }

    return await reading.answer(request, question, topics, make, lambda: (handle.services(),))


async def none(request: Request, desk: Desk) -> Reply:
    """Answer that there is nothing in the mesh: gossipd has none."""
    question, reading = question_of(request, desk), desk.reading
    return await reading.answer(request, question, (NAMES,), list, tuple)


def _question_of(request: Request, desk: Desk) -> Question:
    """Return what is asked of instances: how they are is no matter of the catalog."""
    return replace(question_of(request, desk), passing=False)


def meant_node(asked: str, shapes: Shapes) -> tuple[str, tuple[Topic, ...]]:
    """Return the node that is asked for by name or id, and what tells that it changed.

    Of an id that nobody has, nobody can say whose topic it will be: any node may bring it.
    """
    name = shapes.find_node(asked)
    if name is None and is_id(asked):
        return asked, (NODES,)
    return name or asked, (node_topic(name or asked),)


def instances_on(node: str, desk: Desk) -> list[Instance]:
    """Return the instances that clients are shown on ``node``, by id."""
    shapes = desk.reading.shapes
    externals = shapes.externals
    found = [one for one in desk.handle.services_of(node) if externals.shown_node(one) == node]
    found += externals.instances(node)
    return sorted(found, key=shown_order(shapes))


def _text_map(value: object) -> dict[str, str]:
    assert isinstance(value, dict)
    return value


def _texts(value: object) -> list[str]:
    assert isinstance(value, list)
    return value


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET", pattern="/v1/catalog/datacenters", handler=datacenters,
        summary="Names of the datacenters",
    ),
    Route(
        method="GET", pattern="/v1/catalog/nodes", handler=nodes, waits=True,
        summary="All nodes",
    ),
    Route(
        method="GET", pattern="/v1/catalog/services", handler=services, waits=True,
        summary="Names of all services with their tags",
    ),
    Route(
        method="GET", pattern="/v1/catalog/service/{name}", handler=service, waits=True,
        summary="Instances of one service",
    ),
    Route(
        method="GET", pattern="/v1/catalog/connect/{name}", handler=none, waits=True,
        summary="Nothing: there is no mesh",
    ),
    Route(
        method="GET", pattern="/v1/catalog/node/{node}", handler=node, waits=True,
        summary="One node with its services by id",
    ),
    Route(
        method="GET", pattern="/v1/catalog/node-services/{node}", handler=node_services,
        waits=True, summary="One node with its services",
    ),
)  # fmt: skip
