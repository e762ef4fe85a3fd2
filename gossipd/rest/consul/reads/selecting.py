"""Which nodes and instances a question is about, and in which order (sections 3 and 7)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from gossipd.coordinate import Coordinate
from gossipd.coordinates.space import distance, is_finite
from gossipd.node.handle import NodeHandle
from gossipd.rest.consul.reads.questions import Question
from gossipd.rest.consul.shapes import Json, Shapes
from gossipd.services.definition import PASSING
from gossipd.services.instance import Instance

T = TypeVar("T")
AGENT = "_agent"
"""The node that is asked, as a place to be near to."""


def instances_for(
    question: Question, instances: Iterable[Instance], shapes: Shapes
) -> list[Instance]:
    """Return those of ``instances`` that tags, node meta and ``passing`` let through.

    They are in the order of node and id.
    """
    tags = [tag.lower() for tag in question.tags]
    chosen = []
    for instance in instances:
        if question.passing and instance.status != PASSING:
            continue
        if tags:
            own = {tag.lower() for tag in instance.service.tags}
            if not all(tag in own for tag in tags):
                continue
        if question.node_meta and not has_meta(_meta_of(instance, shapes), question.node_meta):
            continue
        chosen.append(instance)
    if shapes.externals:  # otherwise they come in this order
        chosen.sort(key=shown_order(shapes))
    return chosen


def shown_order(shapes: Shapes) -> Callable[[Instance], tuple[str, str, str]]:
    """Return what tells what instances are sorted by: node, id, and who registered them."""
    externals = shapes.externals

    def order(instance: Instance) -> tuple[str, str, str]:
        id = externals.shown_service(instance.service).id
        return externals.shown_node(instance), id, instance.owner

    return order


def has_meta(meta: Mapping[str, str], wanted: tuple[tuple[str, str], ...]) -> bool:
    """Return whether all pairs of ``wanted`` are in ``meta``."""
    return all(meta.get(key) == value for key, value in wanted)


def by_distance(
    question: Question, handle: NodeHandle, items: list[T], node_of: Callable[[T], str]
) -> list[T]:
    """Return ``items`` nearest first, those without a coordinate last; as they are if
    nothing is known of where that is."""
    if not question.near:
        return items
    here = handle.view().name if question.near == AGENT else question.near
    origin = handle.coordinate(here)
    if origin is None or not is_finite(origin):
        return items
    known: dict[str, float] = {}
    for item in items:
        node = node_of(item)
        if node not in known:
            known[node] = _distance(handle, node, here, origin)
    return sorted(items, key=lambda item: known[node_of(item)])


def _distance(handle: NodeHandle, node: str, here: str, origin: Coordinate) -> float:
    if node == here:
        return 0.0
    there = handle.coordinate(node)
    if there is None or not is_finite(there) or len(there.vec) != len(origin.vec):
        return math.inf
    return distance(origin, there)


def _meta_of(instance: Instance, shapes: Shapes) -> Mapping[str, str]:
    meta = shapes.node(shapes.externals.shown_node(instance), instance.owner_address)["Meta"]
    assert isinstance(meta, dict)
    return meta


def node_of_item(item: Json) -> str:
    """Return the node that an object of an answer belongs to."""
    node = item["Node"]
    return str(node["Node"]) if isinstance(node, dict) else str(node)
