"""Intervals as Serf prints them to stderr at SIGUSR1 (agent.md, section 9; pure).

[2026-11-22 07:10:30 +0000 UTC][C] 'serf-agent.serf.member.join': Count: 1 Sum: 1.000
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

from gossipd.metrics.interval import Interval
from gossipd.metrics.names import PREFIX, plain


def lines_of(interval: Interval, host: str = "") -> Iterator[str]:
    """Yield one line for each gauge (G), counter (C) and sample (S).

    Args:
        interval: a finished one.
        host: stands behind the prefix of gauges, as Serf has it with statsd or statsite.
    """
    stamp = time.strftime("[%Y-%m-%d %H:%M:%S +0000 UTC]", time.gmtime(interval.begin))
    here = f"{PREFIX}.{plain(host)}" if host else PREFIX
    for name, value in sorted(interval.gauges.items()):
        yield f"{stamp}[G] '{here}.{plain(name)}': {value:.3f}"
    for name, count in sorted(interval.counters.items()):
        figures = f"Count: {count.times} Sum: {count.total:.3f}"
        yield f"{stamp}[C] '{PREFIX}.{plain(name)}': {figures}"
    for name, sample in sorted(interval.samples.items()):
        figures = _figures(sample.times, sample.total, sample.values)
        yield f"{stamp}[S] '{PREFIX}.{plain(name)}': {figures}"


def _figures(times: int, total: float, values: Sequence[float]) -> str:
    if times == 1:
        return f"Count: 1 Sum: {total:.3f}"
    spread = deviation(values)
    return (
        f"Count: {times} Min: {min(values):.3f} Mean: {total / times:.3f}"
        f" Max: {max(values):.3f} Stddev: {spread:.3f} Sum: {total:.3f}"
    )


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample of one or more values; 0 of a single one."""
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return math.sqrt(squares / (len(values) - 1)) if len(values) > 1 else 0.0
