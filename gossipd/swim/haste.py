"""How often gossip may run ahead of its ticks.

memberlist tells news at the next tick, so each hop of an epidemic costs half an
interval. News that a user waits for goes out at once instead: the hop then costs
the network's latency. A transmission made early is one fewer later (section 11.1),
and a flood earns no more than as many early rounds as there are ticks.
"""

from __future__ import annotations

ROUNDS_SAVED = 4.0
"""Early rounds that may follow each other after a rest."""


class Haste:
    """A budget of early rounds: one for each interval that passes, some of them saved.

    Args:
        interval: seconds between gossip ticks.
    """

    __slots__ = ("_budget", "_counted_at", "_interval")

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._budget = ROUNDS_SAVED
        self._counted_at = 0.0

    def take(self, now: float) -> bool:
        """Say whether a round may run early at ``now`` (seconds, monotonic), and count it."""
        earned = max(0.0, now - self._counted_at) / self._interval
        self._budget = min(ROUNDS_SAVED, self._budget + earned)
        self._counted_at = now
        if self._budget < 1.0:
            return False
        self._budget -= 1.0
        return True
