"""Coalescing: what applications are told of events that come close together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.address import Address
from gossipd.serf import coalesce
from gossipd.serf.coalesce import Coalescer, RawEvent
from gossipd.serf.events import (
    ApplicationEvent,
    ChangeKind,
    MemberChange,
    MembersChanged,
    QueryReceived,
    SerfMember,
    UserEventReceived,
)
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import MemberStatus

JOIN, LEAVE, FAILED, UPDATE, REAP = ChangeKind


def member(name: str, tag: str = "", port: int = 7946) -> SerfMember:
    address = Address(bytes([10, 0, 0, 1]), port)
    return SerfMember(name, address, {"t": tag}, MemberStatus.ALIVE, Versions(), 1)


def change(kind: ChangeKind, name: str = "a", tag: str = "") -> MemberChange:
    return MemberChange(kind, member(name, tag))


def user(name: str, ltime: int, payload: bytes = b"", *, cc: bool = True) -> UserEventReceived:
    return UserEventReceived(ltime, name, payload, cc)


@pytest.fixture
def coalescer() -> Coalescer:
    return Coalescer(3.0, 1.0)


def told(coalescer: Coalescer, *events: RawEvent, at: float = 0.0) -> list[ApplicationEvent]:
    """Give all events in one window and return what comes of it."""
    for event in events:
        assert coalescer.take_in(event, at) == []
    return coalescer.take_due(at + 1.0)


def test_members_of_one_window_are_told_by_kind_in_one_event_each(coalescer: Coalescer) -> None:
    assert told(
        coalescer, change(FAILED, "c"), change(JOIN, "a"), change(LEAVE, "d"), change(JOIN, "b")
    ) == [
        MembersChanged(JOIN, (member("a"), member("b"))),
        MembersChanged(LEAVE, (member("d"),)),
        MembersChanged(FAILED, (member("c"),)),
    ]
    assert coalescer.next_deadline() is None


def test_a_window_ends_when_it_is_quiet_and_at_the_latest_after_the_coalesce_period(
    coalescer: Coalescer,
) -> None:
    assert coalescer.next_deadline() is None
    coalescer.take_in(change(JOIN, "n0"), 10.0)
    assert coalescer.next_deadline() == 11.0
    for step in range(1, 6):
        now = 10.0 + step * 0.5
        assert coalescer.take_due(now) == []
        coalescer.take_in(change(JOIN, f"n{step}"), now)
        assert coalescer.next_deadline() == min(now + 1.0, 13.0)
    assert coalescer.take_due(12.99) == []
    assert coalescer.take_due(13.0) == [
        MembersChanged(JOIN, tuple(member(f"n{step}") for step in range(6)))
    ]


def test_user_events_have_timers_of_their_own(coalescer: Coalescer) -> None:
    coalescer.take_in(change(JOIN), 0.0)
    coalescer.take_in(user("deploy", 1), 0.8)
    assert coalescer.take_due(1.0) == [MembersChanged(JOIN, (member("a"),))]
    assert coalescer.next_deadline() == 1.8
    assert coalescer.take_due(1.8) == [user("deploy", 1)]


def test_the_last_kind_of_a_member_wins(coalescer: Coalescer) -> None:
    assert told(coalescer, change(JOIN), change(LEAVE)) == [MembersChanged(LEAVE, (member("a"),))]
    assert told(coalescer, change(FAILED, "b"), change(REAP, "b")) == [
        MembersChanged(REAP, (member("b"),))
    ]


def test_a_join_is_not_hidden_by_an_update_and_shows_the_newest_tags(
    coalescer: Coalescer,
) -> None:
    assert told(coalescer, change(JOIN), change(UPDATE, tag="new")) == [
        MembersChanged(JOIN, (member("a", "new"),))
    ]


def test_a_failure_is_not_hidden_by_an_update(coalescer: Coalescer) -> None:
    assert told(coalescer, change(FAILED), change(UPDATE, tag="new")) == [
        MembersChanged(FAILED, (member("a", "new"),))
    ]


def test_an_update_is_told_once(coalescer: Coalescer) -> None:
    assert told(coalescer, change(JOIN)) == [MembersChanged(JOIN, (member("a"),))]
    assert told(coalescer, change(UPDATE, tag="x"), change(UPDATE, tag="y")) == [
        MembersChanged(UPDATE, (member("a", "y"),))
    ]
    assert told(coalescer, change(JOIN, "b")) == [MembersChanged(JOIN, (member("b"),))]
    assert told(coalescer, change(UPDATE, tag="z")) == [MembersChanged(UPDATE, (member("a", "z"),))]


def test_a_member_that_went_and_came_back_in_one_window_is_as_it_was(coalescer: Coalescer) -> None:
    told(coalescer, change(JOIN))
    assert told(coalescer, change(FAILED), change(JOIN)) == []
    assert coalescer.next_deadline() is None
    assert told(coalescer, change(FAILED)) == [MembersChanged(FAILED, (member("a"),))]
    assert told(coalescer, change(JOIN)) == [MembersChanged(JOIN, (member("a"),))]


@pytest.mark.parametrize(
    "last", [[change(JOIN, tag="new")], [change(JOIN), change(UPDATE, tag="new")]]
)
def test_a_member_that_came_back_otherwise_was_updated(
    coalescer: Coalescer, last: list[MemberChange]
) -> None:
    told(coalescer, change(JOIN))
    assert told(coalescer, change(FAILED), *last) == [MembersChanged(UPDATE, (member("a", "new"),))]


def test_a_member_that_was_gone_and_is_gone_again_is_not_told_twice(coalescer: Coalescer) -> None:
    told(coalescer, change(JOIN))
    told(coalescer, change(FAILED))
    assert told(coalescer, change(JOIN, tag="x"), change(UPDATE, tag="y"), change(FAILED)) == []


def test_a_member_that_came_back_elsewhere_was_updated(coalescer: Coalescer) -> None:
    told(coalescer, change(JOIN))
    moved = member("a", port=1)
    assert told(coalescer, change(FAILED), MemberChange(JOIN, moved)) == [
        MembersChanged(UPDATE, (moved,))
    ]


def test_what_was_reaped_is_forgotten(coalescer: Coalescer) -> None:
    told(coalescer, change(JOIN))
    told(coalescer, change(REAP))
    assert coalescer._last == {}
    assert told(coalescer, change(JOIN)) == [MembersChanged(JOIN, (member("a"),))]


def test_of_user_events_of_one_name_only_the_newest_are_told(coalescer: Coalescer) -> None:
    assert told(
        coalescer,
        user("deploy", 4, b"old"),
        user("restart", 2),
        user("deploy", 5, b"one"),
        user("deploy", 5, b"two"),
        user("deploy", 3, b"late"),
    ) == [user("deploy", 5, b"one"), user("deploy", 5, b"two"), user("restart", 2)]
    assert told(coalescer, user("deploy", 5, b"three")) == [user("deploy", 5, b"three")]


def test_queries_and_events_that_may_not_wait_pass_at_once(coalescer: Coalescer) -> None:
    query = QueryReceived(1, 2, "load", None, "b", 9.0)
    coalescer.take_in(user("deploy", 1), 0.0)
    assert coalescer.take_in(user("deploy", 2, cc=False), 0.0) == [user("deploy", 2, cc=False)]
    assert coalescer.take_in(query, 0.0) == [query]
    assert coalescer.take_all() == [user("deploy", 1)]
    assert coalescer.next_deadline() is None


def test_too_much_is_told_early_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalesce, "GATHERED_MAX", 3)
    coalescer = Coalescer(3.0, 1.0)
    changes = [change(JOIN, f"n{number}") for number in range(3)]
    assert [coalescer.take_in(one, 0.0) for one in changes] == [
        [],
        [],
        [MembersChanged(JOIN, tuple(one.member for one in changes))],
    ]
    events = [user("a", 1), user("b", 1), user("b", 1, b"x")]
    assert [coalescer.take_in(one, 0.0) for one in events] == [[], [], events]
    coalescer.take_in(user("a", 1), 0.0)
    coalescer.take_in(user("a", 1, b"x"), 0.0)
    assert coalescer.take_in(user("a", 2), 0.0) == []  # it replaced two
    assert coalescer.take_in(user("c", 1), 0.0) == []
    assert coalescer.take_all() == [user("a", 2), user("c", 1)]


# -- properties ---------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([FAILED, LEAVE, UPDATE, JOIN, REAP]),
        st.sampled_from(["x", "y"]),
        st.sampled_from([0.0, 0.3, 0.9, 2.0]),
    ),
    max_size=40,
)


def lives(steps: list[tuple[str, ChangeKind, str, float]]) -> Iterator[tuple[MemberChange, float]]:
    """Turn any steps into changes that can really follow each other, with their times."""
    state: dict[str, tuple[ChangeKind, str]] = {}
    now = 0.0
    for name, kind, tag, pause in steps:
        now += pause
        before, was = state.get(name, (None, ""))
        is_up = before is JOIN
        possible = {
            JOIN: not is_up,
            LEAVE: is_up or before is FAILED,
            FAILED: is_up,
            UPDATE: is_up and tag != was,
            REAP: before in (LEAVE, FAILED),
        }
        if not possible[kind]:
            continue
        shown = tag if kind in (JOIN, UPDATE) else was
        if kind is REAP:
            del state[name]
        else:
            state[name] = (before if kind is UPDATE and before else kind), shown
        yield change(kind, name, shown), now


@given(STEPS)
def test_whoever_believes_what_is_told_ends_with_the_truth(
    steps: list[tuple[str, ChangeKind, str, float]],
) -> None:
    coalescer = Coalescer(3.0, 1.0)
    truth: dict[str, tuple[bool, str]] = {}
    believed: dict[str, tuple[bool, str]] = {}
    updates_told = updates_made = 0
    rejoins = 0

    def believe(events: list[ApplicationEvent]) -> None:
        nonlocal updates_told
        for event in events:
            assert isinstance(event, MembersChanged)
            for one in event.members:
                if event.kind is REAP:
                    believed.pop(one.name, None)
                    continue
                if event.kind is UPDATE:
                    updates_told += 1
                    assert believed[one.name][0], "an update of a member that was never told"
                is_up = event.kind in (JOIN, UPDATE)
                believed[one.name] = is_up, one.tags["t"]

    for one, now in lives(steps):
        deadline = coalescer.next_deadline()
        while deadline is not None and deadline <= now:
            believe(coalescer.take_due(deadline))
            deadline = coalescer.next_deadline()
        name, tag = one.member.name, one.member.tags["t"]
        if one.kind is REAP:
            truth.pop(name)
        else:
            truth[name] = one.kind in (JOIN, UPDATE), tag
        updates_made += one.kind is UPDATE
        rejoins += one.kind is JOIN
        assert coalescer.take_in(one, now) == []
        deadline = coalescer.next_deadline()
        assert deadline is not None
        assert now < deadline <= now + 1.0
    believe(coalescer.take_all())
    is_up = {name: up for name, (up, _) in truth.items()}
    assert {name: up for name, (up, _) in believed.items()} == is_up
    assert {n: believed[n] for n, up in is_up.items() if up} == {
        n: truth[n] for n, up in is_up.items() if up
    }  # of those that are down, tags may have changed while nobody looked
    assert updates_told <= updates_made + rejoins  # none is told twice
    assert coalescer.take_all() == []


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 4), st.binary(max_size=1))))
def test_user_events_told_are_exactly_those_of_the_highest_time_of_their_name(
    given_events: list[tuple[str, int, bytes]],
) -> None:
    coalescer = Coalescer(3.0, 1.0)
    events = [user(*fields) for fields in given_events]
    for event in events:
        assert coalescer.take_in(event, 0.0) == []
    newest = {e.name: max(o.ltime for o in events if o.name == e.name) for e in events}
    expected = [event for event in events if event.ltime == newest[event.name]]
    result = coalescer.take_all()
    assert sorted(map(repr, result)) == sorted(map(repr, expected))
