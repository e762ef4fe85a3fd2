"""Alive, suspect and dead claims: what each comes to (cases 57-80)."""

from __future__ import annotations

import pytest

from gossipd.address import Address
from gossipd.config.model import SwimConfig
from gossipd.swim import membership
from gossipd.swim.events import (
    AccusationRefuted,
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberRefuted,
    MemberSuspected,
    MemberUpdated,
    NameConflict,
    SuspicionConfirmed,
)
from gossipd.swim.member import MemberState
from gossipd.swim.refutation import INCARNATION_MAX
from gossipd.value import replace
from gossipd.wire.messages import Alive, Dead, Suspect, Versions
from support.swim_harness import SwimHarness, address_of, alive

ELSEWHERE = Address(b"\x0a\x00\x00\x09", 7946)


@pytest.fixture
def swim() -> SwimHarness:
    harness = SwimHarness()
    harness.knows("b", "c", "d")
    return harness


def test_the_start_announces_this_node_at_incarnation_one() -> None:
    harness = SwimHarness()
    assert harness.swim.incarnation == 1
    assert harness.state("us") is MemberState.ALIVE
    assert harness.swim.count == 1


def test_case_57_an_unknown_alive_node_joins_and_is_passed_on(swim: SwimHarness) -> None:
    claim = alive("e", 4, b"meta")
    swim.receive(claim, at=10.0)
    assert swim.events() == [MemberJoined(swim.member("e"), address_of("b"))]
    assert swim.gossiped() == [claim]
    assert swim.member("e").incarnation == 4
    assert swim.member("e").changed_at == 10.0


def test_an_unknown_node_at_incarnation_zero_is_ignored(swim: SwimHarness) -> None:
    swim.receive(alive("e", 0), at=10.0)
    assert swim.swim.member("e") is None
    assert swim.events() == []


def test_case_58_an_equal_incarnation_is_ignored(swim: SwimHarness) -> None:
    before = swim.member("b")
    swim.receive(alive("b", 1, b"other"), at=10.0)
    assert swim.member("b") is before
    assert swim.events() == []
    assert swim.gossiped() == []


def test_case_59_a_suspect_with_a_higher_incarnation_is_alive_without_a_join(
    swim: SwimHarness,
) -> None:
    swim.receive(Suspect("b", 1, "c"), at=10.0)
    swim.forget()
    swim.receive(alive("b", 2), at=12.5)
    assert swim.state("b") is MemberState.ALIVE
    assert swim.events() == [MemberRefuted(swim.member("b"), 2.5)]
    assert swim.gossiped() == [alive("b", 2)]
    assert swim.swim.suspicions() == {}


def test_a_suspect_is_not_alive_again_at_an_equal_incarnation(swim: SwimHarness) -> None:
    swim.receive(Suspect("b", 1, "c"), at=10.0)
    swim.receive(alive("b", 1), at=11.0)
    assert swim.state("b") is MemberState.SUSPECT


def test_case_60_new_meta_at_a_higher_incarnation_is_an_update(swim: SwimHarness) -> None:
    swim.receive(alive("b", 2, b"new"), at=10.0)
    assert swim.events() == [MemberUpdated(swim.member("b"))]
    assert swim.member("b").meta == b"new"
    assert swim.member("b").changed_at == 0.0


def test_case_61_another_address_for_an_alive_node_is_a_conflict(swim: SwimHarness) -> None:
    before = swim.member("b")
    swim.receive(replace(alive("b", 9), address=ELSEWHERE), at=10.0)
    assert swim.events() == [NameConflict(before, ELSEWHERE)]
    assert swim.member("b") is before
    assert swim.gossiped() == []
    assert swim.swim.refused == {"name-conflict": 1}


def test_case_61_another_address_under_our_own_name_is_a_conflict_too(
    swim: SwimHarness,
) -> None:
    swim.receive(replace(alive("us", 9), address=ELSEWHERE), at=10.0)
    assert swim.events() == [NameConflict(swim.member("us"), ELSEWHERE)]
    assert swim.swim.incarnation == 1


