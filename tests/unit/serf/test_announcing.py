"""User events of ours and of others (cases 116 to 119; sections 16 and 22)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.config.model import SerfConfig
from gossipd.errors import Unavailable, UsageError
from gossipd.serf.announcing import EXPRESSIONS_PER_STATE
from gossipd.serf.events import MessageIgnored, UserEventReceived
from gossipd.wire.serf_codec import (
    decode_serf_state_untrusted,
    decode_serf_untrusted,
    encode_serf,
)
from gossipd.wire.serf_messages import (
    LAMPORT_TIME_MAX,
    BufferedEvent,
    EventExtras,
    UserEvent,
)
from support.serf_harness import SerfHarness, state_of


def received(serf: SerfHarness) -> list[UserEventReceived]:
    return serf.events_of(UserEventReceived)


def reasons(serf: SerfHarness) -> list[str]:
    return [event.reason for event in serf.events_of(MessageIgnored)]


def test_an_event_of_ours_is_told_here_gossiped_and_moves_the_clock() -> None:
    serf = SerfHarness()
    serf.serf.send_event("deploy", b"v2", 1.0, may_coalesce=True)
    assert received(serf) == [UserEventReceived(1, "deploy", b"v2", True, "us", is_own=True)]
    [sent] = serf.gossiped()
    extras = EventExtras("us")
    assert decode_serf_untrusted(sent) == UserEvent(1, "deploy", b"v2", True, extras)
    assert serf.serf.event_time == 2
    serf.receive(sent)
    assert received(serf) == []


def test_an_event_of_another_is_told_once_with_its_sender() -> None:
    serf = SerfHarness()
    for _ in range(2):
        serf.receive(UserEvent(4, "deploy", b"v2", True, EventExtras("b")))
        serf.receive(UserEvent(5, "deploy", None, False))
    assert received(serf) == [
        UserEventReceived(4, "deploy", b"v2", True, "b"),
        UserEventReceived(5, "deploy", None, False),
    ]


@pytest.mark.parametrize(
    ("nodes", "tags", "is_told"),
    [
        (("us", "b"), (), True),
        (("b",), (), False),
        ((), (("role", "^we"),), True),
        ((), (("role", "db"),), False),
        ((), (("none", "^$"),), True),
        (("us",), (("role", "db"),), False),
        (("us",), (("role", "b$"), ("zone", "1")), True),
    ],
)
def test_an_event_is_told_to_those_it_is_for_and_gossiped_by_all(
    nodes: tuple[str, ...], tags: tuple[tuple[str, str], ...], is_told: bool
) -> None:
    event = UserEvent(4, "deploy", b"v2", False, EventExtras("b", nodes, tags))
    serf = SerfHarness(tags={"role": "web", "zone": "1"})
    serf.receive(event)
    assert len(received(serf)) == is_told
    assert serf.gossiped() == [encode_serf(event)]

    own = SerfHarness(tags={"role": "web", "zone": "1"})
    own.serf.send_event("deploy", b"v2", 1.0, nodes=nodes, tags=dict(tags))
    assert len(received(own)) == is_told
    [sent] = own.gossiped()
    assert decode_serf_untrusted(sent) == UserEvent(
        1, "deploy", b"v2", False, EventExtras("us", nodes, tags)
    )


def test_an_event_with_a_bad_expression_is_for_nobody_and_travels_on() -> None:
    serf = SerfHarness()
    event = UserEvent(4, "deploy", None, False, EventExtras("b", (), (("role", "("),)))
    serf.receive(event)
    events = serf.events()
    assert [type(each) for each in events] == [MessageIgnored]
    assert serf.gossiped() == [encode_serf(event)]


def test_what_only_newer_peers_know_travels_on_byte_for_byte() -> None:
    serf = SerfHarness()
    ours = b"\xa8Zgossipd\x82\xa4From\xa1b\xa6Future\xc3"
    sent = b"\x03\x85\xa5LTime\x04\xa4Name\xa1n\xa7Payload\xc0\xa5Zeven\x91\x01" + ours + b"tail"
    serf.receive(sent)
    assert received(serf) == [UserEventReceived(4, "n", None, False, "b")]
    assert serf.gossiped() == [sent]


@pytest.mark.parametrize(
    "ours",
    [
        b"\x05",
        b"\x81\xa4From\x05",
        b"\x81\xa5Nodes\x05",
        b"\x81\xa5Nodes\x91\x05",
        b"\x81\xa5Nodes\x91\xc0",
        b"\x81\xa4Tags\x91\xa1a",
        b"\x81\xa4Tags\x81\xa1a\x05",
        b"\x81\xa4Tags\x81\x05\xa1a",
        b"\x81\xa4Tags\xde\x00\x81" + b"".join(b"\xa3%03d\xa0" % n for n in range(129)),
    ],
)
def test_extras_that_are_none_are_dropped_with_their_event(ours: bytes) -> None:
    serf = SerfHarness()
    serf.receive(b"\x03\x83\xa5LTime\x04\xa4Name\xa1n\xa8Zgossipd" + ours)
    assert len(reasons(serf)) == 1
    assert serf.gossiped() == []


def test_case_119_the_limits_before_and_after_encoding_are_serfs() -> None:
    serf = SerfHarness()
    with pytest.raises(
        UsageError, match=r"^user event exceeds configured limit of 512 bytes before encoding$"
    ):
        serf.serf.send_event("e", bytes(512), 1.0)
    with pytest.raises(
        UsageError,
        match=r"^encoded user event exceeds configured limit of 512 bytes after encoding$",
    ):
        serf.serf.send_event("e", bytes(482), 1.0)  # rpc.md: 481 pass, 482 do not
    assert serf.events() == serf.gossiped() == []
    assert serf.serf.event_time == 1
    serf.serf.send_event("e", bytes(481), 1.0)
    assert len(serf.gossiped()) == 1


def test_what_no_packet_can_carry_is_refused_with_that_limit() -> None:
    serf = SerfHarness(SerfConfig(user_event_size_limit=9216))
    limit = r"user event of \d+ bytes, .* exceeds limit of 1395 bytes that fit into a gossip packet"
    with pytest.raises(UsageError, match=limit):
        serf.serf.send_event("e", bytes(1350), 1.0)
    with pytest.raises(UsageError, match=limit):
        SerfHarness().serf.send_event("e", bytes(400), 1.0, nodes=["n" * 30] * 40)
    assert serf.gossiped() == []


def test_a_bad_expression_is_refused_locally() -> None:
    serf = SerfHarness()
    with pytest.raises(UsageError, match=r"^tag filter role=\[: "):
        serf.serf.send_event("e", None, 1.0, tags={"role": "["})
    assert serf.serf.event_time == 1


def test_at_the_end_of_the_clock_a_repeat_is_told_to_the_sender() -> None:
    serf = SerfHarness()
    serf.receive(UserEvent(LAMPORT_TIME_MAX, "forged"))
    serf.serf.send_event("e", None, 1.0)
    with pytest.raises(Unavailable, match="user event not sent: duplicate at time"):
        serf.serf.send_event("e", None, 1.0)


def test_case_118_a_replay_tells_the_events_unless_old_ones_are_unwanted() -> None:
    state = state_of(
        event_ltime=6,
        events={4: [BufferedEvent("a", b"1", EventExtras("b"))], 5: [BufferedEvent("a", b"2")]},
    )
    wanted, unwanted = SerfHarness(), SerfHarness()
    for _ in range(2):
        wanted.serf.merge_state(state, True, False, 1.0)
        unwanted.serf.merge_state(state, True, True, 1.0)
    assert received(wanted) == [
        UserEventReceived(4, "a", b"1", False, "b"),
        UserEventReceived(5, "a", b"2", False),
    ]
    assert wanted.gossiped() == []
    assert received(unwanted) == []
    unwanted.receive(UserEvent(5, "late"))
    unwanted.receive(UserEvent(6, "new"))
    assert [event.name for event in received(unwanted)] == ["new"]


def test_a_joiner_gets_sender_and_filters_from_our_push_pull() -> None:
    sender = SerfHarness()
    sender.serf.send_event("all", None, 1.0)
    sender.serf.send_event("some", None, 1.0, nodes=["c"])
    sender.serf.send_event("tagged", None, 1.0, tags={"role": "db"})
    joiner = SerfHarness(tags={"role": "db"})
    joiner.serf.merge_state(sender.serf.local_state(), True, False, 1.0)
    assert [(event.name, event.sender) for event in received(joiner)] == [
        ("all", "us"),
        ("tagged", "us"),
    ]


def test_what_a_serf_left_out_in_its_push_pull_makes_no_second_event() -> None:
    addressed = UserEvent(4, "deploy", b"v2", False, EventExtras("b", ("c",)))
    stripped = state_of(event_ltime=5, events={4: [BufferedEvent("deploy", b"v2")]})
    first_gossip = SerfHarness()
    first_gossip.receive(addressed)
    first_gossip.serf.merge_state(stripped, False, False, 1.0)
    assert received(first_gossip) == []
    first_state = SerfHarness()
    first_state.serf.merge_state(stripped, False, False, 1.0)
    first_state.receive(UserEvent(4, "deploy", b"v2", False, EventExtras("b", ("us",))))
    assert len(received(first_state)) == 1


def test_equal_events_of_one_time_for_different_nodes_are_different() -> None:
    serf = SerfHarness()
    for node in ("c", "us", "us"):
        serf.receive(UserEvent(4, "deploy", b"v2", False, EventExtras("b", (node,))))
    assert len(received(serf)) == 1
    assert len(serf.gossiped()) == 2


def test_of_a_state_full_of_expressions_so_many_are_compiled() -> None:
    def one(number: int) -> BufferedEvent:
        tags = (("x", ""), ("y", f"^$|{number}"))
        return BufferedEvent(str(number), None, EventExtras("b", (), tags))

    events = [one(number) for number in range(EXPRESSIONS_PER_STATE + 5)]
    serf = SerfHarness()
    serf.serf.merge_state(state_of(event_ltime=5, events={4: events}), True, False, 1.0)
    told = serf.events()
    ignored = [event.reason for event in told if isinstance(event, MessageIgnored)]
    assert ignored == ["too-many-filters"] * 6
    assert len(told) - len(ignored) == EXPRESSIONS_PER_STATE - 1


_texts = st.text(max_size=8)


@given(
    nodes=st.lists(st.sampled_from(["us", "b", "c", ""]), max_size=3),
    tags=st.dictionaries(
        st.sampled_from(["role", "zone", "x"]),
        st.sampled_from(["", "^$", "w", "^web$", "1|2", "(?i)WEB", "b+$"]),
        max_size=3,
    ),
    own=st.dictionaries(
        st.sampled_from(["role", "zone"]), st.sampled_from(["web", "", "1"]), max_size=2
    ),
)
def test_sender_and_receiver_agree_whom_an_event_is_for(
    nodes: list[str], tags: dict[str, str], own: dict[str, str]
) -> None:
    sender, receiver = SerfHarness(tags=own), SerfHarness(tags=own)
    sender.serf.send_event("e", None, 1.0, nodes=nodes, tags=tags)
    [sent] = sender.gossiped()
    receiver.receive(sent)
    assert len(received(sender)) == len(received(receiver))


@given(name=_texts, payload_bytes=st.integers(0, 520), nodes=st.lists(_texts, max_size=4))
def test_what_is_sent_keeps_the_limits_and_what_is_not_changes_nothing(
    name: str, payload_bytes: int, nodes: list[str]
) -> None:
    serf = SerfHarness()
    plain = len(encode_serf(UserEvent(1, name, bytes(payload_bytes))))
    try:
        serf.serf.send_event(name, bytes(payload_bytes), 1.0, nodes=nodes)
    except UsageError:
        assert plain > 512
        assert serf.serf.event_time == 1
        assert serf.gossiped() == []
    else:
        assert plain <= 512
        assert len(serf.gossiped()) == 1
        decoded = decode_serf_state_untrusted(serf.serf.local_state())
        assert decoded == serf.serf.snapshot()[0]
