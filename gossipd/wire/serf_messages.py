"""Serf's messages (gossip.md, section 14): what travels in a ``UserPayload``.

Lamport times are u64 on the wire; those of 2**63 and above are refused when
decoded, because a real clock would wrap (section 7).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TypeAlias

from gossipd.address import Address
from gossipd.value import Value
from gossipd.wire.messages import Versions

LAMPORT_TIME_MAX = 2**63 - 1

FLAG_ACK = 1
"""Query wants an ack; in a response: this is the ack."""
FLAG_NO_BROADCAST = 2
"""Query must not be gossiped onward."""
FLAG_NO_ANSWER = 1 << 16
"""In a response: no answer will come from this node. gossipd's own (section 22)."""
TAKES_NO_ANSWER = 1
"""``Query.features``: the asker understands ``FLAG_NO_ANSWER``."""
TAKES_CLAIMS = 4
"""``Query.features``: asked whose name ours is, a gossipd that bears it answers too."""
TAKES_STREAMS = 2
"""``Query.features``: the asker takes an answer too large for a packet over a stream."""


class MemberStatus(enum.IntEnum):
    """Serf's status of a member (values as in a conflict response)."""

    NONE = 0
    ALIVE = 1
    LEAVING = 2
    LEFT = 3
    FAILED = 4


class LeaveIntent(Value):
    """``node`` leaves, or is forced to; ``prune`` asks to forget it at once."""

    ltime: int
    node: str
    prune: bool = False


class JoinIntent(Value):
    """``node`` joins; outdates leave intents of a lower Lamport time."""

    ltime: int
    node: str


class EventExtras(Value):
    """What gossipd adds to a user event (section 22): who sent it, and whom it is for.

    ``nodes`` are names and ``tags`` pairs of tag and RE2 expression, as in ``Question``;
    empty is everybody.
    """

    sender: str = ""
    nodes: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


class BufferedEvent(Value):
    """One user event inside a push/pull's event list; ``extras`` only if a gossipd kept them."""

    name: str
    payload: bytes | None = None
    extras: EventExtras | None = None


class EventSlot(Value):
    """All user events of one Lamport time."""

    ltime: int
    events: tuple[BufferedEvent, ...]


class SerfPushPull(Value):
    """Serf's part of a push/pull (section 14.3).

    ``events`` holds one entry per buffer slot, ``None`` for an unused one.
    """

    ltime: int
    status_ltimes: Mapping[str, int]
    left_members: tuple[str, ...]
    event_ltime: int
    events: tuple[EventSlot | None, ...]
    query_ltime: int
    catalog: bytes = b""
    """What a gossipd adds about services (section 22), in its own encoding; real nodes skip it."""


class UserEvent(Value):
    """An application's event (section 16)."""

    ltime: int
    name: str
    payload: bytes | None = None
    may_coalesce: bool = False
    extras: EventExtras | None = None


class Query(Value):
    """A question to the cluster (section 17); ``timeout_ns`` is nanoseconds.

    ``features`` are the bits of what gossipd understands beyond Serf, in a key of its own
    that real nodes skip and pass on (section 22); 0 is a Serf's query.
    """

    ltime: int
    id: int
    origin: Address
    origin_node: str
    filters: tuple[bytes, ...]
    flags: int
    relay_factor: int
    timeout_ns: int
    name: str
    payload: bytes | None = None
    features: int = 0


class QueryResponse(Value):
    """Ack of or answer to a query, straight to its origin."""

    ltime: int
    id: int
    responder: str
    flags: int
    payload: bytes | None = None


class ConflictResponse(Value):
    """Who the responder thinks a name belongs to (section 18.2).

    ``started_ms`` is said by a gossipd that bears the name itself, to another gossipd: when
    it started, in milliseconds since 1970.
    """

    name: str
    address: Address
    tags: Mapping[str, str]
    status: MemberStatus
    versions: Versions
    started_ms: int = 0


class KeyRequest(Value):
    """Payload of the key queries (section 18.1): the raw key."""

    key: bytes | None


class KeyResponse(Value):
    """Answer to a key query; keys are base64 text."""

    ok: bool
    message: str = ""
    keys: tuple[str, ...] | None = None
    primary_key: str = ""


class Relay(Value):
    """Please send ``payload`` on to ``destination``, unchanged (section 17)."""

    destination: Address
    destination_node: str
    payload: bytes


SerfMessage: TypeAlias = LeaveIntent | JoinIntent | UserEvent | Query | QueryResponse | Relay
