"""The local health score and its bounds."""

from __future__ import annotations

from gossipd.swim.health import LocalHealth


def test_case_88_the_score_stays_within_zero_and_seven() -> None:
    health = LocalHealth(8)
    health.apply(-1)
    assert health.score == 0
    health.apply(7)
    health.apply(3)
    assert health.score == 7
    health.apply(-1)
    assert health.score == 6


def test_case_87_intervals_are_stretched_by_the_score_plus_one() -> None:
    health = LocalHealth(8)
    assert health.scaled(1.0) == 1.0
    health.apply(2)
    assert health.scaled(1.0) == 3.0


def test_a_multiplier_of_one_turns_stretching_off() -> None:
    health = LocalHealth(1)
    health.apply(5)
    assert health.scaled(2.0) == 2.0
