"""Which route a path means: the most literal pattern wins, then the method is looked at.

As in Consul, a pattern that ends in a name takes whatever follows, slashes included, unless
a longer pattern fits: ids may hold them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from gossipd.rest.values import Refused, Route
from gossipd.value import Value

UNKNOWN = "Invalid URL path: not a recognized HTTP API endpoint"
"""Tools look for these words."""
_NOUNS = {
    "service": "service name",
    "checks": "service name",
    "connect": "service name",
    "node": "node name",
    "node-services": "node name",
    "state": "check state",
    "fire": "name",
    "join": "address",
    "force-leave": "node name",
}


class Match(Value):
    """A route and the parts of the path that it names."""

    route: Route
    names: Mapping[str, str]


_ByMethod: TypeAlias = dict[str, tuple[tuple[str, ...], Route]]
"""What answers at one place, and how the named parts of its path are called."""


class _Node:
    """One place in the tree of patterns."""

    __slots__ = ("literals", "named", "rest", "routes")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.named: _Node | None = None
        self.rest: _ByMethod = {}
        self.routes: _ByMethod = {}


class Table:
    """All routes.

    Raises:
        ValueError: two routes answer the same, or a pattern is none.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node = self._root
        names: list[str] = []
        *before, last = route.pattern.removeprefix("/").split("/")
        for part in before:
            node = self._below(node, part, names)
        if last.startswith("{") and last.endswith("*}"):
            names.append(last[1:-2])
            by_method = node.rest
        else:
            by_method = self._below(node, last, names).routes
        if route.method in by_method:
            raise ValueError(f"two routes for {route.method} {route.pattern}")
        by_method[route.method] = (tuple(names), route)

    @staticmethod
    def _below(node: _Node, part: str, names: list[str]) -> _Node:
        if not part.startswith("{"):
            return node.literals.setdefault(part, _Node())
        if not part.endswith("}") or part.endswith("*}"):
            raise ValueError(f"{part} is no part of a pattern")
        names.append(part[1:-1])
        if node.named is None:
            node.named = _Node()
        return node.named

    def match(self, method: str, segments: Sequence[str]) -> Match:
        """Return the route of a path; HEAD is answered by the route of GET.

        Raises:
            Refused: 404, there is none; 405 with ``Allow``; 400, the last part is missing.
        """
        by_method, values = self._at(tuple(segments))
        entry = by_method.get("GET" if method == "HEAD" else method)
        if entry is None:
            shown = method if method.isalpha() and len(method) <= 16 else "of this name"
            raise Refused(405, f"method {shown} not allowed", ("Allow", allowed(by_method)))
        names, route = entry
        if values and not values[-1] and not route.pattern.endswith("*}"):
            raise Refused(400, f"Missing {_noun(route.pattern)}")
        return Match(route, dict(zip(names, values, strict=True)))

    def allow(self, segments: Sequence[str]) -> str:
        """Return what ``Allow`` says of a path.

        Raises:
            Refused: 404, nothing answers it.
        """
        if tuple(segments) == ("*",):
            return "GET, HEAD, OPTIONS, PUT"
        return allowed(self._at(tuple(segments))[0])

    def _at(self, segments: tuple[str, ...]) -> tuple[_ByMethod, tuple[str, ...]]:
        is_odd = len(segments) > 1 and not segments[0]  # //v1 is not /v1
        found = None if is_odd else self._find(self._root, segments, ())
        if found is None:
            raise Refused(404, UNKNOWN)
        return found

    def _find(
        self, node: _Node, segments: tuple[str, ...], values: tuple[str, ...]
    ) -> tuple[_ByMethod, tuple[str, ...]] | None:
        """Return what stands at ``segments`` below ``node``, by method, and the named parts."""
        if not segments or (segments == ("",) and node.routes and node is not self._root):
            return (node.routes, values) if node.routes else None
        first, rest = segments[0], segments[1:]
        below = node.literals.get(first)
        if below is not None:
            found = self._find(below, rest, values)
            if found is not None:
                return found
        if node.named is not None:
            found = self._find(node.named, rest, (*values, first))
            if found is not None:
                return found
            if rest and node.named.routes:
                return node.named.routes, (*values, "/".join(segments))
        if node.rest:
            taken = (*values, "/".join(segments))
            return node.rest, taken
        return None


def allowed(by_method: Iterable[str]) -> str:
    """Return the value of ``Allow`` for the methods that are answered."""
    methods = {*by_method, "OPTIONS"}
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))


def _noun(pattern: str) -> str:
    *_, kind, name = pattern.split("/")
    return _NOUNS.get(kind, f"{kind} {name[1:-1]}".replace("_", " "))
