"""What the cores count and measure, as a node's statistics show it."""

from __future__ import annotations

import pytest

from gossipd.config.model import SwimConfig
from gossipd.node.traffic import RIDERS
from gossipd.serf.question import PING_ALL, Question
from gossipd.wire.serf_messages import MemberStatus
from support.node_net import LATENCY, Machine, NodeNet, all_show

ALIVE, FAILED = MemberStatus.ALIVE, MemberStatus.FAILED


def happened(machine: Machine, name: str) -> int:
    return machine.node.statistics().happened.get(name, 0)


def test_a_calm_cluster_counts_claims_joins_streams_and_rounds() -> None:
    net = NodeNet()
    first, second = net.cluster("ab")
    net.run(30)
    statistics = first.node.statistics()
    assert statistics.happened["member-join"] == 2
    assert statistics.happened["alive-adopted"] == 2
    assert statistics.happened["stream-accepted"] >= 1
    assert happened(second, "stream-opened") >= 1
    assert statistics.happened["gossip-tick"] > 0
    assert "round-stretched" not in statistics.happened
    assert "flap" not in statistics.happened
    rounds = statistics.measured["probe-round"]
    assert 15 <= rounds.count <= 31  # a turn that falls on ourselves is none
    assert rounds.latest[-1] == pytest.approx(2 * LATENCY)
    moved = statistics.measured["coordinate-moved"]
    assert moved.count == rounds.count
    assert all(0 <= step < 1 for step in moved.latest)
    assert statistics.happened["zero-rtt"] == 0


def test_a_push_pull_of_ours_is_measured_until_the_answer_is_here() -> None:
    net = NodeNet()
    _, second = net.cluster("ab")
    exchanges = second.node.statistics().measured["exchange"]
    assert exchanges.count >= 1
    assert all(LATENCY <= seconds < 1 for seconds in exchanges.latest)


def test_a_failure_and_a_quick_return_is_a_flap() -> None:
    net = NodeNet()
    machines = net.cluster("abc")
    net.kill(machines[2])
    net.run_until(lambda: all_show(machines[:2], FAILED, "c"), limit=40)
    for machine in machines[:2]:
        assert happened(machine, "suspect-adopted") >= 1
        assert happened(machine, "dead-adopted") == 1
        assert happened(machine, "member-failed") == 1
        assert happened(machine, "suspicion-unconfirmed") == 0  # of two nobody can confirm
    returned = net.add("c", host=3)
    net.join(returned, machines[0])
    net.run_until(lambda: all_show(machines[:2], ALIVE, "c"), limit=10)
    assert [happened(machine, "flap") for machine in machines[:2]] == [1, 1]


def test_who_returns_after_a_minute_does_not_flap() -> None:
    net = NodeNet()
    machines = net.cluster("abc")
    net.kill(machines[2])
    net.run_until(lambda: all_show(machines[:2], FAILED, "c"), limit=40)
    net.run(61)
    returned = net.add("c", host=3)
    net.join(returned, machines[0])
    net.run_until(lambda: all_show(machines[:2], ALIVE, "c"), limit=10)
    assert happened(machines[0], "flap") == 0


def test_bad_health_stretches_rounds() -> None:
    net = NodeNet()
    swim = SwimConfig(indirect_checks=0, stream_ping=False)
    machines = net.cluster("ab", swim=swim)
    net.kill(machines[1])
    net.run(6)
    assert happened(machines[0], "round-stretched") >= 1
    failed = machines[0].node.statistics().measured["probe-round"]
    assert max(failed.latest) >= swim.probe_interval


def test_events_and_queries_are_counted_once_with_their_messages() -> None:
    net = NodeNet()
    machines = net.cluster("abc")
    before = [machine.node.statistics() for machine in machines]
    machines[0].do(machines[0].node.send_event, "deploy", b"x" * 100)
    machines[0].do(machines[0].node.ask, Question(name="load", wants_acks=True))
    machines[0].do(machines[0].node.ask, PING_ALL)
    net.run(5)
    for machine in machines:
        assert happened(machine, "event") == 1
        assert happened(machine, "query") == 2
    assert happened(machines[0], "query-ack") == 6
    assert happened(machines[0], "query-answer") == 0
    sent = machines[0].node.statistics().measured["message-sent"]
    assert sent.count > before[0].measured["message-sent"].count
    assert max(sent.latest) >= 100
    heard = machines[1].node.statistics().measured["message-received"]
    assert max(heard.latest) >= 100


def test_bytes_are_counted_by_what_they_are_for_and_add_up() -> None:
    net = NodeNet()
    machines = net.cluster("abc")
    machines[0].do(machines[0].node.send_event, "deploy", b"x" * 100)
    net.run(40)
    causes: set[str] = set()
    for machine in machines:
        statistics = machine.node.statistics()
        assert sum(statistics.packet_bytes_sent.values()) == statistics.bytes_sent
        assert {"Ping", "Ack", "Gossip"} <= statistics.packet_bytes_sent.keys()
        assert statistics.packet_bytes_received.keys() == statistics.packets_received.keys()
        assert all(statistics.packet_bytes_received.values())
        sent, received = statistics.stream_bytes_sent_by, statistics.stream_bytes_received_by
        assert sum(sent.values()) == statistics.stream_bytes_sent
        assert sum(received.values()) == statistics.stream_bytes_received
        causes |= sent.keys()
    assert causes == {"push-pull", "accepted"}


def test_what_rides_along_with_a_ping_is_counted_apart() -> None:
    net = NodeNet()
    machines = net.cluster("ab", swim=SwimConfig(gossip_interval=3600.0))
    net.run(5)
    before = machines[0].node.statistics().packet_bytes_sent
    machines[0].do(machines[0].node.send_event, "deploy", b"x" * 300)
    net.run(5)
    after = machines[0].node.statistics()
    grown = {kind: size - before.get(kind, 0) for kind, size in after.packet_bytes_sent.items()}
    assert 300 < grown[RIDERS] < 1000 * after.packets_sent["Ping"]
    assert grown["Ping"] + grown["Ack"] < 2000
