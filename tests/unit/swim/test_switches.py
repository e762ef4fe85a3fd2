"""Parts of SWIM and Lifeguard taken away by configuration, each alone, as measurements need it."""

from __future__ import annotations

from collections.abc import Collection
from random import Random

import pytest

from gossipd.config.model import SwimConfig
from gossipd.swim.effects import Gossip, Send, SendTogether
from gossipd.swim.events import AccusationRefuted, MemberFailed, MemberJoined, MemberSuspected
from gossipd.swim.member import MemberState
from gossipd.swim.rotation import RandomRotation, ShuffledRotation
from gossipd.swim.scaling import retransmit_limit, suspicion_bounds
from gossipd.value import replace
from gossipd.wire.messages import Dead, Ping, Suspect
from support.swim_harness import SwimHarness, alive

QUIET = SwimConfig(stream_ping=False, push_pull_interval=0.0, indirect_checks=0)


def run(swim: SwimHarness, until: float) -> list[tuple[float, object]]:
    """Handle all deadlines up to ``until``; returns effects with their times."""
    done: list[tuple[float, object]] = []
    while (due := swim.swim.next_deadline()) is not None and due <= until:
        swim.swim.handle_deadline(due)
        done += [(due, effect) for effect in swim.outbox.take_effects()]
    return done


def pings(done: list[tuple[float, object]]) -> list[tuple[float, str]]:
    return [
        (at, effect.message.node)
        for at, effect in done
        if isinstance(effect, Send) and isinstance(effect.message, Ping)
    ]


@pytest.mark.parametrize(
    ("suspicion", "state"), [(True, MemberState.SUSPECT), (False, MemberState.DEAD)]
)
def test_without_suspicion_a_silent_node_is_dead_at_the_end_of_the_probe(
    suspicion: bool, state: MemberState
) -> None:
    swim = SwimHarness(replace(QUIET, suspicion=suspicion))
    swim.knows("b")
    ((at, _),) = pings(run(swim, 1.9))[:1]
    run(swim, at + 1.0)
    member = swim.swim.member("b")
    assert member is not None
    assert member.state is state
    kinds = {MemberSuspected, MemberFailed} & set(map(type, swim.outbox.take_events()))
    assert kinds == {MemberSuspected if suspicion else MemberFailed}


@pytest.mark.parametrize("final", [True, False])
def test_where_death_is_final_no_incarnation_brings_a_member_back(final: bool) -> None:
    swim = SwimHarness(replace(QUIET, final_death=final))
    swim.knows("b", "c")
    swim.receive(Dead("b", 1, "c"), at=1.0)
    swim.outbox.take_events()
    swim.receive(alive("b", incarnation=9), at=2.0)
    assert any(isinstance(e, MemberJoined) for e in swim.outbox.take_events()) is not final


@pytest.mark.parametrize("final", [True, False])
def test_where_death_is_final_nobody_refutes_their_own(final: bool) -> None:
    swim = SwimHarness(replace(QUIET, final_death=final))
    swim.knows("b")
    swim.receive(Dead("us", 1, "b"), at=1.0)
    refuted = any(isinstance(e, AccusationRefuted) for e in swim.outbox.take_events())
    assert refuted is not final
    assert swim.swim.refused == ({"death-is-final": 1} if final else {})
    swim.receive(Suspect("us", swim.swim.incarnation, "b"), at=2.0)
    assert any(isinstance(e, AccusationRefuted) for e in swim.outbox.take_events())


@pytest.mark.parametrize("buddy", [True, False])
def test_without_the_buddy_system_a_suspect_is_pinged_as_anybody(buddy: bool) -> None:
    swim = SwimHarness(replace(QUIET, buddy_system=buddy))
    swim.knows("b")
    swim.receive(Suspect("b", 1, "c"), at=0.0)
    swim.outbox.take_effects()
    leads = [effect for _, effect in run(swim, 2.0) if not isinstance(effect, Gossip)]
    assert isinstance(leads[0], SendTogether if buddy else Send)


