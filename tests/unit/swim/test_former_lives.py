"""Owners are shown their former lives, seldom, and nobody's turn is remembered for long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.swim.effects import Send
from gossipd.swim.events import StrangerPinged
from gossipd.swim.former_lives import FormerLives
from gossipd.swim.member import MemberState
from gossipd.wire.messages import Ack, Alive, Dead, Ping, Suspect
from support.swim_harness import SwimHarness, address_of, alive

INTERVAL = 1.0
STEPS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.floats(0.0, 2.0, allow_nan=False)), max_size=60
)


@pytest.fixture
def swim() -> SwimHarness:
    harness = SwimHarness()
    harness.knows("b", "c", "d")
    return harness


def test_what_a_former_life_said_at_the_same_incarnation_is_shown_to_its_owner(
    swim: SwimHarness,
) -> None:
    swim.receive(alive("b", 1, b"other"), at=10.0)
    assert swim.effects() == [Send(address_of("b"), alive("b", 1))]


def test_an_owner_that_is_shown_its_former_life_outdoes_both() -> None:
    owner, holder = SwimHarness(name="b"), SwimHarness()
    holder.receive(alive("b", 1, b"former life"), at=9.0)
    holder.forget()
    holder.receive(alive("b", 1), at=10.0, source="c")
    (shown,) = holder.sent()
    assert shown == (address_of("b"), alive("b", 1, b"former life"))
    owner.receive(shown[1], at=10.1, source="us")
    (answer,) = owner.gossiped()
    holder.receive(answer, at=10.2)
    assert answer == alive("b", 2)
    assert holder.member("b").meta == b""


def test_an_owner_is_shown_its_former_life_once_a_probe_interval(swim: SwimHarness) -> None:
    shown = []
    for at in (10.0, 10.2, 10.9, 11.1, 12.0, 12.2):
        swim.receive(alive("b", 1, b"other"), at=at, source="d")
        shown += [at] * len(swim.sent())
    assert shown == [10.0, 11.1, 12.2]


def test_each_owner_is_shown_its_own_former_life(swim: SwimHarness) -> None:
    for name in ("b", "c", "b", "d"):
        swim.receive(alive(name, 1, b"other"), at=10.0)
    assert swim.sent() == [(address_of(name), alive(name)) for name in ("b", "c", "d")]


@pytest.mark.parametrize(
    "claim",
    [alive("b", 3), alive("b", 2, b"older"), alive("b", 4, b"newer"), alive("e", 3, b"unknown")],
)
def test_only_other_meta_at_an_equal_incarnation_is_shown_to_its_owner(
    swim: SwimHarness, claim: Alive
) -> None:
    swim.receive(alive("b", 3), at=9.0)
    swim.forget()
    swim.receive(claim, at=10.0)
    assert swim.sent() == []


@pytest.mark.parametrize("accusation", [Suspect("b", 1, "c"), Dead("b", 1, "c")])
def test_nobody_accused_is_shown_a_former_life(
    swim: SwimHarness, accusation: Suspect | Dead
) -> None:
    swim.receive(accusation, at=9.0)
    swim.forget()
    swim.receive(alive("b", 1, b"other"), at=10.0)
    assert swim.sent() == []


def ping_of(name: str) -> Ping:
    return Ping(9, "us", address_of(name), name)


def test_who_left_and_pings_us_is_shown_that_it_left(swim: SwimHarness) -> None:
    swim.receive(Dead("b", 4, "b"), at=9.0)
    swim.forget()
    swim.receive(alive("b", 1), at=9.5, source="c")
    assert swim.sent() == []  # that it says so now is not known
    swim.receive(ping_of("b"), at=10.0)
    assert swim.sent() == [(address_of("b"), Ack(9)), (address_of("b"), Dead("b", 4, "b"))]


def test_a_restarted_owner_that_is_shown_its_leave_is_back() -> None:
    owner, holder = SwimHarness(name="b"), SwimHarness()
    holder.receive(alive("b", 4), at=8.0)
    holder.receive(Dead("b", 4, "b"), at=9.0)
    holder.receive(alive("b", 1), at=9.5)
    assert holder.state("b") is MemberState.LEFT
    holder.forget()
    holder.receive(ping_of("b"), at=10.0)
    _, (_, shown) = holder.sent()
    owner.receive(shown, at=10.1, source="us")
    (answer,) = owner.gossiped()
    assert answer == alive("b", 5)
    holder.receive(answer, at=10.2)
    assert holder.state("b") is MemberState.ALIVE


def test_who_left_is_shown_that_once_a_probe_interval(swim: SwimHarness) -> None:
    swim.receive(Dead("b", 1, "b"), at=9.0)
    swim.forget()
    shown = []
    for at in (10.0, 10.5, 10.9, 11.1, 12.0):
        swim.receive(ping_of("b"), at=at)
        shown += [at for _, message in swim.sent() if isinstance(message, Dead)]
    assert shown == [10.0, 11.1]


@pytest.mark.parametrize("claim", [alive("b", 2), Suspect("b", 1, "c"), Dead("b", 1, "c")])
def test_only_who_left_is_answered_with_more_than_an_ack(
    swim: SwimHarness, claim: Alive | Suspect | Dead
) -> None:
    swim.receive(claim, at=9.0)  # gossip tells those accused, only those who left it passes over
    swim.forget()
    for ping in (ping_of("b"), ping_of("stranger"), Ping(9, "us", address_of("b"))):
        swim.receive(ping, at=10.0)
        assert [message for _, message in swim.sent()] == [Ack(9)]


def strangers(swim: SwimHarness) -> list[tuple[str, float]]:
    pinged = []
    for at in (9.0, 39.0, 39.1, 80.0):
        swim.receive(ping_of("b"), at=at)
        found = [event for event in swim.events() if isinstance(event, StrangerPinged)]
        assert all(event.source == address_of("b") for event in found)
        pinged += [(event.node, at) for event in found]
    return pinged


def test_the_ping_of_a_dead_one_is_told_when_gossip_has_given_it_up(swim: SwimHarness) -> None:
    swim.receive(Dead("b", 1, "c"), at=9.0)
    assert strangers(swim) == [("b", 39.1), ("b", 80.0)]


def test_the_ping_of_one_alive_is_not_told(swim: SwimHarness) -> None:
    assert strangers(swim) == []


def test_the_ping_of_an_unknown_one_is_told(swim: SwimHarness) -> None:
    swim.receive(ping_of("stranger"), at=9.0)
    assert swim.events() == [StrangerPinged("stranger", address_of("stranger"))]


def test_we_ourselves_are_shown_no_leave_of_ours(swim: SwimHarness) -> None:
    swim.swim.leave(1, 9.0)
    swim.forget()
    swim.receive(ping_of("us"), at=10.0)
    assert [message for _, message in swim.sent()] == [Ack(9)]


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
