"""Counts and tallies that only grow, and what is kept of measured values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gossipd.ledger import KEPT, NOTHING, Ledger, Tallied, Tally


def test_counts_grow_by_name() -> None:
    ledger = Ledger()
    ledger.count("a")
    ledger.count("b", 3)
    ledger.count("a")
    assert ledger.counts == {"a": 2, "b": 3}


def test_a_tally_that_took_nothing_is_nothing() -> None:
    assert Tally().read() == NOTHING
    assert Ledger().read() == {}


@given(st.lists(st.integers(0, 2**40)))
def test_count_and_sum_are_exact_and_the_latest_values_are_kept_in_order(values: list[int]) -> None:
    ledger = Ledger()
    for value in values:
        ledger.measure("bytes", value)
    if values:
        kept = tuple(values[-KEPT:])
        assert ledger.read() == {"bytes": Tallied(len(values), float(sum(values)), kept)}


def test_what_was_read_does_not_change() -> None:
    tally = Tally()
    tally.add(1.0)
    before = tally.read()
    for _ in range(2 * KEPT):
        tally.add(2.0)
    assert before == Tallied(1, 1.0, (1.0,))
    assert tally.read().latest == (2.0,) * KEPT
