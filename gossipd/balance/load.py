"""Policies that look at load: least outstanding, and power of two choices with peak-EWMA."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.balance.candidate import Candidate
    from gossipd.balance.draw import Draw


class LeastOutstanding:
    """The one with the fewest unanswered requests for its weight; of equals, any."""

    __slots__ = ()

    def choose(self, draw: Draw) -> Candidate:
        """Return one of the least busy."""
        best: list[Candidate] = []
        least = 0.0
        for candidate in draw.pool:
            busy = (candidate.outstanding + 1) / candidate.weight(draw.now)
            if not best or busy < least:
                best, least = [candidate], busy
            elif busy == least:
                best.append(candidate)
        return best[int(draw.random.random() * len(best))]


class TwoChoices:
    """The cheaper of two that chance picked (Mitzenmacher); cost as in Finagle.

    Choosing the best of all would send everybody's requests to the same one at
    once; two choices come close to it and need no look at the others.
    """

    __slots__ = ()

    def choose(self, draw: Draw) -> Candidate:
        """Return one of the pool."""
        pool, now = draw.pool, draw.now
        if len(pool) == 1:
            return pool[0]
        first = int(draw.random.random() * len(pool))
        second = int(draw.random.random() * (len(pool) - 1))
        a, b = pool[first], pool[second + (second >= first)]
        return a if a.cost(now) <= b.cost(now) else b
