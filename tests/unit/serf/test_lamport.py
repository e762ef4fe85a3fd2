from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.serf.lamport import LamportClock, is_too_old
from gossipd.wire.serf_messages import LAMPORT_TIME_MAX


@pytest.mark.parametrize(("clock", "after"), [(5, 6), (9, 9), (3, 6)])
def test_case_103_witness_of_5_moves_only_a_clock_at_or_below_it(clock: int, after: int) -> None:
    lamport = LamportClock(clock)
    lamport.witness(5)
    assert lamport.time == after


def test_a_clock_begins_at_one_and_saturates_instead_of_wrapping() -> None:
    lamport = LamportClock()
    assert lamport.time == 1
    lamport.witness(LAMPORT_TIME_MAX)
    assert lamport.time == LAMPORT_TIME_MAX
    assert lamport.increment() == LAMPORT_TIME_MAX


@given(st.lists(st.one_of(st.none(), st.integers(0, LAMPORT_TIME_MAX)), max_size=30))
def test_a_clock_never_falls_and_stays_legal(steps: list[int | None]) -> None:
    lamport = LamportClock()
    for step in steps:
        before = lamport.time
        if step is None:
            lamport.increment()
        else:
            lamport.witness(step)
            assert lamport.time >= min(step + 1, LAMPORT_TIME_MAX)
        assert before <= lamport.time <= LAMPORT_TIME_MAX


def test_too_old_begins_one_below_the_window() -> None:
    assert is_too_old(87, 600, 512)
    assert not is_too_old(88, 600, 512)
    assert not is_too_old(0, 512, 512)
