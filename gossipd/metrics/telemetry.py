"""An interval as Consul's ``/v1/agent/metrics`` shows one: gauges, counters, samples (pure)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from gossipd.metrics.dump import deviation
from gossipd.metrics.interval import Interval
from gossipd.metrics.names import PREFIX, plain


def telemetry_of(interval: Interval, seconds: float) -> dict[str, object]:
    """Return a JSON object.

    Args:
        interval: what happened.
        seconds: how long it lasted, > 0.
    """
    stamp = time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(interval.begin))
    gauges: list[object] = [
        {"Name": _shown(name), "Value": value, "Labels": {}}
        for name, value in sorted(interval.gauges.items())
    ]
    counters = [
        # how large each single step was is not kept: all were as their mean
        _figures(name, count.times, count.total, (count.total / max(count.times, 1),), seconds)
        for name, count in sorted(interval.counters.items())
    ]
    samples = [
        _figures(name, sample.times, sample.total, sample.values, seconds)
        for name, sample in sorted(interval.samples.items())
    ]
    return {
        "Timestamp": stamp,
        "Gauges": gauges,
        "Points": [],
        "Counters": counters,
        "Samples": samples,
    }


def _figures(
    name: str, times: int, total: float, values: Sequence[float], seconds: float
) -> Mapping[str, object]:
    return {
        "Name": _shown(name),
        "Count": times,
        "Rate": total / seconds,
        "Sum": total,
        "Min": min(values, default=0.0),
        "Max": max(values, default=0.0),
        "Mean": total / times if times else 0.0,
        "Stddev": deviation(values) if values else 0.0,
        "Labels": {},
    }


def _shown(name: str) -> str:
    return f"{PREFIX}.{plain(name)}"
