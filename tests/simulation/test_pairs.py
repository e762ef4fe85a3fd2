"""Statistics of pairs against figures from tables of the binomial distribution."""

from __future__ import annotations

import pytest

from gossipd_sim.pairs import adjusted, median_interval, sign_test


@pytest.mark.parametrize(
    ("less", "more", "chance"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 9, 0.021484375), (9, 1, 0.021484375)],
)
def test_the_sign_test_is_that_of_the_tables(less: int, more: int, chance: float) -> None:
    assert sign_test(less, more) == chance


@pytest.mark.parametrize(("count", "ranks"), [(6, (1, 6)), (10, (2, 9)), (20, (6, 15))])
def test_the_interval_of_the_median_is_that_of_the_tables(
    count: int, ranks: tuple[int, int]
) -> None:
    values = [float(value) for value in reversed(range(1, count + 1))]
    assert median_interval(values) == ranks


def test_under_six_values_have_no_interval() -> None:
    assert median_interval([]) is None
    assert median_interval([1.0] * 5) is None


def test_several_tests_together_are_held_to_more() -> None:
    assert adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjusted([0.5, 0.9]) == [1.0, 1.0]
    assert adjusted([]) == []
