"""Two agents of one name, one of them a real Serf: who ends, and that not both do (18.2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.agents import GOSSIPD, SERF, AgentKind, AgentProcess
from support.clusters import Cluster, NewCluster
from support.waiting import wait_for

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("serf_program")]

ENDS_WITHIN = 15.0
"""Seconds; a vote takes 3.2."""


def same_name(cluster: Cluster, kind: AgentKind, of: AgentProcess, folder: Path) -> AgentProcess:
    """Start another agent that bears the name of ``of``, and let it join through that."""
    late = cluster.prepare(kind, of.name, folder=folder)
    late.start()
    with late.rpc() as probe:
        assert probe.join(of.options.bind) == 1
    return late


def until_one_ended(*agents: AgentProcess) -> list[AgentProcess]:
    """Wait until one of ``agents`` ended; return those that run a while later."""
    wait_for(lambda: not all(agent.is_running for agent in agents), ENDS_WITHIN, "one to end")
    wait_for(lambda: True, 1.0, "")
    return [agent for agent in agents if agent.is_running]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("first", "second"), [(GOSSIPD, SERF), (SERF, GOSSIPD)])
def test_of_two_agents_the_serf_ends_itself_and_we_stay(
    new_cluster: NewCluster, tmp_path: Path, first: AgentKind, second: AgentKind
) -> None:
    cluster = new_cluster()
    old = cluster.prepare(first, "twin")
    old.start()
    late = same_name(cluster, second, old, tmp_path)
    [stays] = until_one_ended(old, late)
    assert stays.kind is GOSSIPD
    assert "name conflict resolution" in stays.log()


@pytest.mark.timeout(60)
def test_of_two_gossipd_the_younger_one_ends_with_1(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    cluster = new_cluster()
    old = cluster.prepare(GOSSIPD, "twin")
    old.start()
    late = same_name(cluster, GOSSIPD, old, tmp_path)
    assert until_one_ended(old, late) == [old]
    assert late.wait_until_ended() == 1
    assert "give this one another node_name" in late.log()


@pytest.mark.timeout(90)
@pytest.mark.parametrize(("holder", "newcomer"), [(GOSSIPD, SERF), (SERF, GOSSIPD)])
def test_in_a_mixed_cluster_the_newcomer_is_outvoted(
    new_cluster: NewCluster, tmp_path: Path, holder: AgentKind, newcomer: AgentKind
) -> None:
    cluster = new_cluster()
    cluster.start(serf=2, gossipd=2)
    cluster.join_all()
    cluster.wait_until_all_met(5.0)
    held = cluster.of(holder)[0]
    late = same_name(cluster, newcomer, held, tmp_path)
    assert until_one_ended(held, late) == [held]
    assert late.wait_until_ended() == (1 if newcomer is GOSSIPD else 0)
    cluster.wait_until_all_alive(5.0)