def test_the_mapped_form_of_an_address_is_another_address(swim: SwimHarness) -> None:
    mapped = Address(b"\0" * 10 + b"\xff\xff" + address_of("b").ip, address_of("b").port)
    swim.receive(replace(alive("b", 2), address=mapped), at=10.0)
    assert isinstance(swim.events()[0], NameConflict)


def test_case_62_the_name_of_a_node_that_left_is_free_even_at_a_lower_incarnation(
    swim: SwimHarness,
) -> None:
    swim.receive(alive("b", 8), at=9.0)
    swim.receive(Dead("b", 8, "b"), at=10.0)
    swim.forget()
    swim.receive(replace(alive("b", 1), address=ELSEWHERE), at=11.0)
    assert swim.member("b").address == ELSEWHERE
    assert swim.member("b").incarnation == 1
    assert swim.events() == [MemberJoined(swim.member("b"), address_of("b"))]


@pytest.mark.parametrize(
    ("reclaim_time", "at", "is_replaced"),
    [(0.0, 1000.0, False), (60.0, 69.0, False), (60.0, 71.0, True)],
)
def test_case_63_a_dead_nodes_name_is_reclaimed_only_after_the_configured_time(
    reclaim_time: float, at: float, is_replaced: bool
) -> None:
    swim = SwimHarness(SwimConfig(dead_node_reclaim_time=reclaim_time))
    swim.knows("b")
    swim.receive(Dead("b", 1, "c"), at=10.0)
    swim.forget()
    swim.receive(replace(alive("b", 1), address=ELSEWHERE), at=at)
    assert (swim.member("b").address == ELSEWHERE) is is_replaced
    assert isinstance(swim.events()[0], MemberJoined if is_replaced else NameConflict)


def test_case_64_what_we_said_of_ourselves_is_ignored(swim: SwimHarness) -> None:
    swim.receive(alive("us", 1), at=10.0)
    assert swim.swim.incarnation == 1
    assert swim.gossiped() == []


def test_case_65_other_meta_at_our_incarnation_is_refuted(swim: SwimHarness) -> None:
    swim.receive(alive("us", 1, b"not ours"), at=10.0)
    assert swim.gossiped() == [alive("us", 2)]
    assert swim.events() == [AccusationRefuted("alive", "", 2)]


def test_case_66_an_alive_ahead_of_us_is_outdone(swim: SwimHarness) -> None:
    swim.receive(alive("us", 2), at=9.0)
    assert swim.swim.incarnation == 3
    swim.forget()
    swim.receive(alive("us", 50), at=10.0)
    assert swim.gossiped() == [alive("us", 51)]
    assert swim.member("us").incarnation == 51


def test_a_refutation_does_not_displace_what_we_announced(swim: SwimHarness) -> None:
    swim.swim.set_meta(b"new", 7, 9.0)
    swim.receive(Suspect("us", 2, "b"), at=10.0)
    assert swim.gossiped() == [alive("us", 3, b"new"), alive("us", 2, b"new")]
    swim.receive(Suspect("us", 3, "b"), at=11.0)
    assert alive("us", 3, b"new") not in swim.gossiped()


def test_an_old_alive_about_us_is_ignored(swim: SwimHarness) -> None:
    swim.receive(Suspect("us", 1, "b"), at=9.0)
    swim.forget()
    swim.receive(alive("us", 1, b"old"), at=10.0)
    assert swim.swim.incarnation == 2
    assert swim.gossiped() == []


def test_case_67_alive_about_us_is_ignored_while_leaving(swim: SwimHarness) -> None:
    swim.swim.leave(1, 9.0)
    swim.forget()
    swim.receive(alive("us", 50), at=10.0)
    assert swim.state("us") is MemberState.LEFT
    assert swim.gossiped() == []


