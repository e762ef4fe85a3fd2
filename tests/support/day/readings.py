"""What clients read: a target, what its answer is made from, and how its content is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from support.day.oracle import EVERY, Oracle, Wrong
from support.day.records import Choice, Sight
from support.day.wire import target_of

NAMES: Final = ("web", "api", "db", "batch")
TAGS: Final = ("v1", "v2", "blue")
ZONES: Final = ("a", "b")
Topics = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Reading:
    """One question."""

    target: str
    topics: Topics
    judge: Callable[[Any, float, float], None]

    def held_by(self, index: int, wait: float) -> str:
        """Return the target of the question held as long as ``index`` is the newest."""
        joint = "&" if "?" in self.target else "?"
        return f"{self.target}{joint}index={index}&wait={wait:g}s"


def _has_v1(sight: Sight) -> bool:
    return "v1" in sight.record.tags


def _is_zone_a(sight: Sight) -> bool:
    return dict(sight.record.meta).get("zone") == "a"


def _warns_or_worse(sight: Sight) -> bool:
    return any(status in ("warning", "critical") for status in sight.statuses)


FILTERS: Final = (
    ('"v1" in Service.Tags', _has_v1),
    ('Service.Meta.zone == "a"', _is_zone_a),
    ('Checks.Status == "warning" or Checks.Status == "critical"', _warns_or_worse),
)


def choice_of(random: Random) -> tuple[Choice, dict[str, object]]:
    """Return what a client wants of a service, and the parameters that say so."""
    match random.randrange(7):
        case 0 | 1:
            return Choice(passing=True), {"passing": random.choice(("1", "true", "True"))}
        case 2:
            tags = tuple(random.sample(TAGS, random.choice((1, 1, 2))))
            return Choice(tags=tags), {"tag": tags}
        case 3:
            expression, rule = random.choice(FILTERS)
            return Choice(expression=expression, rule=rule), {"filter": expression}
        case 4:
            zone = random.choice(ZONES)
            return Choice(meta=(("zone", zone),)), {"node_meta": f"zone:{zone}"}
        case _:
            return EVERY, {}


class Readings:
    """Makes questions.

    Args:
        nodes: names of all nodes that there may be, that which is asked first.
    """

    def __init__(self, oracle: Oracle, nodes: tuple[str, ...]) -> None:
        self._oracle = oracle
        self._nodes = nodes

    def any_of(self, random: Random) -> Reading:
        """Return a question that may be held by index."""
        kinds = [self.health, self.health, self.health, self.catalog, self.checks]
        kinds += [self.names, self.nodes, self.state, self.node]
        return random.choice(kinds)(random)

    def health(self, random: Random) -> Reading:
        """Ask who of a service can be used."""
        name, (choice, query) = random.choice(NAMES), choice_of(random)
        oracle, eyes = self._oracle, self._nodes[0]
        if random.random() < 0.15:
            query["near"] = "_agent"

        def judge(told: Any, begin: float, end: float) -> None:
            order = oracle.entries(name, choice, told, begin, end)
            nodes = [node for node, _ in order]
            if "near" not in query and order != sorted(order):
                raise Wrong(f"{name} is told in the order {order}")
            if "near" in query and eyes in nodes and nodes[0] != eyes:
                raise Wrong(f"nothing is nearer to {eyes} than itself: {nodes}")

        topics = {("service", name)} | ({("nodes", "")} if choice.meta else set())
        return Reading(target_of(f"/v1/health/service/{name}", **query), frozenset(topics), judge)

    def catalog(self, random: Random) -> Reading:
        """Ask for the instances of a service, whatever their checks say."""
        name = random.choice(NAMES)
        tags = tuple(random.sample(TAGS, random.choice((0, 1))))
        choice = Choice(tags=tags)

        def judge(told: Any, begin: float, end: float) -> None:
            order = self._oracle.catalog(name, choice, told, begin, end)
            if order != sorted(order):
                raise Wrong(f"{name} is told in the order {order}")

        target = target_of(f"/v1/catalog/service/{name}", tag=tags)
        return Reading(target, frozenset({("service", name)}), judge)

    def checks(self, random: Random) -> Reading:
        """Ask for the checks of a service."""
        name = random.choice(NAMES)

        def judge(told: Any, begin: float, end: float) -> None:
            self._oracle.checks(told, begin, end, service=name)

        return Reading(f"/v1/health/checks/{name}", frozenset({("service", name)}), judge)

    def names(self, random: Random) -> Reading:
        """Ask which services there are."""
        return Reading("/v1/catalog/services", frozenset({("names", "")}), self._oracle.names)

    def nodes(self, random: Random) -> Reading:
        """Ask which nodes there are."""
        return Reading("/v1/catalog/nodes", frozenset({("nodes", "")}), self._oracle.nodes)

    def state(self, random: Random) -> Reading:
        """Ask for all checks of a status."""
        state = random.choice(("any", "passing", "warning", "critical"))

        def judge(told: Any, begin: float, end: float) -> None:
            self._oracle.checks(told, begin, end, state=state)

        return Reading(f"/v1/health/state/{state}", frozenset({("checks", "")}), judge)

    def node(self, random: Random) -> Reading:
        """Ask for the checks of a node."""
        name = random.choice(self._nodes)

        def judge(told: Any, begin: float, end: float) -> None:
            self._oracle.checks(told, begin, end, node=name)

        return Reading(f"/v1/health/node/{name}", frozenset({("node", name)}), judge)
