"""Gossip and push/pull ticks, leaving, changing meta (sections 11, 12)."""

from __future__ import annotations

import pytest

from gossipd.config.model import SwimConfig
from gossipd.errors import UsageError
from gossipd.swim.effects import Gossip, SyncWith
from gossipd.swim.events import BroadcastFinished, MemberForgotten, MemberLeft, MemberUpdated
from gossipd.swim.member import MemberState
from gossipd.wire.messages import Ack, Dead, Suspect, Versions
from support.swim_harness import SwimHarness, address_of, alive, gossip_targets, syncs

SILENT = SwimConfig(probe_interval=100_000.0, probe_timeout=1.0, push_pull_interval=0.0)


def gossiping(*names: str, config: SwimConfig = SILENT) -> SwimHarness:
    harness = SwimHarness(config)
    harness.knows(*names)
    harness.run_until(1.0)
    harness.forget()
    return harness


def test_news_is_gossiped_to_three_others_at_the_next_tick() -> None:
    swim = gossiping("b", "c", "d", "e", "f")
    swim.receive(alive("g"), at=1.0)
    deadline = swim.swim.next_deadline()
    assert deadline is not None
    assert 1.0 < deadline <= 1.2
    swim.run_until(deadline)
    targets = gossip_targets(swim.effects())
    assert len(set(targets)) == 3
    assert address_of("us") not in targets


def test_gossip_names_the_protocol_of_its_receiver() -> None:
    swim = SwimHarness(SILENT)
    swim.knows("b", versions=Versions(protocol_max=4))
    swim.swim.wake_gossip(0.0)
    swim.run_until(1.0)
    assert Gossip(address_of("b"), 4) in swim.effects()


def test_an_idle_node_has_no_gossip_tick() -> None:
    swim = gossiping("b", "c")
    deadline = swim.swim.next_deadline()
    assert deadline is not None
    assert deadline > 1000.0


def test_ticks_keep_their_phase_across_a_rest() -> None:
    swim = gossiping("b", "c")
    swim.swim.wake_gossip(1.0)
    first = swim.swim.next_deadline()
    swim.run_until(100.0)
    swim.swim.wake_gossip(100.0)
    second = swim.swim.next_deadline()
    assert first is not None
    assert second is not None
    assert 100.0 < second <= 100.2
    ticks = (second - first) / 0.2
    assert ticks == pytest.approx(round(ticks))


def test_ticks_go_on_while_something_is_queued_and_then_end() -> None:
    swim = gossiping("b", "c")
    swim.receive(alive("b", 2), at=1.0)
    ticks = 0
    while (deadline := swim.swim.next_deadline()) is not None and deadline < 50.0:
        swim.swim.handle_deadline(deadline)
        if swim.effects():
            ticks += 1
            swim.swim.take_claims(1400, 2)
    assert ticks == 4


def test_waking_twice_gives_one_tick() -> None:
    swim = gossiping("b")
    swim.swim.wake_gossip(1.0)
    swim.swim.wake_gossip(1.01)
    swim.run_until(50.0)
    assert gossip_targets(swim.effects()) == [address_of("b")]


def test_a_wish_to_gossip_while_alone_is_kept_until_somebody_appears() -> None:
    swim = SwimHarness(SILENT)
    swim.swim.wake_gossip(0.0)
    assert swim.swim.next_deadline() is None
    swim.receive(alive("b"), at=5.0)
    swim.run_until(5.2)
    assert set(gossip_targets(swim.effects())) == {address_of("b")}


def test_nobody_left_to_tell_lets_the_ticker_rest() -> None:
    swim = gossiping("b")
    swim.receive(Dead("b", 1, "b"), at=1.0)
    swim.run_until(1.3)
    assert swim.effects() == []
    deadline = swim.swim.next_deadline()
    assert deadline is None or deadline > 1000.0


def test_news_from_above_that_is_waited_for_does_not_wait_for_the_tick() -> None:
    swim = gossiping("b", "c", "d", "e")
    swim.swim.hurry_gossip(1.0)
    assert len(set(gossip_targets(swim.effects()))) == 3


