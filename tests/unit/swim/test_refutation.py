"""The own incarnation only grows and never wraps."""

from __future__ import annotations

from gossipd.swim.refutation import INCARNATION_MAX, OwnIncarnation


def test_it_starts_at_one() -> None:
    assert OwnIncarnation().raise_by_one() == 1


def test_case_66_an_accusation_ahead_of_us_is_outdone() -> None:
    own = OwnIncarnation()
    own.raise_by_one()
    assert own.raise_above(50) == 51
    assert own.raise_above(3) == 52


def test_the_highest_incarnation_is_reached_but_never_passed() -> None:
    own = OwnIncarnation()
    assert own.raise_above(INCARNATION_MAX - 1) == INCARNATION_MAX
    assert own.raise_above(INCARNATION_MAX) is None
    assert own.raise_by_one() == INCARNATION_MAX
    assert own.value == INCARNATION_MAX
