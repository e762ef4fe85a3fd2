"""One call in several attempts: whom, how often, how long."""

from __future__ import annotations

from random import Random

import pytest

from gossipd.balance.attempts import Attempts
from gossipd.balance.balancer import Balancer
from gossipd.balance.settings import BalanceSettings
from gossipd.errors import UsageError
from support.instances import instance, reset

FAILED = TimeoutError()


def balancer(*owners: str, **settings: float) -> Balancer:
    made = Balancer("web", Random(1), settings=BalanceSettings(**settings))  # type: ignore[arg-type]
    made.apply(reset(*map(instance, owners)), 0.0)
    return made


def test_each_attempt_goes_to_another_instance() -> None:
    made = balancer("a", "b", "c")
    calls = Attempts(made, 0.0, attempts=3, idempotent=True)
    owners = [calls.begin(0.0).instance.owner]
    for _ in range(2):
        pick = calls.again(FAILED, 0.0)
        assert pick is not None
        owners.append(pick.instance.owner)
    assert sorted(owners) == ["a", "b", "c"]
    assert calls.again(FAILED, 0.0) is None
    assert all(report.outstanding == 0 for report in made.snapshot(0.0).instances)


def test_a_success_ends_it() -> None:
    calls = Attempts(balancer("a", "b"), 0.0, idempotent=True)
    calls.begin(0.0)
    assert calls.again("fine", 0.1) is None


def test_with_nobody_else_the_same_one_is_tried_again() -> None:
    calls = Attempts(balancer("a"), 0.0, attempts=2, idempotent=True)
    calls.begin(0.0)
    pick = calls.again(FAILED, 0.0)
    assert pick is not None
    assert pick.instance.owner == "a"


def test_what_is_not_idempotent_is_tried_again_only_if_it_was_never_sent() -> None:
    calls = Attempts(balancer("a", "b"), 0.0)
    calls.begin(0.0)
    assert calls.again(FAILED, 0.0) is None
    calls = Attempts(balancer("a", "b"), 0.0)
    calls.begin(0.0)
    assert calls.again(ConnectionRefusedError(), 0.0) is not None


def test_an_empty_budget_ends_it() -> None:
    made = balancer("a", "b", retry_least=0.0, retry_share=0.2)
    retries = 0
    for _ in range(20):
        calls = Attempts(made, 0.0, attempts=2, idempotent=True)
        calls.begin(0.0)
        retries += calls.again(FAILED, 0.0) is not None
        calls.give_up(0.0)
    assert retries == 4


def test_the_deadline_ends_it_and_is_shared_among_attempts() -> None:
    calls = Attempts(balancer("a", "b", "c"), 100.0, attempts=3, idempotent=True, timeout=6.0)
    calls.begin(100.0)
    assert calls.time_for_attempt(100.0) == 2.0
    calls.again(FAILED, 101.0)
    assert calls.time_for_attempt(101.0) == 2.5
    assert calls.again(FAILED, 106.0) is None


def test_a_time_for_each_attempt_holds_within_the_deadline() -> None:
    calls = Attempts(balancer("a"), 0.0, timeout=6.0, attempt_timeout=4.0)
    calls.begin(0.0)
    assert calls.time_for_attempt(0.0) == 4.0
    assert calls.time_for_attempt(5.0) == 1.0
    assert Attempts(balancer("a"), 0.0).time_for_attempt(0.0) is None


def test_the_callers_judge_decides() -> None:
    calls = Attempts(balancer("a", "b"), 0.0, idempotent=True, judge=lambda got: got == "bad")
    calls.begin(0.0)
    assert calls.again("bad", 0.0) is not None
    assert calls.again(FAILED, 0.0) is None


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"timeout": 0.0}, {"attempt_timeout": -1.0}])
def test_numbers_that_make_no_sense_are_named(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(UsageError, match=f"^{name}: "):
        Attempts(balancer("a"), 0.0, **wrong)  # type: ignore[arg-type]
