"""Counters of all rooms in one value, taken when somebody asks."""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.ledger import Tallied
from gossipd.value import Value


class Statistics(Value):
    """Numbers of one node since it started; mappings are by kind or by reason."""

    members: int
    alive: int
    failed: int
    left: int
    health_score: int
    incarnation: int
    member_time: int
    event_time: int
    query_time: int
    intent_queue: int
    event_queue: int
    query_queue: int
    claim_queue: int
    encrypted: bool
    coordinate_resets: int
    packets_sent: Mapping[str, int]
    """Datagrams sent by the kind of their first message."""
    packets_received: Mapping[str, int]
    """Messages received by kind, after unpacking."""
    bytes_sent: int
    bytes_received: int
    stream_bytes_sent: int
    stream_bytes_received: int
    dropped: Mapping[str, int]
    """Peers' input dropped, by reason."""
    lost: Mapping[str, int]
    """What the machine could not send or take in, by kind; the agent counts it."""
    happened: Mapping[str, int] = {}
    """What the cores counted beside, by name: see the constants in their rooms."""
    measured: Mapping[str, Tallied] = {}
    """What they measured; seconds, or bytes of messages."""
    event_handlers: Mapping[str, str] = {}
    """Scripts by the filter they run for (``user:deploy``); the agent fills it in."""
    packet_bytes_sent: Mapping[str, int] = {}
    """Bytes of datagrams by the kind of their first message; what rode along is ``Riders``."""
    packet_bytes_received: Mapping[str, int] = {}
    """Bytes of messages by their kind, after unpacking."""
    stream_bytes_sent_by: Mapping[str, int] = {}
    """Bytes on streams by what for: push-pull, ping, payload, or accepted (a peer's stream)."""
    stream_bytes_received_by: Mapping[str, int] = {}
    levels: Mapping[str, float] = {}
    """How much there is of what belongs to services, by name; empty without. The agent's."""
    snapshot: str = ""
    """``ok``, or since when and why it cannot be written; empty without one. The agent's."""
