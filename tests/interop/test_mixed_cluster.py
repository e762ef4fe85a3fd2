"""Serf agents and gossipd daemons in one cluster, through a whole life.

Both kinds must show the same cluster whatever the wrapping of packets:
plain, compressed, encrypted with each key size. The profile is ``lan``: with
``local`` a claim is sent so few times that Serf alone, without us, now and then
needs the next push/pull to agree.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from support.agents import GOSSIPD, SERF, AgentProcess
from support.clusters import PUSH_PULL_SECONDS, Cluster, NewCluster
from support.waiting import wait_for

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("serf_program")]

AGREE_SECONDS = 5.0
"""All must list all as alive this soon after the last join."""
DETECT_SECONDS = 40.0
"""A killed node must be shown as failed this soon; six nodes need about ten seconds."""
LEAVE_SECONDS = RETURN_SECONDS = PUSH_PULL_SECONDS
"""Gossip needs about a second; a node it missed learns of it by push/pull."""


def key_of(size: int) -> str:
    """Return a key of ``size`` bytes as the command line wants it."""
    return base64.b64encode(bytes(range(size))).decode()


WRAPPINGS: dict[str, dict[str, Any]] = {
    "plain": {"compression": False},
    "compressed": {"compression": True},
    "key-16": {"encrypt": key_of(16)},
    "key-24": {"encrypt": key_of(24)},
    "key-32": {"encrypt": key_of(32)},
}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_three_serfs_and_three_gossipds_live_through_failure_leave_and_return(
    new_cluster: NewCluster, wrapping: str
) -> None:
    cluster = new_cluster(**WRAPPINGS[wrapping])
    cluster.start(serf=3, gossipd=3)
    cluster.join_all()
    cluster.wait_until_all_met(AGREE_SECONDS)

    killed = [cluster.of(kind)[-1] for kind in (SERF, GOSSIPD)]
    left = [cluster.of(kind)[-2] for kind in (SERF, GOSSIPD)]
    statuses = {agent.name: "alive" for agent in cluster.agents}

    for agent in killed:
        agent.kill()
        statuses[agent.name] = "failed"
    cluster.wait_for_statuses(statuses, DETECT_SECONDS)

    for agent in left:
        agent.leave()
        assert agent.exit_code == 0
        statuses[agent.name] = "left"
    cluster.wait_for_statuses(statuses, LEAVE_SECONDS)

    witnesses = cluster.running
    for agent in killed:
        restart_into(cluster, agent)
        statuses[agent.name] = "alive"
    cluster.wait_for_statuses(statuses, RETURN_SECONDS, among=witnesses)
    # Who comes back without memory is not told of members that left before.
    alive = {name: status for name, status in statuses.items() if status == "alive"}
    cluster.wait_for_statuses(alive, RETURN_SECONDS, among=killed)


@pytest.mark.parametrize("seed", [SERF, GOSSIPD], ids=["serf", "gossipd"])
def test_both_kinds_can_be_the_seed_of_the_other(new_cluster: NewCluster, seed: Any) -> None:
    cluster = new_cluster()
    first = cluster.prepare(seed)
    others = [cluster.prepare(kind, retry_join=(first.options.bind,)) for kind in (SERF, GOSSIPD)]
    for agent in [first, *others]:
        agent.spawn()
    for agent in cluster.agents:
        agent.wait_until_up()
    cluster.wait_until_all_alive(AGREE_SECONDS)


def test_tags_of_both_kinds_are_seen_and_changed_everywhere(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    agents = [
        cluster.prepare(kind, tags={"role": kind.name, "place": "é, =;"})
        for kind in (SERF, GOSSIPD)
    ]
    for agent in agents:
        agent.start()
    cluster.join_all()
    cluster.wait_until_all_alive(AGREE_SECONDS)

    for agent in agents:
        with agent.rpc() as probe:
            probe.set_tags({"load": "low"}, ("place",))
    expected = {agent.name: {"role": agent.kind.name, "load": "low"} for agent in agents}
    for agent in agents:
        wait_for_tags(agent, expected)


@pytest.mark.timeout(400)
def test_force_leave_by_either_kind_turns_a_failed_member_into_one_that_left(
    new_cluster: NewCluster,
) -> None:
    cluster = new_cluster()
    cluster.start(serf=2, gossipd=2)
    cluster.join_all()
    cluster.wait_until_all_met(AGREE_SECONDS)
    for victim, remover in ((SERF, GOSSIPD), (GOSSIPD, SERF)):
        dead = cluster.of(victim)[-1]
        dead.kill()
        cluster.wait_until_shown(dead.name, "failed", DETECT_SECONDS)
        with cluster.of(remover)[0].rpc() as probe:
            probe.force_leave(dead.name)
        cluster.wait_until_shown(dead.name, "left", LEAVE_SECONDS)


def test_a_gossipd_without_the_key_cannot_join_an_encrypted_serf(
    new_cluster: NewCluster,
) -> None:
    cluster = new_cluster()
    keyed = cluster.prepare(SERF, encrypt=key_of(32))
    plain = cluster.prepare(GOSSIPD)
    for agent in (keyed, plain):
        agent.start()
    with plain.rpc() as probe, pytest.raises(OSError, match="encrypt"):
        probe.join(keyed.options.bind)
    assert keyed.statuses() == {keyed.name: "alive"}
    assert plain.statuses() == {plain.name: "alive"}


def wait_for_tags(agent: AgentProcess, expected: dict[str, dict[str, str]]) -> None:
    """Wait until ``agent`` shows exactly the tags ``expected`` by member."""

    def tags() -> dict[str, dict[str, str]]:
        with agent.rpc() as probe:
            return {name: member["Tags"] for name, member in probe.members().items()}

    wait_for(lambda: tags() == expected, 5.0, f"the new tags at {agent!r}", seen=tags)


def restart_into(cluster: Cluster, agent: AgentProcess) -> None:
    """Start ``agent`` again under its name and let it join whoever runs."""
    seed = cluster.running[0]
    agent.start()
    with agent.rpc() as probe:
        assert probe.join(seed.options.bind) == 1