@pytest.mark.parametrize(
    "versions",
    [
        None,
        Versions(protocol_min=0),
        Versions(protocol_min=0, protocol_max=0),
        Versions(protocol_min=4, protocol_max=3),
    ],
)
def test_case_68_alive_with_impossible_versions_is_ignored(
    swim: SwimHarness, versions: Versions | None
) -> None:
    swim.receive(replace(alive("e", 1), versions=versions), at=10.0)
    swim.receive(replace(alive("b", 5), versions=versions), at=10.0)
    assert swim.swim.member("e") is None
    assert swim.member("b").incarnation == 1
    assert swim.events() == []
    assert swim.swim.refused == {"illegal-alive": 2}


@pytest.mark.parametrize(
    "claim",
    [
        replace(alive("e"), node=""),
        replace(alive("e"), node="e" * (membership.NAME_CHARACTERS_MAX + 1)),
        replace(alive("e"), meta=bytes(membership.META_BYTES_MAX + 1)),
        replace(alive("e"), address=Address(b"", 7946)),
        replace(alive("e"), address=Address(b"123", 7946)),
    ],
)
def test_claims_no_working_node_makes_are_ignored(swim: SwimHarness, claim: Alive) -> None:
    swim.receive(claim, at=10.0)
    assert swim.swim.count == 4
    assert swim.swim.refused == {"illegal-alive": 1}


def test_alive_with_port_zero_takes_our_bind_port(swim: SwimHarness) -> None:
    swim.receive(replace(alive("e"), address=Address(b"\x7f\x01\x02\x03", 0)), at=10.0)
    assert swim.member("e").address == Address(b"\x7f\x01\x02\x03", 7946)


def test_the_table_stops_growing_at_its_maximum(
    swim: SwimHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "MEMBERS_MAX", 5)
    swim.receive(alive("e"), at=1.0)
    swim.receive(alive("f"), at=1.0)
    swim.receive(alive("b", 2), at=1.0)
    assert swim.swim.count == 5
    assert swim.member("b").incarnation == 2
    assert swim.swim.refused == {"table-full": 1}


@pytest.mark.parametrize("claim", [Suspect("zz", 9, "b"), Suspect("c", 4, "b")])
def test_case_69_suspect_of_an_unknown_node_or_the_past_is_ignored(
    swim: SwimHarness, claim: Suspect
) -> None:
    swim.receive(alive("c", 5), at=1.0)
    swim.forget()
    swim.receive(claim, at=10.0)
    assert swim.events() == []
    assert swim.gossiped() == []


def test_case_70_suspect_starts_a_suspicion_and_is_passed_on(swim: SwimHarness) -> None:
    swim.receive(Suspect("b", 3, "c"), at=10.0)
    assert swim.state("b") is MemberState.SUSPECT
    assert swim.member("b").incarnation == 3
    assert swim.gossiped() == [Suspect("b", 3, "c")]
    assert swim.events() == [MemberSuspected(swim.member("b"), "c", 34.0)]
    running = swim.swim.suspicions()["b"]
    assert (running.accuser, running.confirmations) == ("c", 0)
    assert (running.since, running.deadline) == (10.0, 34.0)


def test_case_71_another_accuser_shortens_the_suspicion_and_is_passed_on(
    swim: SwimHarness,
) -> None:
    swim.receive(Suspect("b", 1, "c"), at=10.0)
    swim.forget()
    swim.receive(Suspect("b", 1, "d"), at=11.0)
    deadline = swim.swim.suspicions()["b"].deadline
    assert deadline == pytest.approx(21.381)
    assert swim.events() == [SuspicionConfirmed(swim.member("b"), "d", 1, deadline)]
    assert swim.gossiped() == [Suspect("b", 1, "d")]


def test_case_72_the_same_accuser_counts_once(swim: SwimHarness) -> None:
    swim.receive(Suspect("b", 1, "c"), at=10.0)
    swim.receive(Suspect("b", 1, "d"), at=11.0)
    swim.forget()
    swim.receive(Suspect("b", 1, "c"), at=12.0)
    swim.receive(Suspect("b", 1, "d"), at=12.0)
    assert swim.events() == []
    assert swim.gossiped() == []
    assert swim.swim.suspicions()["b"].confirmations == 1


