from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.serf.timers import next_tick


@pytest.mark.parametrize(
    ("now", "tick"), [(0.0, 115.0), (100.0, 115.0), (114.9, 115.0), (115.0, 130.0), (990.0, 1000.0)]
)
def test_ticks_keep_the_phase_of_the_start(now: float, tick: float) -> None:
    assert next_tick(100.0, 15.0, now) == tick


@given(st.floats(0, 1e6), st.floats(0.05, 1e4), st.floats(0, 1e7))
def test_a_tick_lies_after_now_and_within_an_interval(
    start: float, interval: float, passed: float
) -> None:
    now = start + passed
    tick = next_tick(start, interval, now)
    assert now < tick <= now + interval * 2.001
