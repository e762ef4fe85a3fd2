"""Serf's layer under any legal input: order does not matter where it should not."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any, NamedTuple

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gossipd.errors import Unavailable, UsageError
from gossipd.serf.events import (
    QueryAcked,
    QueryAnswered,
    QueryClosed,
    QueryReceived,
    SerfEvent,
    UserEventReceived,
)
from gossipd.serf.question import PING_ALL, Question
from gossipd.wire.serf_codec import encode_serf
from gossipd.wire.serf_messages import (
    LAMPORT_TIME_MAX,
    BufferedEvent,
    JoinIntent,
    LeaveIntent,
    MemberStatus,
    QueryResponse,
    Relay,
    UserEvent,
)
from support.serf_harness import PLENTY, SerfHarness, query_of, state_of

NAMES = st.sampled_from(["us", "b", "c", "d"])
TIMES = st.one_of(st.integers(0, 40), st.sampled_from([2**62, LAMPORT_TIME_MAX]))
INTENTS = st.one_of(
    st.builds(JoinIntent, TIMES, NAMES), st.builds(LeaveIntent, TIMES, NAMES, st.booleans())
)
MESSAGES = st.one_of(
    INTENTS,
    st.builds(UserEvent, TIMES, st.text(max_size=3), st.none() | st.binary(max_size=3)),
    st.builds(
        query_of,
        TIMES,
        st.integers(0, 3),
        filters=st.lists(st.binary(max_size=6), max_size=2),
        flags=st.integers(0, 3),
        relay_factor=st.integers(0, 255),
        name=st.sampled_from(["_serf_ping", "_serf_conflict", "_serf_list-keys", "x", "_serf_y"]),
        payload=st.none() | st.binary(max_size=5),
    ),
    st.builds(QueryResponse, TIMES, st.integers(0, 3), NAMES, st.integers(0, 3), st.none()),
)


def _distinct(intents: list[JoinIntent | LeaveIntent]) -> bool:
    """Say whether no two intents claim different things about a node at one time."""
    seen: dict[tuple[str, int], bool] = {}
    for intent in intents:
        is_leave = isinstance(intent, LeaveIntent)
        if seen.setdefault((intent.node, intent.ltime), is_leave) != is_leave:
            return False
    return True


def _statuses(serf: SerfHarness) -> dict[str, tuple[MemberStatus, int]]:
    return {name: (each.status, each.status_ltime) for name, each in serf.serf.members.items()}


SOME = st.one_of(
    st.builds(JoinIntent, st.integers(0, 9), st.sampled_from("bcd")),
    st.builds(LeaveIntent, st.integers(0, 9), st.sampled_from("bcd")),
)


@given(st.lists(SOME, max_size=8).filter(_distinct), st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_intents_about_alive_or_unknown_members_commute(
    intents: list[JoinIntent | LeaveIntent], seed: int
) -> None:
    shuffled = list(intents)
    Random(seed).shuffle(shuffled)
    outcomes = []
    for order in (intents, shuffled, [*shuffled, *intents]):
        serf = SerfHarness()
        serf.join("b", "c")
        for intent in order:
            serf.receive(intent)
        serf.join("d", at=2.0)
        outcomes.append(_statuses(serf))
    assert outcomes[0] == outcomes[1] == outcomes[2]


class _State(NamedTuple):
    ltime: int
    members: dict[str, int]
    left: list[str]

    def intents(self) -> list[JoinIntent | LeaveIntent]:
        """Return what the state claims of members."""
        gone = [LeaveIntent(self.members.get(name, 0) + 1, name) for name in self.left]
        return gone + [
            JoinIntent(ltime, name) for name, ltime in self.members.items() if name not in self.left
        ]


SOME_STATES = st.builds(
    _State,
    st.integers(0, 30),
    st.dictionaries(st.sampled_from("bcd"), st.integers(0, 9)),
    st.lists(st.sampled_from("bcd"), unique=True, max_size=2),
)


@given(st.lists(SOME | SOME_STATES, max_size=6), st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_states_and_intents_merge_to_the_same_in_any_order(
    inputs: list[JoinIntent | LeaveIntent | _State], seed: int
) -> None:
    claims: list[JoinIntent | LeaveIntent] = []
    for each in inputs:
        claims += each.intents() if isinstance(each, _State) else [each]
    assume(_distinct(claims))
    shuffled = list(inputs)
    Random(seed).shuffle(shuffled)
    outcomes = []
    for order in (inputs, shuffled, [*shuffled, *inputs]):
        serf = SerfHarness()
        serf.join("b", "c")
        for each in order:
            if isinstance(each, _State):
                state = state_of(ltime=each.ltime, members=each.members, left=each.left)
                serf.serf.merge_state(state, False, False, 1.0)
            else:
                serf.receive(each)
        serf.join("d", at=2.0)
        outcomes.append((serf.serf.member_time, _statuses(serf)))
    assert outcomes[0] == outcomes[1] == outcomes[2]


EVENTS = st.lists(st.builds(BufferedEvent, st.just("e")), max_size=2)
STATES = st.builds(
    state_of,
    ltime=st.integers(0, 9),
    members=st.dictionaries(st.sampled_from("bcd"), st.integers(0, 9)),
    left=st.lists(st.sampled_from("bcd"), unique=True, max_size=1),
    event_ltime=st.integers(0, 9),
    events=st.dictionaries(st.integers(1, 9), EVENTS),
)


@given(STATES)
@settings(max_examples=100, deadline=None)
def test_merging_a_state_twice_changes_nothing_the_second_time(state: bytes) -> None:
    serf = SerfHarness()
    serf.join("b", "c")
    serf.serf.merge_state(state, False, False, 1.0)
    once = serf.serf.local_state()
    version = serf.serf.version
    serf.events()
    serf.serf.merge_state(state, False, False, 2.0)
    assert serf.serf.local_state() is once
    assert serf.serf.version == version
    assert serf.changes() == []


COMMANDS = (
    "join", "die", "ping", "leave", "force", "event", "ask", "respond", "decline", "wait",
)  # fmt: skip
ONCE = (UserEventReceived, QueryReceived, QueryAcked, QueryAnswered, QueryClosed)
"""Events that are never told twice: Lamport times and numbers tell apart what is alike."""


@given(
    st.lists(
        st.one_of(
            MESSAGES,
            st.builds(lambda inner: Relay(query_of().origin, "x", encode_serf(inner)), MESSAGES),
            st.binary(max_size=12),
            st.tuples(st.sampled_from(COMMANDS), NAMES),
        ),
        max_size=25,
    )
)
@settings(max_examples=250, deadline=None)
def test_no_input_raises_and_clocks_never_fall(inputs: list[Any]) -> None:
    serf = SerfHarness()
    now = 1.0
    clocks = (0, 0, 0)
    told: list[SerfEvent] = []
    for token, each in enumerate(inputs):
        now += 0.5
        match each:
            case ("join", name):
                serf.join(name, at=now)
            case ("die", name):
                serf.die(name, at=now)
            case ("ping", _):
                serf.serf.ask(PING_ALL, now)
            case ("leave", _):
                serf.serf.announce_leave(token, now)
            case ("force", name):
                serf.serf.force_leave(name, True, token, now)
            case ("event", name):
                with suppress(Unavailable):  # the clock was driven to its end
                    serf.serf.send_event(name, None, now, nodes=["us"])
            case ("ask", name):
                serf.serf.ask(Question(name=name, wants_acks=True), now)
            case ("respond", _):
                with suppress(UsageError):  # answered, or too late
                    serf.serf.respond(1, b"x", now)
            case ("decline", _):
                serf.serf.decline(1, now)
            case ("wait", _):
                now += 40.0
            case _:
                serf.receive(each, at=now)
        serf.serf.handle_deadline(now)
        deadline = serf.serf.next_deadline()
        assert deadline is None or deadline > now
        current = (serf.serf.member_time, serf.serf.event_time, serf.serf.query_time)
        assert all(before <= after for before, after in zip(clocks, current, strict=True))
        assert max(current) <= LAMPORT_TIME_MAX
        clocks = current
        serf.serf.merge_state(serf.serf.local_state(), False, False, now)
        serf.serf.take_payloads(PLENTY, 3)
        statuses = [member.status for member in serf.serf.members.values()]
        assert statuses.count(MemberStatus.FAILED) == serf.serf.failed
        assert statuses.count(MemberStatus.LEFT) == serf.serf.left
        for event in serf.events():
            if isinstance(event, ONCE):
                assert event not in told
                told.append(event)


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_garbage_as_a_state_raises_nothing(data: bytes) -> None:
    serf = SerfHarness()
    serf.serf.merge_state(data, True, False, 1.0)
    serf.serf.merge_state(b"\x02" + data, True, False, 1.0)
