"""What the failure detector asks of the node that holds it."""

from __future__ import annotations

from typing import TypeAlias

from gossipd.address import Address
from gossipd.value import Value
from gossipd.wire.messages import PacketMessage, Ping


class Send(Value):
    """Send ``message``; claims from the queues ride along (section 11.2, piggyback)."""

    to: Address
    message: PacketMessage


class SendTogether(Value):
    """Send exactly ``messages`` in one compound, nothing else with them.

    ``protocol_max`` is the receiver's, or 0 if unknown (5 and above: checksum).
    """

    to: Address
    messages: tuple[PacketMessage, ...]
    protocol_max: int


class Gossip(Value):
    """Send ``to`` what the queues hold now; nothing if they are empty."""

    to: Address
    protocol_max: int


class SyncWith(Value):
    """Exchange full states (push/pull) with ``node`` over a stream."""

    node: str
    to: Address
    is_join: bool


class PingByStream(Value):
    """Fallback ping over TCP; answer with ``Swim.stream_ping_answered`` by ``deadline``."""

    to: Address
    ping: Ping
    deadline: float


SwimEffect: TypeAlias = Send | SendTogether | Gossip | SyncWith | PingByStream
