"""Leaving in order: announce the intent, leave the failure detector, stay a while.

Serf's leave (gossip.md, section 15.4): the intent is gossiped first, because
it is what makes others show ``left`` and not ``failed``; then memberlist's
own leave; then the node goes on answering probes for a moment so that the
news can pass. This room only says what comes next.
"""

from __future__ import annotations

import enum


class Phase(enum.Enum):
    """How far a departure is."""

    ANNOUNCING = "announcing"
    """The leave intent is being gossiped."""
    LEAVING = "leaving"
    """The failure detector's own farewell is being gossiped."""
    PROPAGATING = "propagating"
    """Both are out; the node still answers."""
    GONE = "gone"
    """The node may be shut down."""


class Departure:
    """One leave, from the command to the moment when the node may stop."""

    __slots__ = ("announcement", "farewell", "operation", "phase")

    def __init__(self, operation: int, announcement: int, farewell: int) -> None:
        self.operation = operation
        self.announcement = announcement
        self.farewell = farewell
        self.phase = Phase.ANNOUNCING

    def advances_on(self, token: int) -> bool:
        """Say whether the end of the broadcast ``token`` moves this departure on."""
        return (self.phase is Phase.ANNOUNCING and token == self.announcement) or (
            self.phase is Phase.LEAVING and token == self.farewell
        )
