"""Probe rounds: direct, indirect, by stream; verdict and health (section 9)."""

from __future__ import annotations

import pytest

from gossipd.config.model import SwimConfig
from gossipd.swim.effects import PingByStream, Send, SendTogether
from gossipd.swim.events import AckMissed, AckObserved, MemberSuspected, UdpUnreachable
from gossipd.swim.member import MemberState
from gossipd.wire.messages import Ack, Dead, IndirectPing, Nack, Ping, Suspect, Versions
from support.swim_harness import (
    SwimHarness,
    address_of,
    alive,
    ping_requests,
    stream_pings,
)


def probing(*names: str, config: SwimConfig | None = None) -> SwimHarness:
    harness = SwimHarness(config or SwimConfig(push_pull_interval=0.0))
    harness.knows(*names)
    return harness


def test_a_ping_says_who_asks_and_where_to_answer() -> None:
    swim = probing("b")
    at, ping, to = swim.run_to_probe()
    assert 1.0 <= at <= 2.0
    assert to == address_of("b")
    assert ping == Ping(1, "b", address_of("us"), "us")


def test_an_ack_tells_the_round_trip_and_ends_the_round() -> None:
    swim = probing("b", "c", "d")
    at, ping, to = swim.run_to_probe()
    swim.receive(Ack(ping.seq, b"coordinate"), at=at + 0.02)
    (event,) = swim.events()
    assert isinstance(event, AckObserved)
    assert event.member.address == to
    assert event.rtt == pytest.approx(0.02)
    assert event.payload == b"coordinate"
    swim.run_until(at + 0.9)
    assert swim.effects() == []
    assert swim.swim.suspicions() == {}


def test_an_answered_node_wakes_once_per_probe_interval() -> None:
    swim = probing("b")
    at, ping, _ = swim.run_to_probe()
    for _ in range(5):
        swim.receive(Ack(ping.seq), at=at + 0.01)
        deadline = swim.swim.next_deadline()
        assert deadline == pytest.approx(at + 1.0)
        at, ping, _ = swim.run_to_probe()


def test_case_83_a_suspect_is_probed_together_with_the_accusation() -> None:
    swim = probing("b")
    swim.receive(Suspect("b", 1, "c"), at=0.0)
    swim.forget()
    swim.run_until(2.0)
    (effect,) = [e for e in swim.effects() if isinstance(e, SendTogether)]
    ping = Ping(1, "b", address_of("us"), "us")
    assert effect == SendTogether(address_of("b"), (ping, Suspect("b", 1, "us")), 5)


def test_case_84_a_silent_target_is_asked_through_others_and_by_stream() -> None:
    swim = probing("b", "c", "d", "e", "f")
    at, ping, to = swim.run_to_probe()
    swim.run_until(at + 0.49)
    assert swim.effects() == []
    swim.run_until(at + 0.5)
    effects = swim.effects()
    requests = ping_requests(effects)
    assert len(requests) == 3
    for request in requests:
        assert request == IndirectPing(ping.seq, to, ping.node, True, address_of("us"), "us")
    helpers = [e.to for e in effects if isinstance(e, Send)]
    assert len(set(helpers)) == 3
    assert to not in helpers
    assert address_of("us") not in helpers
    assert stream_pings(effects) == [PingByStream(to, ping, at + 1.0)]


def test_the_tick_that_falls_on_the_end_of_a_failed_round_is_kept_though_we_are_late() -> None:
    swim = probing("b", "c", "d")
    at, ping, _ = swim.run_to_probe()
    swim.run_until(at + 0.9)
    swim.effects()
    swim.swim.handle_deadline(at + 1.02)
    pings = [to for to, message in swim.sent() if isinstance(message, Ping)]
    assert len(pings) == 1
    assert pings != [address_of(ping.node)]


def test_helpers_below_protocol_4_are_asked_for_no_nack() -> None:
    swim = probing("b")
    swim.knows("c", versions=Versions(protocol_max=3))
    swim.knows("d", versions=Versions(protocol_max=4))
    at, ping, _ = swim.run_to_probe()
    while ping.node != "b":
        swim.receive(Ack(ping.seq), at=at)
        at, ping, _ = swim.run_to_probe()
    swim.run_until(at + 0.5)
    requests = [e for e in swim.effects() if isinstance(e, Send)]
    wanted = {e.to: e.message.wants_nack for e in requests if isinstance(e.message, IndirectPing)}
    assert wanted == {address_of("c"): False, address_of("d"): True}


