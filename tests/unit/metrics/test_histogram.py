"""Tallies that count into buckets: they go on where a tally was, and add up."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.ledger import Ledger
from gossipd.metrics.histogram import BUCKETED, BucketTally, begin_buckets


def bucketed(ledger: Ledger, name: str) -> BucketTally:
    tally = ledger.tallies[name]
    assert isinstance(tally, BucketTally)
    return tally


def test_values_are_counted_up_to_and_with_their_bound() -> None:
    tally = BucketTally(None, 0.001, (0.001, 0.01))
    for milliseconds in (0.5, 1.0, 1.5, 10.0, 11.0):
        tally.add(milliseconds)
    assert tally.cumulated() == [(0.001, 2), (0.01, 4), (float("inf"), 5)]
    assert tally.summed == 24.0


def test_a_tally_goes_on_while_its_buckets_begin_anew() -> None:
    ledger = Ledger()
    ledger.measure("gossipd.step", 5.0)
    begin_buckets(ledger)
    ledger.measure("gossipd.step", 7.0)
    tally = bucketed(ledger, "gossipd.step")
    assert tally.read().count == 2
    assert tally.read().latest == (5.0, 7.0)
    assert tally.cumulated()[-1] == (float("inf"), 1)
    assert tally.summed == 7.0
    begin_buckets(ledger)
    assert bucketed(ledger, "gossipd.step") is tally


def test_bounds_grow() -> None:
    for _, scale, bounds in BUCKETED.values():
        assert scale in (0.001, 1.0)
        assert list(bounds) == sorted(set(bounds))


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6)))
def test_buckets_grow_and_end_with_all(values: list[float]) -> None:
    tally = BucketTally(None, 1.0, (0.5, 3.0, 100.0))
    for value in values:
        tally.add(value)
    counts = [count for _, count in tally.cumulated()]
    assert counts == sorted(counts)
    assert counts[-1] == tally.count == len(values)
    assert counts[1] == sum(value <= 3.0 for value in values)
