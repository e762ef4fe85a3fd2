"""Local health: how far this node trusts its own probes (Lifeguard, LHA-Probe).

A node that misses acks or has to defend itself is probably slow itself, so it
gives its targets more time. Only the probe round is stretched; timeouts of
suspicion and the wait for the direct ack are not (gossip.md, section 10.2).
"""

from __future__ import annotations


class LocalHealth:
    """A score from 0 (good) to ``multiplier_max`` - 1."""

    __slots__ = ("_score_max", "score")

    def __init__(self, multiplier_max: int) -> None:
        self.score = 0
        self._score_max = max(0, multiplier_max - 1)

    def bound(self, multiplier_max: int) -> None:
        """Change the upper bound of the multiplier; a score above it comes down to it."""
        self._score_max = max(0, multiplier_max - 1)
        self.apply(0)

    def apply(self, delta: int) -> None:
        """Worsen (positive) or improve (negative) the score within its bounds."""
        self.score = min(self._score_max, max(0, self.score + delta))

    def scaled(self, interval: float) -> float:
        """Return ``interval`` (seconds) stretched by the multiplier, score + 1."""
        return interval * (self.score + 1)
