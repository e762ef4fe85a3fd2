"""``Outbox``: what a core wants done and what it has to tell.

The core appends, its owner drains. Effects ask the owner to act; events tell
what happened. Both keep the order in which they were written. What nobody acts
on, but operators like to see, is counted in the ledger.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from gossipd.ledger import Ledger

Effect = TypeVar("Effect")
Event = TypeVar("Event")


class Outbox(Generic[Effect, Event]):
    """Append-only lists of effects and events, and a ledger that only grows."""

    __slots__ = ("effects", "events", "ledger")

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.events: list[Event] = []
        self.ledger = Ledger()

    def take_effects(self) -> list[Effect]:
        """Return the effects written since the last call and forget them."""
        taken = self.effects
        if taken:
            self.effects = []
        return taken

    def take_events(self) -> list[Event]:
        """Return the events written since the last call and forget them."""
        taken = self.events
        if taken:
            self.events = []
        return taken
