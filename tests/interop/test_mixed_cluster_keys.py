"""Keys of a mixed cluster, rotated from either side, and coordinates between both kinds."""

from __future__ import annotations

import base64
from functools import partial
from itertools import combinations

import pytest
import trio

from gossipd.agent.agent import run_agent
from gossipd.agent.handle import AgentHandle
from gossipd.client.blocking import Client
from gossipd.config.agent_model import AgentConfig
from gossipd.config.model import NodeConfig
from gossipd.serf.question import KeyCommand
from support.agents import GOSSIPD, SERF, AgentProcess
from support.clusters import Cluster, NewCluster, log_marks, trouble_since
from support.waiting import wait_for

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("serf_program")]

OLD, NEW = bytes(32), bytes(range(32))
SUSPECT = "Suspect"
TRIES = 4
"""The first, and three more."""


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def ask(agent: AgentProcess, command: str, key: bytes | None = None) -> dict[str, object]:
    """Return the body of a key command's answer of all six nodes; each of them must agree.

    Answers travel by UDP, once: where one is missing and none is wrong, it is asked again.
    """
    for _ in range(TRIES):
        with agent.rpc(timeout=20.0) as probe:
            answer = probe.call(command, None if key is None else {"Key": text(key)})
        assert isinstance(answer, dict)
        assert (answer["NumNodes"], answer["NumErr"]) == (6, 0), answer
        if answer["NumResp"] == 6:
            return answer
    raise AssertionError(f"{command}: after {TRIES} queries still {answer}")


def encrypted_cluster(new_cluster: NewCluster) -> Cluster:
    cluster = new_cluster(encrypt=text(OLD))
    cluster.start(serf=3, gossipd=3)
    cluster.join_all()
    cluster.wait_until_all_met(5.0)
    return cluster


@pytest.mark.timeout(120)
def test_a_serf_rotates_the_keys_of_all(new_cluster: NewCluster) -> None:
    cluster = encrypted_cluster(new_cluster)
    marks = log_marks(cluster.agents)
    asker = cluster.of(SERF)[0]
    for command, key in (("install-key", NEW), ("use-key", NEW), ("remove-key", OLD)):
        ask(asker, command, key)
    assert ask(asker, "list-keys")["Keys"] == {text(NEW): 6}
    cluster.wait_until_all_alive(5.0)
    assert trouble_since(cluster.of(SERF), marks) == []
    for agent in cluster.of(GOSSIPD):
        log = agent.log()[marks[agent.name] :]
        assert "remove-key query of s1: 1 keys installed" in log
        assert SUSPECT not in log


@pytest.mark.timeout(120)
async def test_a_gossipd_rotates_the_keys_of_all(new_cluster: NewCluster) -> None:
    cluster = await trio.to_thread.run_sync(encrypted_cluster, new_cluster)
    marks = log_marks(cluster.agents)
    here = cluster.next_host()
    config = AgentConfig(
        node=NodeConfig(name="here", keys=(OLD,)), bind=f"{here}:7946", start_join=(
            cluster.running[0].options.bind,
        ),
    )  # fmt: skip
    async with trio.open_nursery() as nursery:
        handle = await nursery.start(partial(run_agent, config))
        assert isinstance(handle, AgentHandle)
        with trio.fail_after(30):
            assert len(handle.view().members) == 7
            for command, key in (
                (KeyCommand.INSTALL, NEW),
                (KeyCommand.USE, NEW),
                (KeyCommand.REMOVE, OLD),
            ):
                report = await handle.manage_keys(command, key)
                assert (report.nodes, report.responses, report.error) == (7, 7, "")
            report = await handle.manage_keys(KeyCommand.LIST)
            assert report.keys == report.primary_keys == {text(NEW): 7}
            await trio.sleep(8.0)  # a probe a second, everybody in turn
            known = [member.name for member in handle.view().members]
            assert None not in [handle.coordinate(name) for name in known]
        assert trouble_since(cluster.of(SERF), marks) == []
        nursery.cancel_scope.cancel()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("key", ["", text(OLD)], ids=["plain", "encrypted"])
def test_both_kinds_know_how_far_all_are_from_each_other(new_cluster: NewCluster, key: str) -> None:
    cluster = new_cluster(encrypt=key)
    cluster.start(serf=3, gossipd=3)
    marks = log_marks(cluster.agents)
    cluster.join_all()
    cluster.wait_until_all_met(5.0)
    names = [agent.name for agent in cluster.agents]

    def unknown() -> list[tuple[str, str]]:
        missing = []
        for agent in cluster.agents:
            with agent.rpc() as probe:
                for name in names:
                    answer = probe.call("get-coordinate", {"Node": name})
                    assert isinstance(answer, dict)
                    if not answer["Ok"]:
                        missing.append((agent.name, name))
        return missing

    # a probe a second, everybody in turn, the order shuffled after each round
    wait_for(lambda: not unknown(), 30.0, "all coordinates everywhere", seen=unknown)
    for agent in cluster.agents:
        with Client(agent.options.rpc) as client:
            for one, other in combinations(names, 2):
                rtt = client.rtt(one, other)
                assert rtt is not None
                assert 0 < rtt < 1
    assert trouble_since(cluster.of(SERF), marks) == []