def test_case_84_only_alive_nodes_help() -> None:
    swim = probing("b", "c", "d")
    swim.receive(Suspect("c", 1, "d"), at=0.0)
    swim.receive(Dead("d", 1, "c"), at=0.0)
    at, ping, _ = swim.run_to_probe()
    while ping.node != "b":
        swim.receive(Ack(ping.seq), at=at)
        at, ping, _ = swim.run_to_probe()
    swim.run_until(at + 0.5)
    assert ping_requests(swim.effects()) == []


def test_case_85_an_answer_by_stream_keeps_the_node_alive_and_is_told() -> None:
    swim = probing("b")
    at, ping, _ = swim.run_to_probe()
    swim.run_until(at + 0.5)
    swim.swim.stream_ping_answered(ping.seq, at + 0.6)
    swim.run_until(at + 1.0)
    assert swim.events() == [AckMissed(swim.member("b")), UdpUnreachable(swim.member("b"))]
    assert swim.state("b") is MemberState.ALIVE


def test_an_answer_by_stream_of_another_round_or_too_late_does_not_count() -> None:
    swim = probing("b")
    at, ping, _ = swim.run_to_probe()
    swim.swim.stream_ping_answered(ping.seq + 1, at + 0.6)
    swim.swim.stream_ping_answered(ping.seq, at + 1.1)
    swim.run_until(at + 1.0)
    assert swim.state("b") is MemberState.SUSPECT


@pytest.mark.parametrize(
    ("config", "versions"),
    [
        (SwimConfig(stream_ping=False), Versions()),
        (SwimConfig(), Versions(protocol_min=1, protocol_max=2)),
    ],
)
def test_no_stream_ping_where_it_is_off_or_the_target_is_too_old(
    config: SwimConfig, versions: Versions
) -> None:
    swim = SwimHarness(config)
    swim.knows("b", versions=versions)
    at, _, _ = swim.run_to_probe()
    swim.run_until(at + 0.5)
    assert stream_pings(swim.effects()) == []


def test_nobody_answering_makes_the_target_suspect_at_the_end_of_the_round() -> None:
    swim = probing("b")
    at, _, _ = swim.run_to_probe()
    swim.run_until(at + 0.99)
    assert swim.state("b") is MemberState.ALIVE
    swim.run_until(at + 1.0)
    assert swim.gossiped() == [Suspect("b", 1, "us")]
    missed, event = swim.events()
    assert isinstance(missed, AckMissed)
    assert isinstance(event, MemberSuspected)
    assert event.accuser == "us"
    assert event.deadline == pytest.approx(at + 1.0 + 4.0)


def test_a_forwarded_ack_ends_the_round_without_a_round_trip() -> None:
    swim = probing("b", "c")
    at, ping, _ = swim.run_to_probe()
    swim.run_until(at + 0.5)
    swim.receive(Ack(ping.seq), at=at + 0.7)
    swim.run_until(at + 0.99)
    assert [type(event) for event in swim.events()] == [AckMissed]
    assert swim.swim.suspicions() == {}


def test_a_missed_ack_is_told_once_and_before_anybody_is_accused() -> None:
    swim = probing("b")
    at, _, _ = swim.run_to_probe()
    swim.run_until(at + 0.49)
    assert swim.events() == []
    swim.run_until(at + 0.99)
    assert swim.events() == [AckMissed(swim.member("b"))]


def test_case_19_a_second_ack_and_an_unknown_one_are_ignored() -> None:
    swim = probing("b")
    at, ping, _ = swim.run_to_probe()
    swim.receive(Ack(ping.seq), at=at + 0.1)
    swim.events()
    swim.receive(Ack(ping.seq), at=at + 0.2)
    swim.receive(Ack(77), at=at + 0.2)
    assert swim.events() == []
    assert swim.effects() == []


def failed_round(nacks: int, *, helpers_nack: bool = True) -> SwimHarness:
    swim = SwimHarness(SwimConfig(push_pull_interval=0.0))
    versions = Versions() if helpers_nack else Versions(protocol_max=3)
    swim.knows("b", "c", "d", "e", versions=versions)
    at, ping, _ = swim.run_to_probe()
    swim.run_until(at + 0.5)
    for _ in range(nacks):
        swim.receive(Nack(ping.seq), at=at + 0.8)
    swim.run_until(at + 1.0)
    return swim