@pytest.mark.parametrize("stagger", [True, False])
def test_without_a_stagger_probes_come_at_whole_multiples_of_the_interval(stagger: bool) -> None:
    swim = SwimHarness(replace(QUIET, probe_stagger=stagger, probe_interval=2.0))
    swim.knows("b", at=0.7)
    for at, _ in pings(run(swim, 9.0)):
        assert (at % 2.0 == 0.0) is not stagger


def test_claims_only_ride_along_when_no_node_is_told_at_ticks() -> None:
    swim = SwimHarness(replace(QUIET, gossip_nodes=0))
    swim.knows("b", "c")
    swim.receive(alive("d"), at=0.1)
    swim.swim.wake_gossip(0.1)
    done = run(swim, 3.0)
    assert pings(done)
    assert not any(isinstance(effect, Gossip) for _, effect in done)
    assert swim.swim.queue_depth


def test_a_random_rotation_visits_some_twice_before_it_has_visited_all() -> None:
    def nobody() -> Collection[str]:
        return ()

    rotation = RandomRotation(ShuffledRotation(Random(1)))
    for name in "abcdefgh":
        rotation.insert(name)
    seen = [rotation.next_target(lambda name: name != "c", nobody) for _ in range(700)]
    assert len(set(seen[:7])) < 7
    assert {name: seen.count(name) // 40 for name in "abdefgh"} == dict.fromkeys("abdefgh", 2)
    assert "c" not in seen


def test_a_random_rotation_forgets_the_dead_once_in_as_many_probes_as_there_are_names() -> None:
    calls: list[int] = []

    def forget() -> Collection[str]:
        calls.append(len(seen))
        return ["a"] if len(seen) >= 3 else []

    rotation = RandomRotation(ShuffledRotation(Random(1)))
    for name in "abc":
        rotation.insert(name)
    seen: list[str | None] = []
    for _ in range(8):
        seen.append(rotation.next_target(lambda name: True, forget))
    assert calls == [0, 3, 5, 7]
    assert len(rotation) == 2


def test_the_order_of_probes_is_a_choice_of_the_configuration() -> None:
    swim = SwimHarness(replace(QUIET, round_robin=False, suspicion_mult=100, buddy_system=False))
    names = [f"n{number}" for number in range(8)]
    swim.knows(*names)
    seen = [name for _, name in pings(run(swim, 60.0))]
    assert len(seen) > 8
    assert len(set(seen[:8])) < 8


@pytest.mark.parametrize(("nodes", "periods"), [(19, 9), (20, 12), (53, 12), (56, 15)])
def test_the_natural_logarithm_gives_the_times_of_figure_3c_of_swim(
    nodes: int, periods: int
) -> None:
    config = SwimConfig(
        natural_log=True, suspicion_mult=3, retransmit_mult=3, lha_suspicion=False,
        probe_interval=2.0,
    )  # fmt: skip
    assert retransmit_limit(3, nodes, natural_log=True) == periods
    assert suspicion_bounds(config, nodes) == (0, 2.0 * periods, 2.0 * periods)


def test_without_lha_suspicion_a_suspicion_lasts_the_minimum_and_nobody_confirms() -> None:
    swim = SwimHarness(replace(QUIET, lha_suspicion=False))
    swim.knows("b", "c", "d", "e")
    swim.receive(Suspect("b", 1, "c"), at=0.0)
    (event,) = (e for e in swim.outbox.take_events() if isinstance(e, MemberSuspected))
    assert event.deadline == 4.0
    swim.forget()
    swim.receive(Suspect("b", 1, "d"), at=0.5)
    assert swim.gossiped() == []


@pytest.mark.parametrize(("asked", "wanted"), [(0, 0), (3, 3), (1, 1), (200, 0)])
def test_how_many_confirm_is_that_of_memberlist_or_as_asked(asked: int, wanted: int) -> None:
    config = SwimConfig(suspicion_mult=2, suspicion_confirmations=asked)
    assert suspicion_bounds(config, 128) == (wanted, 2 * 2.107, 2 * 2.107 * 6)
