"""A node that cannot send: its periodic work hangs where it sends, time goes on (Lifeguard V-D)."""

from __future__ import annotations

import pytest

from gossipd.config.model import SwimConfig
from gossipd.swim.effects import Gossip, Send
from gossipd.swim.events import MemberFailed, MemberSuspected
from gossipd.swim.member import MemberState
from gossipd.wire.messages import Ack, IndirectPing, Ping, Suspect
from support.swim_harness import (
    SwimHarness,
    gossip_targets,
    ping_requests,
    stream_pings,
    syncs,
)


def probing(*names: str, config: SwimConfig | None = None) -> SwimHarness:
    harness = SwimHarness(config or SwimConfig(push_pull_interval=0.0))
    harness.knows(*names)
    return harness


def pings(swim: SwimHarness) -> list[Ping]:
    return [message for _, message in swim.sent() if isinstance(message, Ping)]


def test_a_round_hangs_in_its_ping_and_no_other_begins() -> None:
    swim = probing("b", "c", "d", "e")
    swim.swim.sending_blocked(0.0)
    at, _, _ = swim.run_to_probe()
    swim.run_until(at + 30.0)
    assert swim.effects() == []
    assert swim.swim.suspicions() == {}


def test_a_round_whose_time_is_over_when_its_ping_goes_out_is_lost_at_once() -> None:
    swim = probing("b", "c", "d", "e")
    swim.swim.sending_blocked(0.0)
    at, ping, _ = swim.run_to_probe()
    swim.run_until(at + 5.3)
    swim.swim.sending_unblocked(at + 5.3)
    effects = swim.effects()
    assert [request.node for request in ping_requests(effects)] == [ping.node] * 3
    assert [stream.deadline for stream in stream_pings(effects)] == [at + 1.0]
    assert swim.swim.queue_depth == 0, "the ping-reqs are packed before there is an accusation"
    swim.swim.handle_deadline(at + 5.3)
    (event,) = [e for e in swim.events() if isinstance(e, MemberSuspected)]
    assert event.member.name == ping.node
    assert swim.swim.health_score == 3, "three helpers were asked and none had the time to nack"


def test_an_ack_for_a_round_whose_time_is_over_comes_too_late() -> None:
    swim = probing("b", "c", "d", "e")
    at, ping, _ = swim.run_to_probe()
    swim.swim.sending_blocked(at + 0.1)
    swim.run_until(at + 3.0)
    swim.receive(Ack(ping.seq), at=at + 3.0)
    swim.swim.sending_unblocked(at + 3.0)
    swim.receive(Ack(ping.seq), at=at + 3.0)
    swim.swim.handle_deadline(at + 3.0)
    assert swim.state(ping.node) is MemberState.SUSPECT


def test_one_missed_tick_is_made_up_for() -> None:
    swim = probing("b", "c", "d", "e")
    swim.swim.sending_blocked(0.0)
    at, first, _ = swim.run_to_probe()
    swim.run_until(at + 5.3)
    swim.swim.sending_unblocked(at + 5.3)
    swim.effects()
    swim.swim.handle_deadline(at + 5.3)
    (second,) = pings(swim)
    assert second.seq == first.seq + 1
    swim.receive(Ack(second.seq), at=at + 5.31)
    when, _, _ = swim.run_to_probe()
    assert when == pytest.approx(at + 6.0), "and the ticks keep their phase"


def test_a_round_that_has_time_left_waits_for_its_ack_and_then_asks_helpers() -> None:
    swim = probing("b", "c", "d", "e")
    swim.swim.sending_blocked(0.0)
    at, ping, _ = swim.run_to_probe()
    swim.run_until(at + 0.3)
    swim.swim.sending_unblocked(at + 0.3)
    assert swim.effects() == []
    swim.run_until(at + 0.79)
    assert swim.effects() == []
    swim.run_until(at + 0.8)
    assert len(ping_requests(swim.effects())) == 3
    swim.receive(Ack(ping.seq), at=at + 0.9)
    swim.run_until(at + 1.0)
    assert swim.swim.suspicions() == {}
    assert swim.swim.health_score == 0


