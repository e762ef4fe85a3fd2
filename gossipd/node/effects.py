"""What the driver must do for the node. Streams are named by numbers the node or driver chose.

Inbound streams are numbered by the driver with negative numbers, outbound
ones by the node with positive numbers, so the two never meet.
"""

from __future__ import annotations

from typing import TypeAlias

from gossipd.address import Address
from gossipd.value import Value


class SendPacket(Value):
    """Send one datagram from the gossip socket."""

    to: Address
    data: bytes


class OpenStream(Value):
    """Dial ``to`` by TCP within ``timeout`` seconds; when connected write ``data``.

    Tell the node ``stream_failed`` if that cannot be done.
    """

    stream: int
    to: Address
    data: bytes
    timeout: float


class WriteStream(Value):
    """Write ``data`` to an open stream."""

    stream: int
    data: bytes


class CloseStream(Value):
    """Close a stream after what was written to it has been sent."""

    stream: int


NodeEffect: TypeAlias = SendPacket | OpenStream | WriteStream | CloseStream
