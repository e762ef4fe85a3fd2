"""Policies that look at no load: round robin, random, smooth weighted."""

from __future__ import annotations

from bisect import bisect_right

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.balance.candidate import Candidate
    from gossipd.balance.draw import Draw


class RoundRobin:
    """One after the other by owner and id, whatever the weights; newcomers are skipped at times."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: tuple[str, str] = ("", "")

    def choose(self, draw: Draw) -> Candidate:
        """Return the one after the last."""
        pool = draw.pool
        position = bisect_right(pool, self._last, key=_key_of)
        chosen = pool[position % len(pool)]
        for step in range(1, len(pool)):
            if draw.random.random() < chosen.warmth(draw.now):
                break
            chosen = pool[(position + step) % len(pool)]
        self._last = chosen.instance.key
        return chosen


class WeightedRandom:
    """By chance, in proportion to weights."""

    __slots__ = ()

    def choose(self, draw: Draw) -> Candidate:
        """Return one of the pool."""
        weights = [candidate.weight(draw.now) for candidate in draw.pool]
        left = draw.random.random() * sum(weights)
        for candidate, weight in zip(draw.pool, weights, strict=True):
            left -= weight
            if left < 0:
                return candidate
        return draw.pool[-1]


class SmoothWeighted:
    """In proportion to weights, exactly over each cycle, and evenly spread in it (nginx)."""

    __slots__ = ()

    def choose(self, draw: Draw) -> Candidate:
        """Return the one that is most behind its share."""
        total = 0.0
        chosen = draw.pool[0]
        for candidate in draw.pool:
            weight = candidate.weight(draw.now)
            total += weight
            candidate.current_weight += weight
            if candidate.current_weight > chosen.current_weight:
                chosen = candidate
        chosen.current_weight -= total
        return chosen


def _key_of(candidate: Candidate) -> tuple[str, str]:
    return candidate.instance.key
