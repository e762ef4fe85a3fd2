"""Tickers keep their phase and never catch up."""

from __future__ import annotations

import pytest

from gossipd.swim.timers import Ticker
from gossipd.timers import COMPACT_FROM
from gossipd.wire.messages import Suspect
from support.swim_harness import SwimHarness, alive


def test_ticks_are_an_interval_apart_from_the_stagger_on() -> None:
    ticker = Ticker(0.3, 1.0)
    assert ticker.next_tick(0.0) == pytest.approx(1.3)
    assert ticker.next_tick(1.3) == pytest.approx(2.3)


def test_late_handling_does_not_shift_the_phase() -> None:
    ticker = Ticker(0.3, 1.0)
    ticker.next_tick(0.0)
    assert ticker.next_tick(1.45) == pytest.approx(2.3)


def test_a_long_sleep_gives_one_tick_and_no_burst() -> None:
    ticker = Ticker(0.3, 1.0)
    ticker.next_tick(0.0)
    assert ticker.next_tick(3600.0) == pytest.approx(3600.3)
    assert ticker.next_tick(3600.3) == pytest.approx(3601.3)


def test_a_tick_just_missed_is_returned_once_within_the_grace() -> None:
    ticker = Ticker(0.0, 1.0)
    ticker.next_tick(0.0)
    assert ticker.next_tick(2.05, grace=0.1) == 2.0
    assert ticker.next_tick(2.05, grace=0.1) == 3.0


def test_a_million_ticks_do_not_drift() -> None:
    ticker = Ticker(0.0, 0.2)
    assert ticker.next_tick(200_000.05) == 1_000_001 * 0.2


def test_accusing_and_refuting_without_end_does_not_pile_up_timers() -> None:
    swim = SwimHarness()
    swim.knows("b", "c", "d")
    for incarnation in range(1, 3000):
        swim.receive(Suspect("b", incarnation, "c"), at=1.0)
        swim.receive(alive("b", incarnation + 1), at=1.0)
        swim.outbox.take_events()
    assert len(swim.swim.timers.heap) <= COMPACT_FROM
    assert swim.swim.suspicions() == {}
    assert swim.swim.next_deadline() is not None
