"""Push/pull: our state out, theirs merged (section 6.2)."""

from __future__ import annotations

import pytest

from gossipd.address import Address
from gossipd.swim.events import (
    AccusationRefuted,
    MemberJoined,
    MemberLeft,
    MemberSuspected,
    MergeRefused,
    NameConflict,
)
from gossipd.swim.member import MemberState
from gossipd.value import replace
from gossipd.wire.messages import Alive, NodeState, NodeStatus, Suspect, Versions
from support.swim_harness import SwimHarness, address_of


@pytest.fixture
def swim() -> SwimHarness:
    harness = SwimHarness()
    harness.knows("b", "c", "d")
    return harness


def entry(
    name: str,
    status: NodeStatus = NodeStatus.ALIVE,
    incarnation: int = 1,
    versions: Versions | None = Versions(),  # noqa: B008 - frozen
    meta: bytes = b"",
) -> NodeState:
    return NodeState(name, address_of(name), meta, incarnation, status, versions)


def test_case_47_our_state_holds_every_entry_of_the_table(swim: SwimHarness) -> None:
    swim.receive(Suspect("c", 1, "b"), at=1.0)
    states = {state.node: state.status for state in swim.swim.local_states()}
    assert states == {
        "us": NodeStatus.ALIVE,
        "b": NodeStatus.ALIVE,
        "c": NodeStatus.SUSPECT,
        "d": NodeStatus.ALIVE,
    }
    assert [state.node for state in swim.swim.local_states()] == ["us", "b", "c", "d"]


def test_an_unchanged_member_is_the_same_object(swim: SwimHarness) -> None:
    before = swim.member("b")
    swim.swim.merge([entry("b"), entry("e")], False, 5.0)
    assert swim.member("b") is before
    assert [member.name for member in swim.swim.members] == ["us", "b", "c", "d", "e"]


def test_a_remote_alive_joins(swim: SwimHarness) -> None:
    assert swim.swim.merge([entry("e", incarnation=3)], True, 5.0)
    assert swim.events() == [MemberJoined(swim.member("e"))]


def test_case_48_an_empty_state_merges_to_nothing(swim: SwimHarness) -> None:
    assert swim.swim.merge([], False, 5.0)
    assert swim.events() == []


def test_case_51_one_version_out_of_range_refuses_the_whole_state(swim: SwimHarness) -> None:
    odd = entry("odd", versions=Versions(delegate=9))
    assert not swim.swim.merge([entry("e"), odd], True, 5.0)
    (event,) = swim.events()
    assert isinstance(event, MergeRefused)
    assert "'odd'" in event.reason
    assert "9" in event.reason
    assert swim.swim.count == 4


def test_case_51_a_protocol_no_alive_node_understands_is_refused_in_any_state(
    swim: SwimHarness,
) -> None:
    old = entry("odd", NodeStatus.DEAD, versions=Versions(protocol=6))
    assert not swim.swim.merge([old], False, 5.0)


def test_an_alive_node_that_understands_less_narrows_the_range(swim: SwimHarness) -> None:
    narrow = entry("e", versions=Versions(protocol_max=1, protocol=1))
    assert not swim.swim.merge([narrow], False, 5.0)
    dead = replace(narrow, status=NodeStatus.DEAD)
    assert swim.swim.merge([dead], False, 5.0)


def test_an_entry_without_its_versions_refuses_the_state(swim: SwimHarness) -> None:
    assert not swim.swim.merge([entry("e", versions=None)], False, 5.0)


def test_case_52_a_remote_dead_is_our_suspicion(swim: SwimHarness) -> None:
    swim.swim.merge([entry("b", NodeStatus.DEAD)], False, 5.0)
    assert swim.state("b") is MemberState.SUSPECT
    (event,) = swim.events()
    assert isinstance(event, MemberSuspected)
    assert event.accuser == "us"


def test_a_remote_suspect_is_our_suspicion(swim: SwimHarness) -> None:
    swim.swim.merge([entry("b", NodeStatus.SUSPECT)], False, 5.0)
    assert swim.state("b") is MemberState.SUSPECT


def test_case_53_a_remote_left_has_left(swim: SwimHarness) -> None:
    swim.swim.merge([entry("b", NodeStatus.LEFT)], False, 5.0)
    assert swim.state("b") is MemberState.LEFT
    assert swim.events() == [MemberLeft(swim.member("b"))]


@pytest.mark.parametrize("status", [NodeStatus.SUSPECT, NodeStatus.DEAD, NodeStatus.LEFT])
def test_case_54_accusations_of_us_are_refuted(swim: SwimHarness, status: NodeStatus) -> None:
    swim.swim.merge([entry("us", status, incarnation=7)], False, 5.0)
    assert swim.swim.incarnation == 8
    assert swim.state("us") is MemberState.ALIVE
    (event,) = swim.events()
    assert isinstance(event, AccusationRefuted)


def test_case_97_a_restarted_node_meets_its_old_entry(swim: SwimHarness) -> None:
    swim.swim.merge([entry("us", incarnation=30, meta=b"old")], True, 5.0)
    assert swim.swim.incarnation == 31


def test_unknown_nodes_that_are_not_alive_stay_unknown(swim: SwimHarness) -> None:
    gone = [
        entry("x", NodeStatus.DEAD),
        entry("y", NodeStatus.LEFT),
        entry("z", NodeStatus.SUSPECT),
    ]
    assert swim.swim.merge(gone, True, 5.0)
    assert swim.swim.count == 4
    assert swim.events() == []


def test_port_zero_becomes_our_bind_port(swim: SwimHarness) -> None:
    state = replace(entry("e"), address=Address(b"\x7f\x01\x02\x03", 0))
    swim.swim.merge([state], False, 5.0)
    assert swim.member("e").address.port == 7946


def mapped(state: NodeState) -> NodeState:
    ip = bytes(10) + b"\xff\xff" + state.address.ip
    return replace(state, address=Address(ip, state.address.port))


def test_known_by_the_mapped_address_at_first_contact_we_announce_that_form() -> None:
    swim = SwimHarness()
    old = mapped(entry("us", incarnation=5, meta=b"of the agent before us"))
    assert swim.swim.merge([entry("b"), old], True, 5.0)
    assert swim.member("us").address == old.address
    assert swim.member("us").incarnation == 6
    assert not [event for event in swim.events() if isinstance(event, NameConflict)]
    swim.gossiped()
    swim.swim.set_meta(b"new", 1, 6.0)
    claim = Alive("us", 7, old.address, b"new", Versions())
    assert claim in swim.gossiped()


def test_later_another_form_of_our_address_is_a_conflict(swim: SwimHarness) -> None:
    swim.swim.merge([mapped(entry("us", incarnation=5))], True, 5.0)
    assert swim.member("us").address == address_of("us")
    assert [type(event) for event in swim.events()] == [NameConflict]


def test_at_first_contact_another_address_is_still_a_conflict() -> None:
    swim = SwimHarness()
    elsewhere = replace(entry("us"), address=address_of("else"))
    for other in (elsewhere, mapped(elsewhere)):
        swim.swim.merge([other], True, 5.0)
    assert swim.member("us").address == address_of("us")
    assert [type(event) for event in swim.events()] == [NameConflict, NameConflict]
