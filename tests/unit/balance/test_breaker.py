"""The circuit breaker of one instance."""

from __future__ import annotations

from random import Random

import pytest

from gossipd.balance.breaker import CLOSED, HALF_OPEN, OPEN, Breaker
from gossipd.balance.settings import BalanceSettings

SETTINGS = BalanceSettings(breaker_failures=3, breaker_backoff=1.0, breaker_jitter=0.0)


@pytest.fixture
def breaker() -> Breaker:
    return Breaker(SETTINGS)


def ask(breaker: Breaker, is_ok: bool | None, now: float) -> None:
    is_trial = breaker.start(now)
    breaker.finish(is_ok, now, Random(1), is_trial=is_trial)


def opened(breaker: Breaker, now: float = 0.0) -> None:
    for _ in range(3):
        ask(breaker, False, now)


def test_failures_in_a_row_open_it_and_a_success_between_does_not_count(breaker: Breaker) -> None:
    for is_ok in (False, False, True, False, False):
        ask(breaker, is_ok, 0.0)
    assert breaker.state(0.0) == CLOSED
    ask(breaker, False, 0.0)
    assert breaker.state(0.0) == OPEN
    assert not breaker.admits(0.9)


def test_an_outcome_that_says_nothing_changes_nothing(breaker: Breaker) -> None:
    for _ in range(9):
        ask(breaker, None, 0.0)
    assert breaker.state(0.0) == CLOSED
    assert breaker.failures == 0


def test_half_open_it_admits_one_trial_at_a_time(breaker: Breaker) -> None:
    opened(breaker)
    assert breaker.state(1.0) == HALF_OPEN
    assert breaker.admits(1.0)
    assert breaker.start(1.0)
    assert not breaker.admits(1.0)
    breaker.finish(None, 1.5, Random(1), is_trial=True)
    assert breaker.admits(1.5)


def test_a_trial_that_succeeds_closes_it(breaker: Breaker) -> None:
    opened(breaker)
    ask(breaker, True, 1.0)
    assert breaker.state(1.0) == CLOSED


def test_each_trial_that_fails_doubles_the_backoff_up_to_its_limit(breaker: Breaker) -> None:
    opened(breaker)
    now, waits = 0.0, []
    for _ in range(8):
        assert breaker.open_until is not None
        waits.append(breaker.open_until - now)
        now = breaker.open_until
        ask(breaker, False, now)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_it_begins_with_the_first_backoff_after_it_closed(breaker: Breaker) -> None:
    opened(breaker)
    ask(breaker, False, 1.0)
    ask(breaker, True, 3.0)
    opened(breaker, 10.0)
    assert breaker.open_until == 11.0


def test_answers_to_requests_from_before_neither_close_nor_prolong_it(breaker: Breaker) -> None:
    opened(breaker)
    breaker.finish(True, 0.5, Random(1), is_trial=False)
    breaker.finish(False, 0.6, Random(1), is_trial=False)
    assert breaker.open_until == 1.0


def test_jitter_spreads_the_backoff() -> None:
    until = set()
    for seed in range(20):
        breaker = Breaker(BalanceSettings(breaker_failures=1, breaker_jitter=0.2))
        breaker.finish(False, 0.0, Random(seed), is_trial=False)
        assert breaker.open_until is not None
        assert 0.8 <= breaker.open_until <= 1.2
        until.add(breaker.open_until)
    assert len(until) == 20


def test_several_trials_must_all_succeed() -> None:
    breaker = Breaker(BalanceSettings(breaker_trials=2, breaker_jitter=0.0))
    opened(breaker)
    assert breaker.start(1.0)
    assert breaker.start(1.0)
    assert not breaker.admits(1.0)
    breaker.finish(True, 1.1, Random(1), is_trial=True)
    assert breaker.state(1.1) == HALF_OPEN
    breaker.finish(True, 1.1, Random(1), is_trial=True)
    assert breaker.state(1.1) == CLOSED
