"""What single commands of the local socket answer, as clients see it.

Read by the client side only, as ``records.py``. Plain classes with slots:
the command line lives on them, and starts without ``typing`` or dataclasses.
"""

from __future__ import annotations

import math

from gossipd.errors import WireError
from gossipd.query.records import BAD_REPLY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class KeysReply:
    """What the members said to a key command (rpc.md, section 6, keys).

    ``nodes`` were asked, ``responses`` answered, ``errors`` of them with a failure;
    ``messages`` has a remark or failure by node name. A list has in ``keys`` the
    number of nodes by base64 key, and in ``primary_keys`` of how many it is the
    primary one (empty from a Serf agent).
    """

    __slots__ = ("errors", "keys", "messages", "nodes", "primary_keys", "responses")

    def __init__(
        self,
        nodes: int,
        responses: int,
        errors: int,
        messages: Mapping[str, str],
        keys: Mapping[str, int],
        primary_keys: Mapping[str, int],
    ) -> None:
        self.nodes = nodes
        self.responses = responses
        self.errors = errors
        self.messages = messages
        self.keys = keys
        self.primary_keys = primary_keys


def read_keys_untrusted(body: object) -> KeysReply:
    """Return the answer to a key command.

    Raises:
        WireError: ``bad-reply``.
    """
    if isinstance(body, dict):
        counts = [body.get(name) for name in ("NumNodes", "NumResp", "NumErr")]
        messages = body.get("Messages") or {}
        keys, primary_keys = body.get("Keys") or {}, body.get("PrimaryKeys") or {}
        if (
            all(type(count) is int for count in counts)
            and _is_map(messages, str)
            and _is_map(keys, int)
            and _is_map(primary_keys, int)
        ):
            nodes, responses, errors = counts
            return KeysReply(nodes, responses, errors, messages, keys, primary_keys)  # type: ignore[arg-type]
    raise WireError(BAD_REPLY, "a key command without its numbers")


class CoordinateReply:
    """Where a node is in the space of round trips (gossip.md, section 19); seconds.

    ``error`` is the relative error that the node expects of its estimates.
    """

    __slots__ = ("adjustment", "error", "height", "vec")

    def __init__(
        self, vec: tuple[float, ...], height: float, adjustment: float, error: float
    ) -> None:
        self.vec = vec
        self.height = height
        self.adjustment = adjustment
        self.error = error

    def rtt(self, other: CoordinateReply) -> float:
        """Return the estimated round trip to ``other`` in seconds (rpc.md, get-coordinate).

        Raises:
            ValueError: the two are of different dimensions.
        """
        apart = math.dist(self.vec, other.vec) + self.height + other.height
        adjusted = apart + self.adjustment + other.adjustment
        return adjusted if adjusted > 0 else apart


def read_coordinate_untrusted(body: object) -> CoordinateReply | None:
    """Return the answer to ``get-coordinate``; ``None`` if the node's is not known.

    Raises:
        WireError: ``bad-reply``.
    """
    if isinstance(body, dict) and body.get("Ok") is False:
        return None
    coord = body.get("Coord") if isinstance(body, dict) else None
    if isinstance(coord, dict):
        vec = coord.get("Vec")
        rest = [coord.get(name) for name in ("Height", "Adjustment", "Error")]
        if isinstance(vec, list) and all(isinstance(x, (float, int)) for x in [*vec, *rest]):
            height, adjustment, error = rest
            return CoordinateReply(tuple(vec), height, adjustment, error)  # type: ignore[arg-type]
    raise WireError(BAD_REPLY, "a coordinate without its numbers")


class QueryOutcome:
    """All that came of a query: who acknowledged it, in order, and who answered what."""

    __slots__ = ("acks", "responses")

    def __init__(self) -> None:
        self.acks: list[str] = []
        self.responses: dict[str, bytes | None] = {}

    def add(self, reply: QueryReply) -> None:
        """Enter one reply; of several of one kind and node the first counts."""
        if reply.kind == "response":
            self.responses.setdefault(reply.node, reply.payload)
        elif reply.node not in self.acks:
            self.acks.append(reply.node)


class QueryReply:
    """One reply to a query: ``kind`` is ``ack`` or ``response``, ``node`` sent it."""

    __slots__ = ("kind", "node", "payload")

    def __init__(self, kind: str, node: str, payload: bytes | None = None) -> None:
        self.kind = kind
        self.node = node
        self.payload = payload


def read_joined_untrusted(body: object) -> int:
    """Return how many addresses a join contacted.

    Raises:
        WireError: ``bad-reply``.
    """
    contacted = body.get("Num") if isinstance(body, dict) else None
    if not isinstance(contacted, int):
        raise WireError(BAD_REPLY, "a join without its number")
    return contacted


def read_stats_untrusted(body: Any) -> dict[str, dict[str, str]]:
    """Return the daemon's numbers by section.

    Raises:
        WireError: ``bad-reply``.
    """
    if not isinstance(body, dict) or not all(isinstance(v, dict) for v in body.values()):
        raise WireError(BAD_REPLY, "stats that are no map of maps")
    return body


def _is_map(value: object, kind: type) -> bool:
    return isinstance(value, dict) and all(type(v) is kind for v in value.values())
