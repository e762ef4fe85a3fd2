"""Whom a query or a user event is meant for (gossip.md, section 17, filters; section 22).

A filter is a type byte and a msgpack value: 0 is a list of node names, 1 a
map ``Tag``, ``Expr``. All must match. A filter that cannot be understood
matches nothing and is reported; one that merely fails is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gossipd.errors import UsageError, WireError
from gossipd.pattern import Pattern
from gossipd.wire.dialect import (
    LIST_ITEMS_MAX,
    pack,
    struct_of_untrusted,
    text_untrusted,
    unpack_untrusted,
)
from gossipd.wire.serf_messages import EventExtras

NODE_FILTER = 0
TAG_FILTER = 1
FILTERS_MAX = 128
"""Filters looked at in one query; a packet of the usual size holds fewer."""


class Audience:
    """Whom something of ours is meant for.

    Args:
        nodes: names, of which one must be the node's; empty is every node.
        tags: tag to RE2 expression, searched in the tag's value, which is empty for a node
            without it; all must match.

    Raises:
        UsageError: an expression is none, or more names or tags are given than nodes read.
    """

    __slots__ = ("_nodes", "_patterns", "_tags")

    def __init__(self, nodes: Sequence[str], tags: Mapping[str, str]) -> None:
        if len(nodes) > LIST_ITEMS_MAX:
            raise UsageError(f"{len(nodes)} node names: at most {LIST_ITEMS_MAX} can be given")
        if len(tags) >= FILTERS_MAX:
            raise UsageError(f"{len(tags)} tag filters: at most {FILTERS_MAX - 1} can be given")
        self._nodes = dict.fromkeys(nodes)
        self._tags = dict(tags)
        self._patterns = [(tag, _pattern_of(tag, text)) for tag, text in tags.items()]

    def has(self, name: str, tags: Mapping[str, str]) -> bool:
        """Say whether the node ``name`` with ``tags`` belongs to it."""
        if self._nodes and name not in self._nodes:
            return False
        return all(pattern.search(tags.get(tag, "")) for tag, pattern in self._patterns)

    def filters(self) -> tuple[bytes, ...]:
        """Return it as the filters of a query."""
        encoded = [bytes((NODE_FILTER,)) + pack(list(self._nodes))] if self._nodes else []
        for tag, expression in self._tags.items():
            encoded.append(bytes((TAG_FILTER,)) + pack({"Expr": expression, "Tag": tag}))
        return tuple(encoded)


def _pattern_of(tag: str, expression: str) -> Pattern:
    try:
        return Pattern(expression)
    except WireError as error:
        raise UsageError(f"tag filter {tag}={expression}: {error.detail}") from None


def is_addressed_untrusted(
    extras: EventExtras,
    name: str,
    tags: Mapping[str, str],
    pattern_of: Callable[[str], Pattern] = Pattern,
) -> bool:
    """Say whether a user event is for the node ``name`` with ``tags``.

    Raises:
        WireError: an expression is none. The event is then not for us.
    """
    if extras.nodes and name not in extras.nodes:
        return False
    return all(pattern_of(text).search(tags.get(tag, "")) for tag, text in extras.tags)


def are_met_untrusted(filters: tuple[bytes, ...], name: str, tags: Mapping[str, str]) -> bool:
    """Say whether all ``filters`` match the node ``name`` with ``tags``.

    Raises:
        WireError: a filter is empty, of an unknown type, cannot be decoded or
            its expression is none. The query is then not for us.
    """
    if len(filters) > FILTERS_MAX:
        raise WireError("bad-filter", f"more than {FILTERS_MAX} filters")
    return all(_is_met_untrusted(each, name, tags) for each in filters)


def _is_met_untrusted(encoded: bytes, name: str, tags: Mapping[str, str]) -> bool:
    if not encoded:
        raise WireError("bad-filter", "empty")
    if encoded[0] == NODE_FILTER:
        names = unpack_untrusted(encoded[1:])
        if names is None:
            return False
        if not isinstance(names, list):
            raise WireError("bad-filter", "the node names are no list")
        return name.encode("utf-8", "surrogateescape") in names
    if encoded[0] == TAG_FILTER:
        fields = struct_of_untrusted(unpack_untrusted(encoded[1:]), (b"Tag", b"Expr"))
        tag, expression = text_untrusted(fields, b"Tag"), text_untrusted(fields, b"Expr")
        return Pattern(expression).search(tags.get(tag, ""))
    raise WireError("bad-filter", f"type {encoded[0]} is unknown")
