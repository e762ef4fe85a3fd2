"""Events that the node itself adds to those of its cores."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from gossipd.address import Address
from gossipd.serf.events import SerfEvent
from gossipd.swim.events import SwimEvent
from gossipd.value import Value

if TYPE_CHECKING:
    from gossipd.catalog.events import CatalogEvent


class OperationFinished(Value):
    """What a command started is over; ``error`` is empty on success.

    ``operation`` is the number that the command returned.
    """

    operation: int
    error: str = ""


class InputDropped(Value):
    """Bytes of a peer were dropped and counted under ``reason``."""

    reason: str
    detail: str
    source: Address | None
    transport: str


class SyncFinished(Value):
    """A push/pull that this node started ended; ``error`` is empty on success."""

    node: str
    to: Address
    is_join: bool
    error: str = ""


class PayloadLost(Value):
    """An answer too large for a packet could not be sent over a stream; ``error`` says why."""

    to: Address
    error: str


class MemberDegraded(Value):
    """A member that is alive behaves worse than it usually does: ``reason`` says in what.

    No core decides this: whoever watches the others' events tells it.
    """

    name: str
    reason: str


class MemberRecovered(Value):
    """A member that was degraded for so many seconds is as usual again, or gone."""

    name: str
    degraded_for: float


NodeEvent: TypeAlias = (
    "SwimEvent | SerfEvent | OperationFinished | InputDropped | SyncFinished | PayloadLost"
    " | MemberDegraded | MemberRecovered | CatalogEvent"
)