def test_case_73_suspect_about_us_is_refuted_and_costs_health(swim: SwimHarness) -> None:
    swim.receive(Suspect("us", 1, "b"), at=10.0)
    assert swim.gossiped() == [alive("us", 2)]
    assert swim.events() == [AccusationRefuted("suspect", "b", 2)]
    assert swim.swim.health_score == 1
    assert swim.state("us") is MemberState.ALIVE


def test_case_73_suspect_about_an_earlier_incarnation_of_us_is_ignored(
    swim: SwimHarness,
) -> None:
    swim.receive(Suspect("us", 1, "b"), at=10.0)
    swim.forget()
    swim.receive(Suspect("us", 1, "c"), at=11.0)
    assert swim.gossiped() == []
    assert swim.swim.health_score == 1


def test_case_74_dead_fails_a_node_and_is_passed_on(swim: SwimHarness) -> None:
    swim.receive(Dead("b", 1, "c"), at=10.0)
    assert swim.state("b") is MemberState.DEAD
    assert swim.member("b").changed_at == 10.0
    assert swim.events() == [MemberFailed(swim.member("b"), "c", 0, None)]
    assert swim.gossiped() == [Dead("b", 1, "c")]


def test_a_failure_tells_the_whole_story_of_its_suspicion(swim: SwimHarness) -> None:
    swim.receive(Suspect("b", 1, "c"), at=10.0)
    swim.receive(Suspect("b", 1, "d"), at=11.0)
    swim.forget()
    swim.receive(Dead("b", 1, "d"), at=14.0)
    assert swim.events() == [MemberFailed(swim.member("b"), "d", 1, 4.0)]
    assert swim.swim.suspicions() == {}


def test_case_75_dead_by_its_own_word_has_left(swim: SwimHarness) -> None:
    swim.receive(Dead("b", 1, "b"), at=10.0)
    assert swim.state("b") is MemberState.LEFT
    assert swim.events() == [MemberLeft(swim.member("b"), address_of("b"))]


@pytest.mark.parametrize("kind", [Suspect, Dead])
def test_an_accuser_with_a_name_no_node_can_have_is_ignored(
    swim: SwimHarness, kind: type[Suspect] | type[Dead]
) -> None:
    swim.receive(kind("b", 1, "c" * (membership.NAME_CHARACTERS_MAX + 1)), at=10.0)
    assert swim.state("b") is MemberState.ALIVE
    assert swim.swim.queue_depth == 0
    assert swim.swim.refused == {"illegal-accusation": 1}


@pytest.mark.parametrize("accuser", ["c", "b"])
def test_case_76_dead_again_is_ignored(swim: SwimHarness, accuser: str) -> None:
    swim.receive(Dead("b", 1, "c"), at=10.0)
    swim.forget()
    swim.receive(Dead("b", 7, accuser), at=11.0)
    assert swim.state("b") is MemberState.DEAD
    assert swim.member("b").incarnation == 1
    assert swim.events() == []
    assert swim.gossiped() == []


@pytest.mark.parametrize("accuser", ["b", "us"])
def test_case_77_dead_about_us_is_refuted(swim: SwimHarness, accuser: str) -> None:
    swim.receive(Dead("us", 6, accuser), at=10.0)
    assert swim.gossiped() == [alive("us", 7)]
    assert swim.events() == [AccusationRefuted("dead", accuser, 7)]


def test_dead_about_an_older_incarnation_or_an_unknown_node_is_ignored(
    swim: SwimHarness,
) -> None:
    swim.receive(alive("b", 5), at=1.0)
    swim.forget()
    swim.receive(Dead("b", 4, "c"), at=10.0)
    swim.receive(Dead("zz", 4, "c"), at=10.0)
    assert swim.events() == []