def test_a_flood_of_news_earns_as_many_early_rounds_as_there_are_ticks() -> None:
    swim = gossiping("b")
    rounds = 0
    for millisecond in range(1000, 11_000):
        swim.swim.hurry_gossip(millisecond / 1000)
        rounds += len(gossip_targets(swim.effects()))
    ticks = 10.0 / 0.2
    assert ticks <= rounds <= ticks + 4


@pytest.mark.parametrize(
    "config", [SwimConfig(eager_gossip=False), SwimConfig(gossip_nodes=0), SwimConfig()]
)
def test_nothing_runs_ahead_where_that_is_off_or_nobody_is_there(config: SwimConfig) -> None:
    swim = SwimHarness(config)
    if config != SwimConfig():
        swim.knows("b")
    swim.forget()
    swim.swim.hurry_gossip(1.0)
    assert swim.effects() == []


def test_blocked_sending_lets_nothing_run_ahead() -> None:
    swim = gossiping("b")
    swim.swim.sending_blocked(1.0)
    swim.swim.hurry_gossip(1.0)
    assert swim.effects() == []


@pytest.mark.parametrize(
    ("claim", "at", "is_told"),
    [
        (Dead("b", 1, "c"), 20.0, True),
        (Dead("b", 1, "c"), 31.1, False),
        (Dead("b", 1, "b"), 2.0, False),
        (Suspect("b", 1, "c"), 3.0, True),
    ],
)
def test_case_89_the_newly_dead_and_suspects_are_told_but_never_who_left(
    claim: Dead | Suspect, at: float, is_told: bool
) -> None:
    swim = gossiping("b")
    swim.receive(claim, at=1.0)
    swim.forget()
    swim.swim.wake_gossip(at)
    swim.swim.handle_deadline(at + 0.2)
    assert (address_of("b") in gossip_targets(swim.effects())) is is_told


@pytest.mark.parametrize("accuser", ["b", "c"])
def test_case_90_the_long_dead_are_forgotten_when_the_probe_list_wraps(accuser: str) -> None:
    swim = SwimHarness(SwimConfig(push_pull_interval=0.0))
    swim.knows("b", "c")
    swim.receive(Dead("b", 1, accuser), at=0.0)
    gone = swim.member("b")
    swim.forget()
    at = 0.0
    while at < 45.0:
        at, ping, _ = swim.run_to_probe()
        assert ping.node == "c"
        swim.receive(Ack(ping.seq), at=at)
        if at <= 30.0:
            assert swim.swim.member("b") is gone
    assert swim.swim.member("b") is None
    assert MemberForgotten(gone) in swim.events()


def test_our_own_entry_is_never_forgotten() -> None:
    swim = SwimHarness(SwimConfig(push_pull_interval=0.0))
    swim.knows("b")
    swim.swim.leave(1, 0.0)
    for _ in range(60):
        at, ping, _ = swim.run_to_probe(1000.0)
        swim.receive(Ack(ping.seq), at=at)
    assert swim.state("us") is MemberState.LEFT


def test_push_pulls_go_to_alive_others_only_at_their_interval() -> None:
    config = SwimConfig(probe_interval=100_000.0, probe_timeout=1.0)
    swim = SwimHarness(config)
    swim.knows("b", "c", "d")
    swim.receive(Dead("c", 1, "b"), at=0.0)
    swim.receive(Suspect("d", 1, "b"), at=0.0)
    swim.forget()
    found: list[SyncWith] = []
    swim.run_until(29.9)
    assert syncs(swim.effects()) == []
    swim.run_until(151.0)
    found = syncs(swim.effects())
    assert len(found) in (4, 5)
    assert set(found) == {SyncWith("b", address_of("b"), is_join=False)}


def test_the_first_push_pull_waits_as_long_as_the_cluster_is_large_after_its_stagger() -> None:
    swim = SwimHarness(SwimConfig(probe_interval=100_000.0, probe_timeout=1.0))
    swim.knows(*(f"n{number}" for number in range(99)))  # soon after the start: three times as long
    swim.forget()
    swim.run_until(89.9)
    assert syncs(swim.effects()) == []
    swim.run_until(121.0)
    assert len(syncs(swim.effects())) == 1


