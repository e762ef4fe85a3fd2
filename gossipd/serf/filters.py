"""Whether a query is meant for us (gossip.md, section 17, filters).

A filter is a type byte and a msgpack value: 0 is a list of node names, 1 a
map ``Tag``, ``Expr``. All must match. A filter that cannot be understood
matches nothing and is reported; one that merely fails is not.
"""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.errors import WireError
from gossipd.pattern import Pattern
from gossipd.wire.dialect import struct_of_untrusted, text_untrusted, unpack_untrusted

NODE_FILTER = 0
TAG_FILTER = 1
FILTERS_MAX = 128
"""Filters looked at in one query; a packet of the usual size holds fewer."""


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
