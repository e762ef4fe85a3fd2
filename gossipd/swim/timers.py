"""What wakes the failure detector, and the tickers that keep a phase.

A timer carries what it was armed for, so that a late one is recognised and
ignored. A ticker is a sequence of moments a fixed interval apart; it can
rest without losing its phase and never catches up on moments it slept through.
"""

from __future__ import annotations

from math import ceil
from typing import TypeAlias

from gossipd.value import Value


class ProbeTick(Value):
    """Start the next probe round (section 9)."""


class AckOverdue(Value):
    """The direct ack of probe round ``seq`` did not come in time: ask helpers."""

    seq: int


class RoundOver(Value):
    """Probe round ``seq`` ended without an ack."""

    seq: int


class NackDue(Value):
    """The ping ``seq`` that was sent for somebody else stayed unanswered."""

    seq: int


class SuspicionOver(Value):
    """``node`` has had its time to refute the suspicion that started at ``since``."""

    node: str
    since: float


class GossipTick(Value):
    """Tell random nodes what the queues hold (section 11.2)."""


class PushPullBegin(Value):
    """Begin to wait for the first push/pull, as long as the cluster is large by now."""


class PushPullTick(Value):
    """Exchange full states with a random node (section 11.3)."""


class LookRound(Value):
    """Exchange full states once more soon after a join, beside the ticks."""


SwimTimer: TypeAlias = (
    ProbeTick
    | AckOverdue
    | RoundOver
    | NackDue
    | SuspicionOver
    | GossipTick
    | PushPullBegin
    | PushPullTick
    | LookRound
)


class Ticker:
    """The moments ``origin + k * interval`` for k = 1, 2, ...; seconds, monotonic."""

    __slots__ = ("_count", "_interval", "_origin")

    def __init__(self, origin: float, interval: float) -> None:
        self._origin = origin
        self._interval = interval
        self._count = 0

    def next_tick(self, now: float, grace: float = 0.0) -> float:
        """Return the first moment not before ``now - grace`` that was not returned before.

        Moments that passed earlier are skipped, however many: a process that
        was suspended does not catch up in a burst.
        """
        due = ceil((now - grace - self._origin) / self._interval)
        self._count = max(self._count + 1, due)
        return self._origin + self._count * self._interval