def test_a_dead_node_that_raises_its_incarnation_joins_again(swim: SwimHarness) -> None:
    swim.receive(Dead("b", 1, "c"), at=10.0)
    swim.forget()
    swim.receive(alive("b", 1), at=11.0)
    assert swim.events() == []
    swim.receive(alive("b", 2), at=12.0)
    assert swim.events() == [MemberJoined(swim.member("b"), address_of("b"))]
    assert swim.member("b").changed_at == 12.0


def test_case_78_a_refuted_suspicion_does_not_fire(swim: SwimHarness) -> None:
    swim.receive(Suspect("b", 1, "c"), at=10.0)
    swim.receive(alive("b", 2), at=11.0)
    swim.forget()
    swim.swim.handle_deadline(34.0)
    assert swim.state("b") is MemberState.ALIVE


@pytest.mark.parametrize(
    ("accusers", "dead_at"), [(["c"], 24.0), (["c", "d"], 11.381), (["c", "d", "us"], 4.0)]
)
def test_case_79_four_nodes_declare_death_after_four_to_twenty_four_intervals(
    swim: SwimHarness, accusers: list[str], dead_at: float
) -> None:
    for accuser in accusers:
        swim.receive(Suspect("b", 1, accuser), at=0.0)
    assert swim.swim.suspicions()["b"].deadline == pytest.approx(dead_at)


def test_case_80_three_nodes_declare_death_after_four_intervals() -> None:
    swim = SwimHarness()
    swim.knows("b", "c")
    swim.receive(Suspect("b", 1, "c"), at=0.0)
    swim.receive(Suspect("b", 1, "us"), at=1.0)
    assert swim.swim.suspicions()["b"].deadline == 4.0
    swim.swim.handle_deadline(4.0)
    assert swim.state("b") is MemberState.DEAD


def test_a_suspicion_that_runs_out_ends_in_death_by_our_word(swim: SwimHarness) -> None:
    swim.receive(Suspect("b", 1, "c"), at=0.0)
    swim.receive(Suspect("b", 1, "d"), at=0.5)
    swim.receive(Suspect("b", 1, "us"), at=1.0)
    swim.forget()
    swim.swim.handle_deadline(4.0)
    assert swim.state("b") is MemberState.DEAD
    failed = [event for event in swim.events() if isinstance(event, MemberFailed)]
    assert failed == [MemberFailed(swim.member("b"), "us", 2, 4.0)]
    assert Dead("b", 1, "us") in swim.gossiped()


def test_a_confirmation_that_comes_late_makes_the_suspicion_due_at_once(
    swim: SwimHarness,
) -> None:
    swim.receive(Suspect("b", 1, "c"), at=0.0)
    swim.receive(Suspect("b", 1, "d"), at=10.0)
    swim.receive(Suspect("b", 1, "us"), at=10.0)
    deadline = swim.swim.next_deadline()
    assert deadline is not None
    assert deadline <= 10.0
    swim.swim.handle_deadline(10.0)
    assert swim.state("b") is MemberState.DEAD


def test_case_97_a_restarted_node_outdoes_its_old_entry(swim: SwimHarness) -> None:
    swim.receive(alive("us", 12, b"old tags"), at=1.0)
    assert swim.gossiped() == [alive("us", 13)]


def test_an_accusation_that_cannot_be_outdone_is_counted_and_left_alone(
    swim: SwimHarness,
) -> None:
    swim.receive(Suspect("us", INCARNATION_MAX, "b"), at=10.0)
    swim.receive(Dead("us", INCARNATION_MAX, "b"), at=10.0)
    swim.receive(alive("us", INCARNATION_MAX), at=10.0)
    assert swim.swim.incarnation == 1
    assert swim.state("us") is MemberState.ALIVE
    assert swim.gossiped() == []
    assert swim.swim.refused == {"incarnation-exhausted": 3}


def test_the_last_incarnation_but_one_is_still_outdone(swim: SwimHarness) -> None:
    swim.receive(Suspect("us", INCARNATION_MAX - 1, "b"), at=10.0)
    assert swim.gossiped() == [alive("us", INCARNATION_MAX)]