def test_a_round_with_too_little_time_left_asks_helpers_at_its_end() -> None:
    swim = probing("b", "c", "d", "e")
    swim.swim.sending_blocked(0.0)
    at, ping, _ = swim.run_to_probe()
    swim.swim.sending_unblocked(at + 0.7)
    swim.run_until(at + 0.99)
    assert swim.effects() == []
    swim.swim.handle_deadline(at + 1.0)
    asked = [
        e for e in swim.effects() if isinstance(e, Send) and isinstance(e.message, IndirectPing)
    ]
    assert len(asked) == 3
    assert swim.state(ping.node) is MemberState.SUSPECT


def test_a_round_hangs_in_its_ping_reqs() -> None:
    swim = probing("b", "c", "d", "e")
    at, ping, _ = swim.run_to_probe()
    swim.swim.sending_blocked(at + 0.1)
    swim.run_until(at + 0.6)
    assert swim.effects() == []
    swim.swim.sending_unblocked(at + 0.6)
    effects = swim.effects()
    assert len(ping_requests(effects)) == 3
    assert len(stream_pings(effects)) == 1
    swim.receive(Ack(ping.seq), at=at + 0.7)
    swim.run_until(at + 1.0)
    assert swim.swim.suspicions() == {}


def test_a_round_that_has_nothing_left_to_send_ends_though_sending_is_blocked() -> None:
    swim = probing("b", "c", "d", "e")
    at, ping, _ = swim.run_to_probe()
    swim.run_until(at + 0.6)
    swim.swim.sending_blocked(at + 0.6)
    swim.run_until(at + 1.0)
    assert swim.state(ping.node) is MemberState.SUSPECT


def test_suspicions_end_in_a_death_while_nothing_can_be_sent() -> None:
    swim = probing("b", "c", "d", "e")
    swim.receive(Suspect("b", 1, "c"), at=1.0)
    swim.swim.sending_blocked(1.0)
    swim.run_until(60.0)
    (death,) = [event for event in swim.events() if isinstance(event, MemberFailed)]
    assert death.member.name == "b"


def test_gossip_hangs_in_its_first_packet_and_goes_on_with_the_others() -> None:
    swim = probing("b", "c", "d", "e", "f")
    swim.swim.sending_blocked(0.0)
    swim.receive(Suspect("b", 1, "c"), at=0.5)
    swim.run_until(0.9)
    first = gossip_targets(swim.effects())
    assert len(first) == 1
    assert swim.swim.queue_depth == 1
    swim.run_until(3.0)
    assert gossip_targets(swim.effects()) == []
    swim.swim.sending_unblocked(3.0)
    rest = gossip_targets(swim.effects())
    assert len(set(first + rest)) == 3
    swim.run_until(3.0)
    assert len(gossip_targets(swim.effects())) == 3, "the tick that was missed last"
    swim.run_until(3.19)
    assert len(gossip_targets(swim.effects())) <= 3


def test_gossip_that_had_nothing_to_tell_hangs_in_nothing() -> None:
    swim = probing("b", "c", "d", "e", "f")
    swim.swim.sending_blocked(0.0)
    swim.run_until(0.9)
    swim.swim.sending_unblocked(0.9)
    swim.run_until(0.95)
    assert [effect for effect in swim.effects() if isinstance(effect, Gossip)] == []


def test_a_push_pull_hangs_and_the_next_is_an_interval_after_it_went_on() -> None:
    swim = probing("b", "c", config=SwimConfig(push_pull_interval=10.0, probe_interval=500.0))
    swim.swim.sending_blocked(0.0)
    swim.run_until(60.0)
    assert len(syncs(swim.effects())) == 1
    swim.swim.sending_unblocked(60.0)
    swim.run_until(69.9)
    assert syncs(swim.effects()) == []
    swim.run_until(70.0)
    assert len(syncs(swim.effects())) == 1
