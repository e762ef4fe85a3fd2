"""The decaying peak average of latencies."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gossipd.balance.latency import PeakEwma


def test_a_peak_counts_at_once_and_fades_with_time() -> None:
    latency = PeakEwma(10.0)
    latency.add(0.1, 0.0)
    latency.add(2.0, 0.1)
    assert latency.value(0.1) == 2.0
    assert latency.value(10.1) == pytest.approx(2.0 / math.e)


def test_faster_samples_pull_it_down_as_time_passes() -> None:
    latency = PeakEwma(10.0)
    latency.add(2.0, 0.0)
    latency.add(0.1, 0.0)
    assert latency.value(0.0) == 2.0
    latency.add(0.1, 30.0)
    assert latency.value(30.0) == pytest.approx(0.1 + 1.9 * math.exp(-3))


@example([(33.98144108137404, 0.0), (1.3874563454450985, 0.0)])
@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 30)), min_size=1))
def test_it_stays_within_what_was_seen(samples: list[tuple[float, float]]) -> None:
    latency, now = PeakEwma(10.0), 0.0
    for sample, passed in samples:
        now += passed
        latency.add(sample, now)
        value = latency.value(now)
        assert value is not None
        assert sample <= value * (1 + 1e-9)
        assert value <= max(s for s, _ in samples)
