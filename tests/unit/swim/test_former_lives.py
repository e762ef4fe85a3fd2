"""Owners are shown their former lives seldom, and nobody's turn is remembered for long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gossipd.swim.former_lives import FormerLives

INTERVAL = 1.0
STEPS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.floats(0.0, 2.0, allow_nan=False)), max_size=60
)


def test_an_owner_is_due_again_an_interval_after_it_was_shown() -> None:
    lives = FormerLives(INTERVAL)
    assert [lives.is_due("b", at) for at in (5.0, 5.5, 5.99, 6.0, 6.5, 7.0)] == [
        *(True, False, False),
        *(True, False, True),
    ]


def test_owners_do_not_wait_for_each_other() -> None:
    lives = FormerLives(INTERVAL)
    assert [lives.is_due(name, 5.0) for name in "bcb"] == [True, True, False]


@given(STEPS)
def test_what_is_remembered_is_of_the_last_interval(steps: list[tuple[str, float]]) -> None:
    lives, now = FormerLives(INTERVAL), 0.0
    shown: dict[str, float] = {}
    for name, later in steps:
        now += later
        was_due = name not in shown or now - shown[name] >= INTERVAL
        assert lives.is_due(name, now) is was_due
        if was_due:
            shown[name] = now
        assert set(lives._shown_at) == {who for who, at in shown.items() if now - at < INTERVAL}
