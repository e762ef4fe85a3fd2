"""Serf's part of a push/pull (cases 114, 115, 145)."""

from __future__ import annotations

from gossipd.serf.events import ChangeKind, LeaveIntentRefuted, MessageIgnored
from gossipd.wire.serf_codec import encode_serf
from gossipd.wire.serf_messages import (
    LAMPORT_TIME_MAX,
    JoinIntent,
    LeaveIntent,
    MemberStatus,
    UserEvent,
)
from support.serf_harness import SerfHarness, state_of


def test_case_114_a_member_i_have_as_failed_becomes_left_if_the_peer_has_it_so() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.die("b", at=1.0)
    serf.events()
    serf.serf.merge_state(state_of(ltime=9, members={"b": 4}, left=["b"]), False, False, 2.0)
    assert serf.status("b") is MemberStatus.LEFT
    assert serf.serf.members["b"].status_ltime == 5
    assert serf.changes() == [(ChangeKind.LEAVE, "b")]
    assert serf.gossiped() == []


def test_case_115_merged_clocks_of_40_bring_a_clock_of_3_to_40() -> None:
    serf = SerfHarness()
    serf.receive(JoinIntent(2, "b"))
    assert serf.serf.member_time == 3
    serf.serf.merge_state(state_of(ltime=40, event_ltime=40, query_ltime=40), False, False, 1.0)
    clocks = serf.serf.member_time, serf.serf.event_time, serf.serf.query_time
    assert clocks == (40, 40, 40)
    serf.serf.merge_state(state_of(), False, False, 1.0)
    assert serf.serf.member_time == 40


def test_a_state_that_has_us_as_left_is_refuted() -> None:
    serf = SerfHarness()
    serf.serf.merge_state(state_of(ltime=9, members={"us": 5}, left=["us"]), True, False, 1.0)
    assert serf.events() == [LeaveIntentRefuted(6)]
    assert serf.gossiped() == [encode_serf(JoinIntent(9, "us"))]
    assert serf.status("us") is MemberStatus.ALIVE


def test_status_times_of_others_count_as_join_intents() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.receive(LeaveIntent(5, "b"))
    serf.serf.merge_state(state_of(members={"b": 6, "c": 3}), False, False, 1.0)
    assert serf.status("b") is MemberStatus.ALIVE
    serf.rejoin("c", at=2.0)
    assert serf.serf.members["c"].status_ltime == 3


def test_newer_word_of_us_than_our_last_join_is_outdone_once() -> None:
    serf = SerfHarness()
    serf.serf.announce_join(1.0)
    serf.gossiped()
    serf.serf.merge_state(state_of(ltime=9, members={"us": 8}), False, False, 2.0)
    assert serf.gossiped() == [encode_serf(JoinIntent(9, "us"))]
    assert serf.state().status_ltimes["us"] == 9
    serf.serf.merge_state(state_of(ltime=9, members={"us": 9}), False, False, 3.0)
    assert len(serf.gossiped()) == 1  # the same join, sent again
    assert serf.state().status_ltimes["us"] == 9


def test_newer_word_of_us_that_came_with_our_own_join_or_by_gossip_is_outdone_later() -> None:
    serf = SerfHarness()
    serf.serf.merge_state(state_of(ltime=9, members={"us": 8}), True, False, 2.0)
    serf.receive(JoinIntent(12, "us"), at=2.5)
    assert serf.gossiped() == [encode_serf(JoinIntent(12, "us"))]
    serf.serf.merge_state(state_of(), False, False, 3.0)
    assert serf.state().status_ltimes["us"] == 13


def test_news_of_us_are_not_outdone_while_we_leave() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.serf.announce_leave(1, 1.0)
    (ours,) = serf.gossiped()
    serf.serf.merge_state(state_of(ltime=9, members={"us": 8}), False, False, 2.0)
    assert serf.gossiped() == [ours]


def test_bytes_that_are_no_state_change_nothing_and_are_told() -> None:
    serf = SerfHarness()
    before = serf.serf.local_state()
    for data in (b"", b"\x03\x80", b"\x02\xc1", state_of(ltime=7)[:-1], b"\x02\x81\xa5LTime\xff"):
        serf.events()
        serf.serf.merge_state(data, True, False, 1.0)
        assert len(serf.events_of(MessageIgnored)) == 1, data
    assert serf.serf.local_state() is before


def test_case_145_keys_and_tails_of_a_newer_peer_are_ignored() -> None:
    serf = SerfHarness()
    serf.events()
    serf.serf.merge_state(b"\x02\x82\xa5LTime\x28\xa5Zmore\x81\xa1a\x91\x01tail", False, False, 1.0)
    assert serf.serf.member_time == 40
    assert serf.events() == []


def test_case_145_an_unknown_message_type_is_told_and_not_forwarded() -> None:
    serf = SerfHarness()
    serf.events()
    serf.receive(b"\xc8hello")
    [ignored] = serf.events()
    assert isinstance(ignored, MessageIgnored)
    assert not serf.serf.has_payloads
    assert serf.outbox.take_effects() == []


def test_case_145_unknown_fields_of_an_intent_are_forwarded_unchanged() -> None:
    serf = SerfHarness()
    payload = b"\x01\x83\xa5LTime\x05\xa4Node\xa1b\xa3Zap\x01tail"
    serf.receive(payload)
    assert serf.gossiped() == [payload]


def test_an_empty_message_is_silently_ignored() -> None:
    serf = SerfHarness()
    serf.events()
    serf.receive(b"")
    assert serf.events() == []


def test_the_local_state_holds_everything_and_is_made_anew_only_after_a_change() -> None:
    serf = SerfHarness()
    serf.join("b", "c")
    serf.receive(LeaveIntent(5, "b"))
    serf.depart("b", at=1.0)
    serf.receive(UserEvent(3, "deploy"))
    state = serf.state()
    assert (state.ltime, state.event_ltime, state.query_ltime) == (6, 4, 1)
    assert state.status_ltimes == {"us": 0, "b": 5, "c": 0}
    assert state.left_members == ("b",)
    assert len(state.events) == 512
    kept = serf.serf.local_state()
    assert serf.serf.local_state() is kept
    serf.receive(JoinIntent(9, "c"))
    assert serf.serf.local_state() is not kept


def test_an_idle_nodes_state_is_about_as_long_as_a_real_ones() -> None:
    assert 560 <= len(SerfHarness().serf.local_state()) <= 610


def test_the_highest_legal_times_break_no_clock() -> None:
    serf = SerfHarness()
    serf.join("b")
    top = LAMPORT_TIME_MAX
    serf.receive(JoinIntent(2**62, "b"))
    assert serf.serf.member_time == 2**62 + 1
    serf.serf.merge_state(state_of(ltime=top, members={"b": top}, left=["b"]), False, False, 1.0)
    serf.receive(JoinIntent(top, "us"))
    assert serf.serf.member_time == top
    serf.serf.announce_join(2.0)
    serf.serf.force_leave("b", False, 1, 2.0)
    serf.serf.announce_leave(2, 2.0)
    assert serf.serf.member_time == top
    assert serf.state().ltime == top


def test_times_of_2_to_the_63_and_above_are_dropped() -> None:
    serf = SerfHarness()
    serf.events()
    serf.receive(b"\x01\x82\xa5LTime\xcf\x80" + b"\0" * 7 + b"\xa4Node\xa1b")
    assert len(serf.events_of(MessageIgnored)) == 1
    assert serf.serf.member_time == 1
