"""What Serf's layer wakes itself for.

Ticks keep the phase of the node's start, yet are armed only while they have
something to look at: an idle node is not woken.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class ReapTick(msgspec.Struct, frozen=True):
    """Forget members and intents that are too old."""


class ReconnectTick(msgspec.Struct, frozen=True):
    """Maybe try a failed member again."""


class QueueCheck(msgspec.Struct, frozen=True):
    """Look at the depth of the queues."""


class PruneDue(msgspec.Struct, frozen=True):
    """``node`` was to be pruned by the leave intent of ``ltime`` and had time to leave."""

    node: str
    ltime: int


class BroadcastTimeout(msgspec.Struct, frozen=True):
    """Whoever waits for the broadcast ``token`` has waited long enough."""

    token: int


class QueryTimeout(msgspec.Struct, frozen=True):
    """Our own query ``number`` is over."""

    number: int


SerfTimer: TypeAlias = (
    ReapTick | ReconnectTick | QueueCheck | PruneDue | BroadcastTimeout | QueryTimeout
)


def next_tick(start: float, interval: float, now: float) -> float:
    """Return the first ``start + k * interval`` (k >= 1) that lies after ``now``.

    Ticks missed while the process was suspended are skipped, not caught up.
    """
    passed = max(0.0, now - start) // interval
    tick = start + (passed + 1) * interval
    return tick if tick > now else tick + interval
