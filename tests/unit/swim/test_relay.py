"""Pings answered, and pings done for others (cases 10-19)."""

from __future__ import annotations

import pytest

from gossipd.address import Address
from gossipd.config.model import SwimConfig
from gossipd.swim import relay
from gossipd.swim.events import PayloadReceived, PingMisdirected
from gossipd.wire.messages import Ack, IndirectPing, Nack, Ping, UserPayload
from support.swim_harness import BIND_PORT, SwimHarness, address_of

TARGET = Address(b"\x7f\x00\x00\x63", 7001)


@pytest.fixture
def swim() -> SwimHarness:
    return SwimHarness(SwimConfig(push_pull_interval=0.0))


def test_case_10_a_ping_is_acked_to_the_stated_source(swim: SwimHarness) -> None:
    swim.swim.set_ack_payload(b"coordinate")
    swim.receive(Ping(9, "us", address_of("c"), "c"), at=1.0, source="b")
    assert swim.sent() == [(address_of("c"), Ack(9, b"coordinate"))]


def test_case_11_a_ping_for_nobody_in_particular_is_acked(swim: SwimHarness) -> None:
    swim.receive(Ping(9, "", address_of("c"), "c"), at=1.0)
    assert swim.sent() == [(address_of("c"), Ack(9, None))]


def test_case_12_a_ping_for_somebody_else_is_told_and_not_acked(swim: SwimHarness) -> None:
    swim.receive(Ping(9, "them", address_of("c"), "c"), at=1.0, source="b")
    assert swim.effects() == []
    assert swim.events() == [PingMisdirected("them", address_of("b"))]
    assert swim.swim.refused == {"ping-misdirected": 1}


@pytest.mark.parametrize(
    "source", [None, Address(b"", 7946), Address(b"\x7f\x00\x00\x01", 0), Address(b"123", 1)]
)
def test_case_13_without_a_complete_source_the_packets_source_is_answered(
    swim: SwimHarness, source: Address | None
) -> None:
    swim.receive(Ping(9, "us", source), at=1.0, source="b")
    assert swim.sent() == [(address_of("b"), Ack(9))]


def test_case_14_a_ping_for_another_is_sent_and_its_ack_forwarded(swim: SwimHarness) -> None:
    swim.receive(IndirectPing(70, TARGET, "t", True, address_of("c"), "c"), at=1.0, source="b")
    ((to, ping),) = swim.sent()
    assert to == TARGET
    assert ping == Ping(1, "t", address_of("us"), "us")
    swim.receive(Ack(1, b"coordinate"), at=1.2, source="t")
    assert swim.sent() == [(address_of("c"), Ack(70, None))]
    assert swim.swim.next_deadline() is None


def test_case_15_a_silent_target_gives_a_nack_after_the_probe_timeout(
    swim: SwimHarness,
) -> None:
    swim.receive(IndirectPing(70, TARGET, "t", True), at=1.0, source="b")
    swim.effects()
    assert swim.swim.next_deadline() == 1.5
    swim.run_until(1.5)
    assert swim.sent() == [(address_of("b"), Nack(70))]


def test_case_16_without_the_wish_there_is_no_nack(swim: SwimHarness) -> None:
    swim.receive(IndirectPing(70, TARGET, "t", False), at=1.0)
    swim.effects()
    swim.run_until(5.0)
    assert swim.sent() == []


def test_case_17_an_ack_after_the_probe_timeout_is_not_forwarded(swim: SwimHarness) -> None:
    swim.receive(IndirectPing(70, TARGET, "t", True), at=1.0)
    swim.run_until(1.5)
    swim.effects()
    swim.receive(Ack(1), at=1.6, source="t")
    assert swim.sent() == []


def test_case_18_port_zero_means_our_own_bind_port(swim: SwimHarness) -> None:
    swim.receive(IndirectPing(70, Address(TARGET.ip, 0), "t"), at=1.0)
    ((to, _),) = swim.sent()
    assert to == Address(TARGET.ip, BIND_PORT)


def test_case_19_a_second_ack_is_not_forwarded_again(swim: SwimHarness) -> None:
    swim.receive(IndirectPing(70, TARGET, "t"), at=1.0)
    swim.effects()
    swim.receive(Ack(1), at=1.1)
    swim.receive(Ack(1), at=1.2)
    assert len(swim.sent()) == 1


def test_two_requests_with_one_number_are_kept_apart(swim: SwimHarness) -> None:
    swim.receive(IndirectPing(70, TARGET, "t"), at=1.0, source="b")
    swim.receive(IndirectPing(70, TARGET, "t"), at=1.0, source="c")
    assert [ping.seq for _, ping in swim.sent() if isinstance(ping, Ping)] == [1, 2]
    swim.receive(Ack(2), at=1.1)
    assert swim.sent() == [(address_of("c"), Ack(70))]


def test_relays_are_bounded(swim: SwimHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "RELAYS_MAX", 3)
    for seq in range(5):
        swim.receive(IndirectPing(seq, TARGET, "t"), at=1.0)
    assert len(swim.sent()) == 3
    assert swim.swim.refused == {"relays-full": 2}
    swim.run_until(1.5)
    swim.receive(IndirectPing(9, TARGET, "t"), at=1.6)
    assert len(swim.sent()) == 1


def test_a_target_without_an_address_is_refused(swim: SwimHarness) -> None:
    swim.receive(IndirectPing(1, Address(b"", 7946), "t", True), at=1.0)
    assert swim.effects() == []
    assert swim.swim.refused == {"relay-unreachable": 1}


@pytest.mark.parametrize("node", ["us", ""])
def test_case_55_a_ping_by_stream_is_answered(swim: SwimHarness, node: str) -> None:
    assert swim.swim.answer_stream_ping(Ping(4, node)) == Ack(4, None)


def test_case_55_a_ping_by_stream_for_somebody_else_is_not(swim: SwimHarness) -> None:
    assert swim.swim.answer_stream_ping(Ping(4, "them")) is None
    assert swim.swim.refused == {"ping-misdirected": 1}


def test_user_payloads_go_up_unread(swim: SwimHarness) -> None:
    swim.receive(UserPayload(b"\x80anything"), at=1.0, source="c")
    assert swim.events() == [PayloadReceived(b"\x80anything", address_of("c"))]
