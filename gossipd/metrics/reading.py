"""``Reading``: everything that counts in one daemon, at one moment."""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.ledger import Tallied
from gossipd.node.statistics import Statistics
from gossipd.value import Value

INTERVAL = 10.0
"""Seconds from one reading to the next, at whole multiples of calendar time."""


class Reading(Value):
    """Raw numbers that only grow, and levels; ``at`` is in seconds since 1970.

    ``counts`` and ``tallies`` are the agent's own, under the names that they are shown by.
    """

    at: float
    statistics: Statistics
    counts: Mapping[str, int]
    tallies: Mapping[str, Tallied]
    runtime: Mapping[str, float]
