"""``Question``: what a read asks for, beside its path (consul-http.md, sections 2, 3 and 7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gossipd.rest.query import flag, local_datacenter
from gossipd.rest.values import Refused, Request
from gossipd.value import Value

if TYPE_CHECKING:
    from gossipd.rest.desk import Desk

LISTED_MAX = 64
"""Values of ``tag`` or ``node-meta`` in one request."""


class Question(Value, kw_only=True):
    """What is asked for. Equal ones get equal answers while nothing changes.

    ``near`` is a node or ``_agent``; ``expression`` of the filter language; both empty
    if not asked for.
    """

    passing: bool = False
    tags: tuple[str, ...] = ()
    node_meta: tuple[tuple[str, str], ...] = ()
    near: str = ""
    expression: str = ""
    is_cached: bool = False


PLAIN = Question()


def question_of(request: Request, desk: Desk) -> Question:
    """Return what ``request`` asks for.

    Raises:
        Refused: a value that is none, or something that is not offered.
    """
    query = request.query
    if not query:
        return PLAIN
    local_datacenter(request, desk.datacenter)
    _check_consistency(request, desk)
    return Question(
        passing=flag(request, "passing"),
        tags=_listed(query, "tag"),
        node_meta=_node_meta(query),
        near=request.first("near"),
        expression=request.first("filter"),
        is_cached=flag(request, "cached"),
    )


def _check_consistency(request: Request, desk: Desk) -> None:
    query = request.query
    if "consistent" not in query or not flag(request, "consistent"):
        if "stale" in query:
            flag(request, "stale")
        return
    if "stale" in query and flag(request, "stale"):
        raise Refused(400, "Cannot specify ?stale with ?consistent, conflicting semantics.")
    if desk.config.refuse_consistent:
        raise Refused(501, "consistent reads not offered by gossipd: needs consensus")


def _listed(query: Mapping[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(value for value in query.get(name, ()) if value))
    if len(values) > LISTED_MAX:
        raise Refused(400, f"Too many values for ?{name}: at most {LISTED_MAX}")
    return values


def _node_meta(query: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for value in _listed(query, "node-meta"):
        key, _, wanted = value.partition(":")
        pairs.append((key, wanted))
    return tuple(pairs)