def test_who_joined_exchanges_states_once_more_when_gossip_of_others_has_died_away() -> None:
    swim = SwimHarness(SwimConfig(probe_interval=100_000.0, probe_timeout=1.0))
    swim.knows("b", "c")
    swim.forget()
    swim.swim.joined(0.5)
    swim.swim.joined(1.0)  # the second join counts
    swim.run_until(2.99)
    assert syncs(swim.effects()) == []
    swim.run_until(5.0)
    assert len(syncs(swim.effects())) == 1
    swim.run_until(29.9)
    assert syncs(swim.effects()) == []
    swim.run_until(61.0)  # the ticks keep their phase
    assert len(syncs(swim.effects())) == 1


def test_after_a_join_nothing_is_exchanged_while_sending_is_blocked() -> None:
    swim = SwimHarness(SwimConfig(probe_interval=100_000.0, probe_timeout=1.0))
    swim.knows("b", "c")
    swim.swim.joined(0.0)
    swim.forget()
    swim.swim.sending_blocked(1.0)
    swim.run_until(10.0)
    assert syncs(swim.effects()) == []


def test_push_pulls_can_be_turned_off() -> None:
    swim = SwimHarness(SILENT)
    swim.swim.joined(0.0)
    assert swim.swim.next_deadline() is None


def test_changed_meta_is_announced_above_and_waited_for() -> None:
    swim = gossiping("b")
    swim.swim.set_meta(b"new", 42, 1.0)
    assert swim.swim.incarnation == 2
    assert swim.events() == [MemberUpdated(swim.member("us"))]
    for _ in range(3):
        assert swim.gossiped() == [alive("us", 2, b"new")]
        assert swim.events() == []
    swim.gossiped()
    assert swim.events() == [BroadcastFinished(42)]


def test_meta_changed_again_releases_the_first_waiter() -> None:
    swim = gossiping("b")
    swim.swim.set_meta(b"one", 1, 1.0)
    swim.swim.set_meta(b"two", 2, 1.0)
    assert BroadcastFinished(1) in swim.events()
    assert swim.gossiped() == [alive("us", 3, b"two")]


def test_with_nobody_alive_meta_and_leave_finish_at_once() -> None:
    swim = gossiping("b")
    swim.receive(Dead("b", 1, "b"), at=1.0)
    swim.forget()
    swim.swim.set_meta(b"new", 1, 2.0)
    swim.swim.leave(2, 2.0)
    finished = [event for event in swim.events() if isinstance(event, BroadcastFinished)]
    assert finished == [BroadcastFinished(1), BroadcastFinished(2)]


def test_meta_over_512_bytes_is_refused_and_changes_nothing() -> None:
    swim = gossiping("b")
    with pytest.raises(UsageError):
        swim.swim.set_meta(bytes(513), 1, 1.0)
    assert swim.swim.incarnation == 1
    swim.swim.set_meta(bytes(512), 1, 1.0)
    assert swim.swim.incarnation == 2


def test_leaving_says_so_of_itself_and_waits_for_the_gossip() -> None:
    swim = gossiping("b")
    swim.swim.leave(7, 1.0)
    assert swim.swim.is_leaving
    assert swim.state("us") is MemberState.LEFT
    assert swim.events() == [MemberLeft(swim.member("us"))]
    for _ in range(4):
        assert swim.gossiped() == [Dead("us", 1, "us")]
    assert swim.events() == [BroadcastFinished(7)]


def test_leaving_twice_finishes_the_second_at_once() -> None:
    swim = gossiping("b")
    swim.swim.leave(7, 1.0)
    swim.events()
    swim.swim.leave(8, 1.0)
    swim.swim.set_meta(b"late", 9, 1.0)
    assert swim.events() == [BroadcastFinished(8), BroadcastFinished(9)]
    assert swim.swim.incarnation == 1


def test_a_leaving_node_is_not_talked_out_of_it() -> None:
    swim = gossiping("b")
    swim.swim.leave(7, 1.0)
    swim.forget()
    swim.receive(Suspect("us", 1, "b"), at=2.0)
    swim.receive(Dead("us", 9, "b"), at=2.0)
    assert swim.gossiped() == []
    assert swim.state("us") is MemberState.LEFT


def test_case_92_a_newer_claim_about_a_node_replaces_the_queued_one() -> None:
    swim = gossiping("b", "c")
    swim.receive(Suspect("b", 1, "c"), at=1.0)
    swim.receive(alive("b", 2), at=1.0)
    assert swim.gossiped() == [alive("b", 2)]
