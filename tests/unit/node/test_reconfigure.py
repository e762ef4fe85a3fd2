"""A running node goes by other settings, and keeps those that only matter at its start."""

from __future__ import annotations

from random import Random

import pytest

from gossipd.address import Address
from gossipd.config.model import FIXED, NodeConfig, SerfConfig, SwimConfig
from gossipd.errors import ConfigError
from gossipd.node.node import Node
from gossipd.swim.events import AckObserved
from gossipd.value import fields_of, replace
from support.node_net import Machine, NodeNet


def pair(**swim: float) -> tuple[NodeNet, Machine, Machine]:
    net = NodeNet()
    a = net.add("a", swim=replace(SwimConfig(), **swim))
    b = net.add("b")
    net.join(a, b)
    net.run(2.0)
    return net, a, b


def pings(net: NodeNet, a: Machine, seconds: float) -> int:
    """Return how many rounds ended with an ack within ``seconds``."""
    a.events.clear()
    net.run(seconds)
    return sum(isinstance(event, AckObserved) for event in a.events)


def test_probes_follow_another_interval() -> None:
    net, a, _ = pair()
    assert 25 <= pings(net, a, 60.0) <= 60  # of two members each second tick may find nobody
    a.do(a.node.reconfigure, replace(SwimConfig(), probe_interval=5.0), SerfConfig())
    net.run(5.0)
    assert 5 <= pings(net, a, 60.0) <= 12
    a.do(
        a.node.reconfigure,
        replace(SwimConfig(), probe_interval=0.25, probe_timeout=0.2),
        SerfConfig(),
    )
    net.run(5.0)
    assert 100 <= pings(net, a, 60.0) <= 240


def test_a_push_pull_that_was_off_or_hours_away_comes_after_the_new_interval() -> None:
    for interval in (0.0, 36000.0):
        net, a, b = pair(push_pull_interval=interval)
        b.do(b.node.reconfigure, replace(SwimConfig(), push_pull_interval=0.0), SerfConfig())
        net.run(100.0)
        before = b.accepted
        a.do(a.node.reconfigure, replace(SwimConfig(), push_pull_interval=10.0), SerfConfig())
        net.run(35.0)
        assert b.accepted == before - 3
        a.do(a.node.reconfigure, replace(SwimConfig(), push_pull_interval=0.0), SerfConfig())
        net.run(50.0)
        assert b.accepted == before - 3


def test_a_failed_member_is_forgotten_by_the_new_time() -> None:
    net, a, b = pair()
    net.kill(b)
    net.run(60.0)
    assert a.statuses()["b"] == "failed"
    serf = SerfConfig(reconnect_timeout=100.0, reap_interval=5.0)
    a.do(a.node.reconfigure, SwimConfig(), serf)
    net.run(200.0)
    assert "b" not in a.statuses()


def test_the_configuration_that_was_handed_in_stays_as_it_was() -> None:
    mine, usual = SwimConfig(), SwimConfig()
    net = NodeNet()
    a, b = net.add("a", swim=mine), net.add("b", swim=mine)
    a.do(a.node.reconfigure, replace(mine, probe_interval=9.0), SerfConfig(reap_interval=1.0))
    assert mine == usual
    net.join(a, b)
    net.run(2.0)
    assert pings(net, b, 10.0) >= 4


def test_settings_that_cannot_work_change_nothing() -> None:
    net, a, _ = pair()
    with pytest.raises(ConfigError, match="probe_timeout 9 is above"):
        a.do(a.node.reconfigure, SwimConfig(probe_timeout=9.0), SerfConfig(reap_interval=1.0))
    assert pings(net, a, 10.0) >= 4


def test_every_fixed_field_is_one() -> None:
    assert set(FIXED["swim"]) <= set(fields_of(SwimConfig))
    assert set(FIXED["serf"]) <= set(fields_of(SerfConfig))


def test_fixed_fields_keep_their_values() -> None:
    net, a, _ = pair()
    a.do(a.node.reconfigure, SwimConfig(round_robin=False), SerfConfig(event_buffer=1))
    assert a.node._config.swim.round_robin
    assert a.node._config.serf.event_buffer == 512
    assert pings(net, a, 10.0) >= 4


def test_a_node_that_is_not_started_can_be_reconfigured() -> None:
    node = Node(
        NodeConfig(name="a"), Address(bytes([10, 0, 0, 1]), 7946), Random(1), lambda n: bytes(n)
    )
    node.reconfigure(SwimConfig(push_pull_interval=7.0), SerfConfig(), 0.0)
    assert node.next_deadline() is None
    node.start(0.0)
    stagger = node.next_deadline()
    assert stagger is not None
    assert stagger < 7.0
    node.handle_deadline(stagger)
    assert node.next_deadline() == stagger + 7.0
