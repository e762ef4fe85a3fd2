"""One probe round as a value that answers questions (SWIM section 3.1; gossip.md, section 9).

    tick       ping
    + timeout  ping-req to helpers, ping over TCP      (AckOverdue)
    + interval suspect the target                      (RoundOver)

An ack at any time ends the round well. While this node cannot send, a round
stalls where it has to; its deadline does not move, so that a round may be lost
before its ping is out. The round neither sends nor sets
timers; it says what a result means for the local health.
"""

from __future__ import annotations

from gossipd.swim.member import Member
from gossipd.swim.timers import SwimTimer
from gossipd.timers import Handle

NACK_PROTOCOL_MIN = 4
"""Helpers from this protocol version on answer with a nack."""
STREAM_PING_PROTOCOL_MIN = 3
"""Targets from this protocol version on answer pings over TCP."""


class ProbeRound:
    """A running probe of ``target``, as it was in the table when the round began."""

    __slots__ = (
        "_nacks_expected",
        "_nacks_received",
        "deadline",
        "is_indirect",
        "is_stalled",
        "overran",
        "seq",
        "started_at",
        "stream_answered",
        "target",
        "timers",
    )

    def __init__(self, target: Member, seq: int, interval: float, now: float) -> None:
        self.target = target
        self.seq = seq
        self.started_at = now
        self.deadline = now + interval
        self.is_indirect = False
        """Whether the direct wait is over, so that an ack says nothing of the round trip."""
        self.is_stalled = False
        """Whether it waits to send its ping or its ping-reqs; meanwhile nothing ends it."""
        self.overran = False
        """Whether it was stalled until its time was over."""
        self.stream_answered = False
        self.timers: tuple[Handle[SwimTimer], ...] = ()
        self._nacks_expected = 0
        self._nacks_received = 0

    def helper_asked(self, helper: Member) -> bool:
        """Note that ``helper`` was asked; returns whether it will send a nack."""
        wants_nack = helper.versions.protocol_max >= NACK_PROTOCOL_MIN
        self._nacks_expected += wants_nack
        return wants_nack

    def nack_received(self) -> None:
        """Note that a helper is well though it could not reach the target."""
        self._nacks_received = min(self._nacks_received + 1, self._nacks_expected)

    def health_delta(self, *, succeeded: bool, by_paper: bool = False) -> int:
        """Return what the outcome says about this node itself.

        A success lowers the score by one. After a failure each helper that
        owes a nack counts: if they too are silent, we are the slow one.
        Without helpers that nack, a failure counts one.

        ``by_paper``: a failure counts one in any case, and one more if any nack
        is owed (Lifeguard, section IV-A).
        """
        if succeeded:
            return -1
        owed = self._nacks_expected - self._nacks_received
        if by_paper:
            return 1 + (owed > 0)
        return owed if self._nacks_expected else 1

    def cancel_timers(self) -> None:
        """Make sure that none of the round's timers fires."""
        for handle in self.timers:
            handle.cancel()
