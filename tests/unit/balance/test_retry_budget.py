"""The budget of retries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gossipd.balance.retry_budget import RetryBudget
from gossipd.balance.settings import BalanceSettings


def test_without_requests_only_the_least_is_granted() -> None:
    budget = RetryBudget(BalanceSettings(retry_least=1.0, retry_share=0.2))
    assert [budget.spend(100.0) for _ in range(11)] == [True] * 10 + [False]


def test_requests_earn_their_share_and_it_lapses() -> None:
    budget = RetryBudget(BalanceSettings(retry_least=0.0, retry_share=0.2))
    for _ in range(10):
        budget.earn(5.0)
    assert budget.left(5.0) == 2.0
    assert budget.spend(5.5)
    assert budget.spend(5.5)
    assert not budget.spend(5.5)
    assert budget.left(14.9) == 0.0
    budget.earn(20.0)
    assert budget.left(20.0) == 0.2


@given(
    st.lists(st.tuples(st.sampled_from("erl"), st.floats(0, 5))),
    st.floats(0, 1),
    st.floats(0, 3),
)
def test_it_is_never_negative_and_retries_stay_within_it(
    steps: list[tuple[str, float]], share: float, least: float
) -> None:
    budget = RetryBudget(BalanceSettings(retry_share=share, retry_least=least))
    now, spent, earned = 0.0, 0, 0
    for step, passed in steps:
        now += passed
        if step == "e":
            budget.earn(now)
            earned += 1
        elif step == "r":
            spent += budget.spend(now)
        assert budget.left(now) >= 0
    # each window of ten seconds grants anew
    assert spent <= earned * share + least * 10 * (now // 10 + 1) + least * 10
