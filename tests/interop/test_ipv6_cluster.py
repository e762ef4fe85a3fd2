"""Gossip over IPv6: three daemons on ``::1``, told apart by their ports."""

from __future__ import annotations

import socket

import pytest

from gossipd_sim.real.loopback import free_port
from support.agents import GOSSIPD
from support.clusters import NewCluster
from support.peers import skip_or_fail

pytestmark = pytest.mark.interop


@pytest.fixture
def ipv6_loopback() -> None:
    """Ask for ``::1``."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        skip_or_fail("needs IPv6 on the loopback interface")


@pytest.mark.usefixtures("ipv6_loopback")
def test_three_gossipds_on_one_ipv6_address_agree_and_part(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    for _ in range(3):
        cluster.prepare(GOSSIPD, bind=f"[::1]:{free_port('::1')}").start()
    cluster.join_all()
    cluster.wait_until_all_alive(5.0)

    first, second, third = cluster.agents
    with first.rpc() as probe:
        members = probe.members()
    for agent in cluster.agents:
        record = members[agent.name]
        assert record["Addr"] == socket.inet_pton(socket.AF_INET6, "::1")
        assert f"[::1]:{record['Port']}" == agent.options.bind

    second.leave()
    third.kill()
    first_only = {first.name: "alive", second.name: "left", third.name: "failed"}
    cluster.wait_for_statuses(first_only, 45.0)
