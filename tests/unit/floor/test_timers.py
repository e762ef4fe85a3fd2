"""Timers: one deadline outside, typed timers inside."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gossipd.timers import Timers


def test_without_timers_there_is_no_deadline() -> None:
    timers: Timers[str] = Timers()
    assert timers.next_deadline() is None
    assert timers.pop_due(1e9) is None


def test_a_timer_is_due_at_its_deadline_and_not_before() -> None:
    timers: Timers[str] = Timers()
    timers.set(5.0, "a")
    assert timers.pop_due(4.999) is None
    assert timers.pop_due(5.0) == "a"
    assert timers.pop_due(5.0) is None


def test_timers_of_one_moment_come_out_in_the_order_in_which_they_were_set() -> None:
    timers: Timers[str] = Timers()
    for name in ("b", "a", "c"):
        timers.set(1.0, name)
    assert [timers.pop_due(1.0) for _ in range(3)] == ["b", "a", "c"]


def test_a_cancelled_timer_neither_fires_nor_holds_the_deadline() -> None:
    timers: Timers[str] = Timers()
    first = timers.set(1.0, "a")
    timers.set(2.0, "b")
    first.cancel()
    assert timers.next_deadline() == 2.0
    assert len(timers) == 1
    assert timers.pop_due(3.0) == "b"


@given(
    st.lists(st.tuples(st.floats(0, 100, allow_nan=False), st.booleans()), max_size=50),
    st.floats(0, 100, allow_nan=False),
)
def test_what_is_due_is_exactly_what_was_set_and_not_cancelled(
    armed: list[tuple[float, bool]], now: float
) -> None:
    timers: Timers[int] = Timers()
    for index, (deadline, cancelled) in enumerate(armed):
        handle = timers.set(deadline, index)
        if cancelled:
            handle.cancel()
    due = []
    while (timer := timers.pop_due(now)) is not None:
        due.append(timer)
    wanted = [(at, i) for i, (at, cancelled) in enumerate(armed) if not cancelled and at <= now]
    assert due == [i for _, i in sorted(wanted)]
