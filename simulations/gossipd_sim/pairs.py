"""Paired samples: is a difference more than chance? The sign test and its interval.

Nothing is assumed of how a measure is distributed, only that the pairs are
independent of each other, which the seeds see to. Both the test and the
interval of the median difference are exact, by the binomial distribution;
nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

LEVEL = 0.05
"""What is rarer than this by chance alone counts as a difference."""


def sign_test(less: int, more: int) -> float:
    """Return how likely so uneven a split is when neither side is favoured (two-sided).

    Args:
        less, more: pairs whose difference is below and above 0; equal ones do not count.
    """
    count, fewer = less + more, min(less, more)
    tail = sum(comb(count, number) for number in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << count))


def median_interval(differences: Sequence[float]) -> tuple[float, float] | None:
    """Return bounds that hold the true median with at least 95 % confidence.

    Returns:
        ``None`` for fewer than six values, of which none are that wide apart.
    """
    ordered, count = sorted(differences), len(differences)
    outside, left = 0, 0
    while True:
        outside += comb(count, left)
        if 2 * outside > LEVEL * (1 << count):
            break
        left += 1
    return (ordered[left - 1], ordered[count - left]) if left else None


def adjusted(chances: Sequence[float]) -> list[float]:
    """Return the chances of several tests together, by Holm's method.

    With a dozen measures one of twenty is bound to look different: each is held
    against what all of them together allow.
    """
    order = sorted(range(len(chances)), key=lambda index: chances[index])
    result = [1.0] * len(chances)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(chances) - rank) * chances[index]))
        result[index] = highest
    return result
