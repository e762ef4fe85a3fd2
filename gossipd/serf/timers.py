"""What Serf's layer wakes itself for.

Ticks keep the phase of the node's start, yet are armed only while they have
something to look at: an idle node is not woken.
"""

from __future__ import annotations

from typing import TypeAlias

from gossipd.value import Value


class ReapTick(Value):
    """Forget members and intents that are too old."""


class ReconnectTick(Value):
    """Maybe try a failed member again."""


class QueueCheck(Value):
    """Look at the depth of the queues."""


class PruneDue(Value):
    """``node`` was to be pruned by the leave intent of ``ltime`` and had time to leave."""

    node: str
    ltime: int


class LeaveOverdue(Value):
    """``node`` was said to leave and had time to; it may be alive and not know of it."""

    node: str


class BroadcastTimeout(Value):
    """Whoever waits for the broadcast ``token`` has waited long enough."""

    token: int


class QueryTimeout(Value):
    """Our own query ``number`` is over."""

    number: int


class QueryRetold(Value):
    """Our own query ``number`` has had time to spread; who missed it is to be told."""

    number: int


class QueryExpired(Value):
    """The query told to applications as ``number`` cannot be answered any more."""

    number: int


SerfTimer: TypeAlias = (
    ReapTick
    | ReconnectTick
    | QueueCheck
    | PruneDue
    | LeaveOverdue
    | BroadcastTimeout
    | QueryTimeout
    | QueryRetold
    | QueryExpired
)


def next_tick(start: float, interval: float, now: float) -> float:
    """Return the first ``start + k * interval`` (k >= 1) that lies after ``now``.

    Ticks missed while the process was suspended are skipped, not caught up.
    """
    passed = max(0.0, now - start) // interval
    tick = start + (passed + 1) * interval
    return tick if tick > now else tick + interval
