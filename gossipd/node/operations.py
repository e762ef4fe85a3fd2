"""Commands that take time: their numbers, who still waits, and our own leave.

A command returns a number at once; ``OperationFinished`` with that number
tells how it went. What is waited for are broadcasts of the cores, by token:
the first end of one counts, its time-out included. What comes next in a leave
is decided in ``departure.py``.
"""

from __future__ import annotations

from gossipd.config.model import SerfConfig
from gossipd.errors import UsageError
from gossipd.node.departure import Departure, Phase
from gossipd.node.effects import NodeEffect
from gossipd.node.events import NodeEvent, OperationFinished
from gossipd.outbox import Outbox
from gossipd.swim.swim import Swim
from gossipd.timers import Timers


class Operations:
    """Operations of one node; numbers and tokens come out of the same count."""

    __slots__ = ("_config", "_last", "_outbox", "_swim", "_waiting", "departure", "timers")

    def __init__(
        self, config: SerfConfig, swim: Swim, outbox: Outbox[NodeEffect, NodeEvent]
    ) -> None:
        self._config = config
        self._swim = swim
        self._outbox = outbox
        self._last = 0
        self._waiting: set[int] = set()
        self.timers: Timers[int] = Timers()
        """Tokens whose time is up then; hand them to ``done``."""
        self.departure: Departure | None = None
        """Our own leave, once it was asked for."""

    def next_number(self) -> int:
        """Return the number of a new operation."""
        self._last += 1
        return self._last

    def refuse_when_leaving(self, text: str) -> None:
        """Refuse a command that makes no sense any more.

        Raises:
            UsageError: this node is leaving; ``text`` says so.
        """
        if self.departure is not None:
            raise UsageError(text)

    def wait_for(self, operation: int, deadline: float | None = None) -> None:
        """Let ``operation`` end with the broadcast of that token, or at ``deadline``."""
        self._waiting.add(operation)
        if deadline is not None:
            self.timers.set(deadline, operation)

    def depart(self, now: float) -> Departure:
        """Begin our own leave, whose announcement the caller sends."""
        operation = self.next_number()
        departure = Departure(operation, self.next_number(), self.next_number())
        self.departure = departure
        # the intent itself ends at Serf's own deadline; this one guards the whole phase
        self.timers.set(now + 2 * self._config.broadcast_timeout, departure.announcement)
        return departure

    def done(self, token: int, now: float, error: str = "") -> None:
        """A broadcast went out often enough, or its time is up (``error``); the first counts."""
        if token in self._waiting:
            self._waiting.discard(token)
            self._outbox.events.append(OperationFinished(token, error))
        elif self.departure is not None:
            # a leave goes on after a time-out: telling some is better than telling none
            self._advance(self.departure, token, now)

    def _advance(self, departure: Departure, token: int, now: float) -> None:
        if departure.advances_on(token):
            if departure.phase is Phase.ANNOUNCING:
                departure.phase = Phase.LEAVING
                self.timers.set(now + self._config.broadcast_timeout, departure.farewell)
                self._swim.leave(departure.farewell, now)
            else:
                departure.phase = Phase.PROPAGATING
                self.timers.set(now + self._config.leave_propagate_delay, departure.operation)
        elif departure.phase is Phase.PROPAGATING and token == departure.operation:
            departure.phase = Phase.GONE
            self._outbox.events.append(OperationFinished(departure.operation))
