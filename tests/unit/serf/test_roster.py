"""Members and their status (cases 105 to 113)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gossipd.serf.effects import Recall, SendPayload
from gossipd.serf.events import ChangeKind, LeaveIntentRefuted, MemberChange
from gossipd.serf.roster import Roster
from gossipd.wire.serf_codec import decode_serf_untrusted, encode_serf
from gossipd.wire.serf_messages import LAMPORT_TIME_MAX, JoinIntent, LeaveIntent, MemberStatus
from support.serf_harness import SerfHarness, address_of, member_of, state_of


def test_case_105_a_leave_intent_and_then_dead_is_leaving_and_then_left() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.receive(LeaveIntent(5, "b"), at=1.0)
    assert serf.status("b") is MemberStatus.LEAVING
    assert serf.events() == []
    serf.depart("b", at=2.0)
    assert serf.status("b") is MemberStatus.LEFT
    assert serf.changes() == [(ChangeKind.LEAVE, "b")]
    assert serf.serf.members["b"].left_at == 2.0
    assert serf.serf.members["b"].status_ltime == 5


def test_case_106_dead_without_a_leave_intent_is_failed_even_if_it_says_left() -> None:
    serf = SerfHarness()
    serf.join("b", "c")
    serf.die("b", at=2.0)
    serf.depart("c", at=2.0)
    assert serf.changes() == [(ChangeKind.FAILED, "b"), (ChangeKind.FAILED, "c")]
    assert serf.status("b") is serf.status("c") is MemberStatus.FAILED


def test_case_107_a_leave_intent_for_a_failed_member_makes_it_left() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.die("b", at=2.0)
    serf.events()
    serf.receive(LeaveIntent(3, "b"), at=3.0)
    [change] = serf.events_of(MemberChange)
    assert (change.kind, change.member.status) == (ChangeKind.LEAVE, MemberStatus.LEFT)
    assert change.forced
    assert serf.serf.members["b"].left_at == 2.0
    assert serf.gossiped() == [encode_serf(LeaveIntent(3, "b"))]


def test_case_108_a_member_whose_leave_intent_came_first_appears_as_leaving() -> None:
    serf = SerfHarness()
    serf.receive(LeaveIntent(9, "b"), at=1.0)
    assert serf.gossiped() == [encode_serf(LeaveIntent(9, "b"))]
    serf.rejoin("b", at=2.0)
    assert serf.status("b") is MemberStatus.LEAVING
    assert serf.serf.members["b"].status_ltime == 9
    assert serf.changes() == [(ChangeKind.JOIN, "b")]


def test_a_buffered_join_intent_sets_the_status_time_of_a_new_member() -> None:
    serf = SerfHarness()
    serf.receive(LeaveIntent(9, "b"), at=1.0)
    serf.receive(JoinIntent(10, "b"), at=1.0)
    serf.rejoin("b", at=2.0)
    assert serf.status("b") is MemberStatus.ALIVE
    assert serf.serf.members["b"].status_ltime == 10


def test_case_109_a_leave_intent_not_above_the_status_time_is_dropped() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.receive(JoinIntent(5, "b"))
    serf.gossiped()
    for _ in range(3):
        serf.gossiped()
    for ltime in (5, 4):
        serf.receive(LeaveIntent(ltime, "b"))
        assert serf.status("b") is MemberStatus.ALIVE
    assert serf.gossiped() == []
    assert serf.serf.member_time == 6


def test_case_110_a_leave_intent_about_us_is_refuted_with_a_newer_join_intent() -> None:
    serf = SerfHarness()
    serf.receive(LeaveIntent(40, "us"))
    assert serf.gossiped() == [encode_serf(JoinIntent(41, "us"))]
    assert serf.events() == [LeaveIntentRefuted(40)]
    assert serf.status("us") is MemberStatus.ALIVE
    assert serf.serf.members["us"].status_ltime == 41
    assert serf.serf.member_time == 42


def test_a_leave_of_our_last_life_at_the_time_of_our_join_is_refuted_once() -> None:
    serf = SerfHarness()
    serf.serf.announce_join(1.0)
    joined = serf.serf.members["us"].status_ltime
    serf.gossiped()
    serf.receive(LeaveIntent(joined, "us"))
    assert serf.gossiped() == [encode_serf(JoinIntent(joined + 1, "us"))]
    assert serf.status("us") is MemberStatus.ALIVE
    serf.receive(LeaveIntent(joined, "us"))
    assert serf.serf.members["us"].status_ltime == joined + 1


def test_a_flood_of_leave_intents_about_us_leaves_one_refutation_in_the_queue() -> None:
    serf = SerfHarness()
    for ltime in range(10, 200, 2):
        serf.receive(LeaveIntent(ltime, "us"))
    assert serf.gossiped() == [encode_serf(JoinIntent(199, "us"))]


def test_case_111_a_newer_join_intent_makes_leaving_alive_again() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.receive(LeaveIntent(5, "b"))
    serf.receive(JoinIntent(6, "b"))
    assert serf.status("b") is MemberStatus.ALIVE
    assert serf.serf.members["b"].status_ltime == 6
    assert len(serf.gossiped()) == 2


def test_a_member_that_should_have_left_is_asked_until_it_leaves_or_says_that_it_stays() -> None:
    serf, other = SerfHarness(), "b"
    serf.join(other)
    serf.receive(LeaveIntent(5, other), at=1.0)
    serf.advance(11.9)
    assert serf.sent() == []
    serf.advance(12.0)
    assert serf.sent() == [(address_of(other), LeaveIntent(6, other))]
    serf.advance(23.0)
    assert serf.sent() == [(address_of(other), LeaveIntent(7, other))]
    assert serf.serf.members[other].status_ltime == 5
    serf.receive(JoinIntent(7, other), at=24.0)
    serf.advance(100.0)
    assert serf.sent() == []


def test_the_question_is_newer_than_all_that_was_heard_of_anybody() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.receive(LeaveIntent(5, "b"), at=1.0)
    serf.receive(JoinIntent(18, "c"), at=2.0)  # b may have refuted at such a time, unheard by us
    serf.advance(12.0)
    assert serf.sent() == [(address_of("b"), LeaveIntent(19, "b"))]


@pytest.mark.parametrize("lost", [1, 3])
def test_whose_refutations_were_lost_is_asked_by_what_it_takes_for_new(lost: int) -> None:
    serf, owner = SerfHarness(), SerfHarness()
    serf.join("b")
    serf.receive(LeaveIntent(5, "b"), at=1.0)
    owner.receive(LeaveIntent(5, "us"), at=1.0)
    for _ in range(lost):  # its own messages reach nobody
        assert owner.serf.members["us"].status_ltime > 5
        owner.receive(LeaveIntent(owner.serf.member_time, "us"), at=2.0)
    while owner.gossiped():
        pass
    for at in (12.0, 23.0, 34.0, 45.0, 56.0, 67.0, 78.0):
        serf.advance(at)
        for _, question in serf.sent():
            assert isinstance(question, LeaveIntent)
            owner.receive(LeaveIntent(question.ltime, "us"), at=at)
        for payload in owner.gossiped():
            answer = decode_serf_untrusted(payload)
            assert isinstance(answer, JoinIntent)
            serf.receive(JoinIntent(answer.ltime, "b"), at=at)
    assert serf.status("b") is MemberStatus.ALIVE


def test_nobody_is_asked_who_left_in_time_and_a_second_leave_is_watched_anew() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.receive(LeaveIntent(5, "b"), at=1.0)
    serf.depart("b", at=2.0)
    serf.advance(50.0)
    assert serf.sent() == []
    serf.rejoin("b", at=50.0)
    serf.receive(LeaveIntent(8, "b"), at=51.0)
    serf.advance(62.0)
    assert serf.sent() == [(address_of("b"), LeaveIntent(9, "b"))]


def test_a_member_that_appears_as_leaving_is_asked_too_and_the_last_legal_time_is_kept() -> None:
    serf = SerfHarness()
    serf.receive(LeaveIntent(LAMPORT_TIME_MAX, "b"), at=1.0)
    serf.rejoin("b", at=2.0)
    serf.advance(13.0)
    assert serf.sent() == [(address_of("b"), LeaveIntent(LAMPORT_TIME_MAX, "b"))]


def test_we_do_not_ask_ourselves_while_we_leave() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.serf.announce_leave(1, 1.0)
    serf.advance(50.0)
    assert serf.sent() == []


def test_case_112_the_same_leave_intent_twice_is_gossiped_once() -> None:
    serf = SerfHarness()
    serf.join("b")
    for node in ("b", "unknown"):
        serf.receive(LeaveIntent(5, node))
        serf.receive(LeaveIntent(5, node))
    assert sorted(serf.gossiped()) == sorted(
        encode_serf(LeaveIntent(5, node)) for node in ("b", "unknown")
    )


def test_a_leave_intent_always_moves_the_status_time_even_of_a_left_member() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.die("b", at=1.0)
    serf.receive(LeaveIntent(3, "b"))
    serf.receive(LeaveIntent(8, "b"))
    assert serf.status("b") is MemberStatus.LEFT
    assert serf.serf.members["b"].status_ltime == 8


def test_a_join_intent_does_not_revive_a_failed_or_left_member() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.die("b", at=1.0)
    serf.receive(JoinIntent(3, "b"))
    assert serf.status("b") is MemberStatus.FAILED


def test_a_member_that_comes_back_is_alive_and_off_the_side_lists() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.receive(LeaveIntent(3, "b"))
    serf.depart("b", at=2.0)
    assert serf.state().left_members == ("b",)
    serf.rejoin("b", at=3.0)
    assert serf.status("b") is MemberStatus.ALIVE
    assert serf.serf.members["b"].left_at is None
    assert serf.serf.members["b"].status_ltime == 3
    assert serf.state().left_members == ()
    assert (serf.serf.failed, serf.serf.left) == (0, 0)


def test_case_113_force_leave_with_prune_forgets_a_failed_member() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.die("b", at=1.0)
    serf.events()
    serf.receive(LeaveIntent(5, "b", prune=True))
    assert serf.status("b") is None
    assert serf.changes() == [(ChangeKind.LEAVE, "b"), (ChangeKind.REAP, "b")]
    assert serf.serf.left == 0


def test_prune_of_a_leaving_member_waits_until_it_had_time_to_leave() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.receive(LeaveIntent(5, "b", prune=True), at=1.0)
    serf.advance(6.9)
    assert serf.status("b") is MemberStatus.LEAVING
    serf.advance(7.0)
    assert serf.status("b") is None
    assert serf.changes() == [(ChangeKind.REAP, "b")]


def test_prune_spares_a_member_that_refuted_in_time() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.receive(LeaveIntent(5, "b", prune=True), at=1.0)
    serf.receive(JoinIntent(6, "b"), at=2.0)
    serf.advance(20.0)
    assert serf.status("b") is MemberStatus.ALIVE


def test_a_pruned_member_is_asked_and_comes_back_with_what_it_says_after_that_leave() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.receive(LeaveIntent(5, "b", True), at=1.0)
    serf.advance(7.0)
    assert serf.status("b") is None
    assert serf.outbox.take_effects() == [
        SendPayload(address_of("b"), encode_serf(LeaveIntent(6, "b")))
    ]
    serf.events()
    serf.receive(JoinIntent(5, "b"), at=8.0)  # others that still wait for it say so
    assert serf.outbox.take_effects() == []
    serf.receive(JoinIntent(7, "b"), at=9.0)
    assert serf.outbox.take_effects() == [Recall("b")]
    for _ in range(2):
        serf.serf.recall(member_of("b"), 9.0)
    assert serf.changes() == [(ChangeKind.JOIN, "b")]
    assert serf.serf.members["b"].status is MemberStatus.ALIVE
    assert serf.serf.members["b"].status_ltime == 7


def asked(serf: SerfHarness) -> list[LeaveIntent]:
    """Return what ``b`` was asked by messages of its own."""
    found = []
    for effect in serf.outbox.take_effects():
        if isinstance(effect, SendPayload) and effect.to == address_of("b"):
            message = decode_serf_untrusted(effect.payload)
            assert isinstance(message, LeaveIntent)
            found.append(message)
    return found


def test_a_pruned_member_that_heard_nothing_of_it_is_asked_until_it_answers() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.receive(LeaveIntent(5, "b", prune=True), at=1.0)
    serf.advance(7.0)
    assert asked(serf) == [LeaveIntent(6, "b")]
    serf.advance(40.0)  # a partition, say, in which the failure detector did not miss it
    assert asked(serf) == [LeaveIntent(ltime, "b") for ltime in (7, 8, 9)]
    serf.receive(JoinIntent(7, "b"), at=41.0)
    serf.serf.recall(member_of("b"), 41.0)
    serf.advance(100.0)
    assert asked(serf) == []
    assert serf.status("b") is MemberStatus.ALIVE


def test_a_pruned_member_that_is_said_to_leave_again_is_asked_by_the_newer_leave() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.receive(LeaveIntent(5, "b", prune=True), at=1.0)
    serf.advance(7.0)
    serf.receive(LeaveIntent(9, "b", prune=True), at=8.0)
    asked(serf)
    serf.advance(12.0)
    assert asked(serf) == [LeaveIntent(10, "b")]  # a join at 7 would not outdo that leave


@pytest.mark.parametrize("departs", [SerfHarness.die, SerfHarness.depart])
def test_a_pruned_member_that_is_really_gone_is_not_asked_any_more(
    departs: Callable[..., None],
) -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.receive(LeaveIntent(5, "b", prune=True), at=1.0)
    serf.advance(7.0)
    departs(serf, "b", at=8.0)
    asked(serf)
    serf.advance(1000.0)
    assert asked(serf) == []
    serf.rejoin("b", at=1000.0)
    assert serf.status("b") is MemberStatus.ALIVE


def test_prune_takes_a_member_whose_leave_a_push_pull_told_anew() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.receive(LeaveIntent(5, "b", prune=True), at=1.0)
    serf.depart("b", at=2.0)
    serf.serf.merge_state(state_of(members={"b": 5}, left=["b"]), False, False, 3.0)
    serf.advance(7.0)
    assert serf.status("b") is None


def test_a_repeated_prune_gives_the_member_the_whole_time_again_with_one_timer() -> None:
    serf = SerfHarness()
    serf.join("b")
    for step in range(50):
        serf.receive(LeaveIntent(5 + step, "b", prune=True), at=1.0 + step / 10)
    serf.advance(12.9)
    assert serf.status("b") is MemberStatus.LEAVING
    serf.advance(13.0)
    assert serf.status("b") is None


def test_an_update_refreshes_tags_and_one_of_an_unknown_member_is_ignored() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.update("b", {"role": "db"})
    serf.update("nobody", {"role": "db"})
    assert serf.changes() == [(ChangeKind.UPDATE, "b")]
    assert serf.serf.members["b"].tags == {"role": "db"}


def test_death_of_an_unknown_or_gone_member_changes_nothing() -> None:
    serf = SerfHarness()
    serf.join("b")
    serf.die("b", at=1.0)
    serf.events()
    version = serf.serf.version
    serf.die("b", "nobody", at=2.0)
    assert serf.events() == []
    assert serf.serf.version == version
    assert serf.serf.members["b"].left_at == 1.0


def test_above_the_maximum_the_member_gone_longest_is_surplus() -> None:
    roster = Roster(maximum=2)
    for name in ("a", "b", "c"):
        roster.joined(member_of(name), {}, None)
    assert roster.surplus() is None
    roster.gone("b", 1.0)
    roster.gone("a", 2.0)
    assert roster.surplus() == "b"


def test_members_are_listed_in_the_order_in_which_they_came() -> None:
    serf = SerfHarness()
    serf.join("z", "a", "m")
    serf.update("a", {"x": "y"})
    assert list(serf.serf.members) == ["us", "z", "a", "m"]
    assert serf.serf.members["z"].address == address_of("z")
