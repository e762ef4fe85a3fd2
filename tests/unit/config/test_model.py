"""The configuration model: memberlist's profiles, and what cannot work is refused."""

from __future__ import annotations

import pytest

from gossipd.config.model import (
    PROFILES,
    NodeConfig,
    SerfConfig,
    SwimConfig,
    WireConfig,
    check_node_config,
)
from gossipd.errors import ConfigError
from gossipd.value import replace


@pytest.mark.parametrize(
    ("profile", "field", "value"),
    [
        ("lan", "probe_interval", 1.0),
        ("lan", "suspicion_mult", 4),
        ("wan", "probe_timeout", 3.0),
        ("wan", "gossip_nodes", 4),
        ("wan", "push_pull_interval", 60.0),
        ("local", "probe_timeout", 0.2),
        ("local", "retransmit_mult", 2),
        ("local", "gossip_interval", 0.1),
    ],
)
def test_profiles_hold_memberlists_values(profile: str, field: str, value: float) -> None:
    assert getattr(PROFILES[profile][0], field) == value


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_every_profile_is_valid(profile: str) -> None:
    swim, wire = PROFILES[profile]
    check_node_config(NodeConfig(name="a", swim=swim, wire=wire))


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (NodeConfig(name=""), "node_name"),
        (NodeConfig(name="é" * 257), "node_name is 514 bytes"),
        (NodeConfig(name="a", keys=(b"short",)), "encryption key of 5 bytes"),
        (NodeConfig(name="a", wire=WireConfig(label="x" * 256)), "label"),
        (NodeConfig(name="a", wire=WireConfig(packet_bytes_max=100)), "packet_bytes_max"),
        (
            NodeConfig(name="a", serf=SerfConfig(query_stream_response_limit=2**20 + 1)),
            "query_stream_response_limit",
        ),
        (
            NodeConfig(name="a", serf=SerfConfig(user_event_size_limit=9217)),
            "user_event_size_limit",
        ),
        (NodeConfig(name="a", swim=SwimConfig(probe_interval=0)), "probe_interval"),
        (NodeConfig(name="a", swim=SwimConfig(probe_timeout=2)), "probe_timeout"),
        (NodeConfig(name="a", swim=SwimConfig(gossip_nodes=-1)), "gossip_nodes"),
        (NodeConfig(name="a", serf=SerfConfig(reap_interval=float("nan"))), "reap_interval"),
        (NodeConfig(name="a", serf=SerfConfig(event_buffer=0)), "event_buffer"),
    ],
)
def test_what_cannot_work_is_refused_and_named(config: NodeConfig, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        check_node_config(config)


def test_a_section_is_replaced_and_not_changed() -> None:
    assert replace(SwimConfig(), gossip_nodes=5).gossip_nodes == 5
    assert SwimConfig().gossip_nodes == 3
