"""What the driver must do for the node. Streams are named by numbers the node or driver chose.

Inbound streams are numbered by the driver with negative numbers, outbound
ones by the node with positive numbers, so the two never meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from gossipd.address import Address
from gossipd.node.unsealed import UnsealedPacket, UnsealedStream
from gossipd.serf.effects import SaveKeyring
from gossipd.value import Value

if TYPE_CHECKING:
    from gossipd.catalog.effects import StartCheck, StopCheck


class SendPacket(Value):
    """Send one datagram from the gossip socket; ``bytes(data)`` is what goes out."""

    to: Address
    data: bytes | UnsealedPacket


class OpenStream(Value):
    """Dial ``to`` by TCP within ``timeout`` seconds; when connected write ``bytes(data)``.

    Tell the node ``stream_failed`` if that cannot be done.
    """

    stream: int
    to: Address
    data: bytes | UnsealedStream
    timeout: float


class WriteStream(Value):
    """Write ``bytes(data)`` to an open stream."""

    stream: int
    data: bytes | UnsealedStream


class CloseStream(Value):
    """Close a stream after what was written to it has been sent."""

    stream: int


NodeEffect: TypeAlias = (
    "SendPacket | OpenStream | WriteStream | CloseStream | SaveKeyring | StartCheck | StopCheck"
)