@pytest.mark.parametrize(("nacks", "score"), [(3, 0), (1, 2), (0, 3), (9, 0)])
def test_case_86_each_missing_nack_costs_health(nacks: int, score: int) -> None:
    assert failed_round(nacks).swim.health_score == score


def test_case_86_without_helpers_that_nack_a_failure_costs_one() -> None:
    assert failed_round(0, helpers_nack=False).swim.health_score == 1


def test_a_nack_leaves_the_round_running() -> None:
    swim = probing("b", "c")
    at, ping, _ = swim.run_to_probe()
    swim.run_until(at + 0.5)
    swim.receive(Nack(ping.seq), at=at + 0.6)
    swim.receive(Ack(ping.seq), at=at + 0.7)
    swim.run_until(at + 0.99)
    assert swim.swim.suspicions() == {}


def test_case_87_poor_health_stretches_the_round_but_not_the_direct_wait() -> None:
    swim = probing("b", "c")
    swim.receive(Suspect("us", 1, "b"), at=0.0)
    swim.receive(Suspect("us", 2, "b"), at=0.0)
    assert swim.swim.health_score == 2
    swim.forget()
    at, ping, to = swim.run_to_probe()
    swim.run_until(at + 0.5)
    effects = swim.effects()
    assert len(ping_requests(effects)) == 1
    assert stream_pings(effects) == [PingByStream(to, ping, at + 3.0)]
    swim.run_until(at + 2.99)
    assert swim.state(ping.node) is MemberState.ALIVE
    swim.run_until(at + 3.0)
    assert swim.state(ping.node) is MemberState.SUSPECT


def test_a_success_improves_health_by_one() -> None:
    swim = probing("b")
    swim.receive(Suspect("us", 1, "b"), at=0.0)
    at, ping, _ = swim.run_to_probe()
    swim.receive(Ack(ping.seq), at=at + 0.1)
    assert swim.swim.health_score == 0


def test_only_one_round_runs_and_ticks_missed_meanwhile_are_lost() -> None:
    swim = probing("b", "c")
    for incarnation in (1, 2, 3):
        swim.receive(Suspect("us", incarnation, "b"), at=0.0)
    swim.forget()
    at, ping, _ = swim.run_to_probe()
    swim.run_until(at + 2.3)
    assert [
        e
        for e in swim.effects()
        if isinstance(e, Send | SendTogether)
        and e.to == address_of("c" if ping.node == "b" else "b")
        and isinstance(e, Send)
        and isinstance(e.message, Ping)
    ] == []
    swim.receive(Ack(ping.seq), at=at + 2.3)
    next_at, _, _ = swim.run_to_probe()
    assert next_at == pytest.approx(at + 3.0)


def test_the_tick_due_as_a_failed_round_ends_still_runs() -> None:
    swim = probing("b", "c")
    at, first, _ = swim.run_to_probe()
    next_at, second, _ = swim.run_to_probe()
    assert next_at == pytest.approx(at + 1.0)
    assert second.node != first.node


def test_a_suspended_process_does_not_catch_up_on_probes() -> None:
    swim = probing("b", "c", "d")
    at, ping, _ = swim.run_to_probe()
    swim.receive(Ack(ping.seq), at=at + 0.01)
    swim.swim.handle_deadline(at + 3600.5)
    pings = [e for e in swim.effects() if isinstance(e, Send) and isinstance(e.message, Ping)]
    assert len(pings) == 1


def test_a_node_that_is_alone_never_wakes_to_probe_or_gossip() -> None:
    swim = SwimHarness(SwimConfig(push_pull_interval=0.0))
    assert swim.swim.next_deadline() is None
    swim.receive(alive("b"), at=50.0)
    assert swim.swim.next_deadline() is not None


def test_sequence_numbers_start_again_at_one_after_the_last_u32() -> None:
    swim = probing("b")
    swim.swim._prober._seq = 0xFFFFFFFF
    _, ping, _ = swim.run_to_probe()
    assert ping.seq == 1


def test_case_82_every_live_member_is_probed_once_a_pass() -> None:
    swim = probing("b", "c", "d", "e")
    swim.receive(Dead("e", 1, "e"), at=0.0)
    for _ in range(4):
        probed = []
        for _ in range(3):
            at, ping, _ = swim.run_to_probe(1000.0)
            swim.receive(Ack(ping.seq), at=at)
            probed.append(ping.node)
        assert sorted(probed) == ["b", "c", "d"]
