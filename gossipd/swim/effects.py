"""What the failure detector asks of the node that holds it."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from gossipd.address import Address
from gossipd.wire.messages import PacketMessage, Ping


class Send(msgspec.Struct, frozen=True):
    """Send ``message``; claims from the queues ride along (section 11.2, piggyback)."""

    to: Address
    message: PacketMessage


class SendTogether(msgspec.Struct, frozen=True):
    """Send exactly ``messages`` in one compound, nothing else with them.

    ``protocol_max`` is the receiver's, or 0 if unknown (5 and above: checksum).
    """

    to: Address
    messages: tuple[PacketMessage, ...]
    protocol_max: int


class Gossip(msgspec.Struct, frozen=True):
    """Send ``to`` what the queues hold now; nothing if they are empty."""

    to: Address
    protocol_max: int


class SyncWith(msgspec.Struct, frozen=True):
    """Exchange full states (push/pull) with ``node`` over a stream."""

    node: str
    to: Address
    is_join: bool


class PingByStream(msgspec.Struct, frozen=True):
    """Fallback ping over TCP; answer with ``Swim.stream_ping_answered`` by ``deadline``."""

    to: Address
    ping: Ping
    deadline: float


SwimEffect: TypeAlias = Send | SendTogether | Gossip | SyncWith | PingByStream
