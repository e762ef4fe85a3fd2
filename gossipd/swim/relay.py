"""Pings done for others: who asked, and what they are still owed (gossip.md, section 3.2).

Each lives for one probe timeout. Their number is bounded, because every
ping-req is somebody else's wish: what comes on top is refused and counted.
"""

from __future__ import annotations

from gossipd.address import Address
from gossipd.swim.timers import SwimTimer
from gossipd.timers import Handle
from gossipd.value import Value

RELAYS_MAX = 4096
"""Pings for others awaiting their ack at one time."""


class Relay(Value):
    """One ping in flight for ``requester``, who numbered the request ``requester_seq``."""

    requester: Address
    requester_seq: int
    wants_nack: bool
    timer: Handle[SwimTimer]


class Relays:
    """Pending relays by the sequence number of our own ping."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending: dict[int, Relay] = {}

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def is_full(self) -> bool:
        """Whether no further relay may be added."""
        return len(self._pending) >= RELAYS_MAX

    def add(self, seq: int, relay: Relay) -> None:
        """Remember what the ack of our ping ``seq`` is for."""
        self._pending[seq] = relay

    def take(self, seq: int) -> Relay | None:
        """Return the relay waiting for ``seq`` and forget it; ``None`` if there is none."""
        return self._pending.pop(seq, None)


def answer_address(stated: Address | None, source: Address) -> Address:
    """Return where an answer goes: the stated source if it is complete (section 3.1)."""
    return stated if stated is not None and stated.is_reachable else source
