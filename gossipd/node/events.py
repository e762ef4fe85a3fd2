"""Events that the node itself adds to those of its cores."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from gossipd.address import Address
from gossipd.serf.events import SerfEvent
from gossipd.swim.events import SwimEvent


class OperationFinished(msgspec.Struct, frozen=True):
    """What a command started is over; ``error`` is empty on success.

    ``operation`` is the number that the command returned.
    """

    operation: int
    error: str = ""


class InputDropped(msgspec.Struct, frozen=True):
    """Bytes of a peer were dropped and counted under ``reason``."""

    reason: str
    detail: str
    source: Address | None
    transport: str


class SyncFinished(msgspec.Struct, frozen=True):
    """A push/pull that this node started ended; ``error`` is empty on success."""

    node: str
    to: Address
    is_join: bool
    error: str = ""


NodeEvent: TypeAlias = SwimEvent | SerfEvent | OperationFinished | InputDropped | SyncFinished
