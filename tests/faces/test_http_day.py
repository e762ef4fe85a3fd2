"""A day of API traffic in virtual time: no answer that cannot be, and nothing left behind.

``python tests/bench/web/day.py --seeds 10`` lives through further days; what is drawn is the
same for the same seed and plan. ``--bugs`` has all faults made on purpose noticed, of which the
gate tries five.
"""

from __future__ import annotations

import pytest

from support.day.day import Plan
from support.day.process import BUSY, GROWTH_MAX, lived


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_day_brings_no_wrong_answer_and_leaves_nothing_behind() -> None:
    report = lived(Plan(seed=1))
    assert report.wrong == [], report.line()
    assert report.grown <= GROWTH_MAX, report.line()
    # what was to be looked at did happen
    assert {"kill", "cut_off", "leave", "turn", "deregister", "maintain"} <= set(report.events)
    assert report.woken > 200
    assert report.waited_out > 200
    assert len(report.rude) == 10
    assert {"hash", "write", "own", "state", "event", "dns", "metrics"} <= set(report.judged)
    assert report.held_most >= 5


def test_the_same_seed_is_the_same_day() -> None:
    plan = Plan(seed=3, hours=0.5, lives=1)
    one, other = lived(plan), lived(plan)
    assert one.wrong == other.wrong == []
    assert (one.requests, one.judged, one.events) == (other.requests, other.judged, other.events)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "bug",
    ["waiters_stay", "departures_unseen", "index_falls", "the_dead_pass", "nobody_is_woken"],
)
def test_a_fault_of_the_daemon_is_noticed(bug: str) -> None:
    report = lived(BUSY, bug)
    assert report.wrong, report.line()
