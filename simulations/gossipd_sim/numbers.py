"""Means and quantiles of what was measured, the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, fsum


def quantile(values: Sequence[float], share: float) -> float:
    """Return the least value that ``share`` of all do not exceed (nearest rank).

    Args:
        values: not empty, in any order.
        share: within 0..1; 0.5 is the median.
    """
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean, 0 of nothing."""
    return fsum(values) / len(values) if values else 0.0  # sum() adds otherwise from 3.12 on
