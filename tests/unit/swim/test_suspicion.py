"""One suspicion: who counts and how the deadline moves."""

from __future__ import annotations

import pytest

from gossipd.swim.suspicion import Suspicion


def suspicion(wanted: int = 2) -> Suspicion:
    return Suspicion("d", "a", wanted=wanted, low=4.0, high=24.0, now=100.0)


def test_case_79_without_confirmations_it_lasts_the_maximum() -> None:
    assert suspicion().deadline == 124.0


def test_case_79_two_confirmations_bring_it_down_to_the_minimum() -> None:
    running = suspicion()
    assert running.confirm("b")
    assert running.deadline == pytest.approx(111.381)
    assert running.confirm("c")
    assert running.deadline == 104.0
    assert running.confirmers == ("b", "c")


def test_case_80_where_nobody_can_confirm_it_lasts_the_minimum() -> None:
    running = suspicion(wanted=0)
    assert running.deadline == 104.0
    assert not running.confirm("b")


def test_case_72_the_first_accuser_and_known_ones_do_not_count_again() -> None:
    running = suspicion()
    assert not running.confirm("a")
    assert running.confirm("b")
    assert not running.confirm("b")
    assert running.confirmations == 1


def test_no_more_confirmations_are_counted_than_wanted() -> None:
    running = suspicion()
    assert [running.confirm(name) for name in "bcde"] == [True, True, False, False]
