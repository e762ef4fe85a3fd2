"""Keys of a mixed cluster, rotated from either side, and coordinates between both kinds."""

from __future__ import annotations

import base64
from functools import partial

import pytest
import trio

from gossipd.agent.agent import run_agent
from gossipd.agent.handle import AgentHandle
from gossipd.config.agent_model import AgentConfig
from gossipd.config.model import NodeConfig
from gossipd.serf.question import KeyCommand
from support.agents import GOSSIPD, SERF, AgentProcess
from support.clusters import Cluster, NewCluster, log_marks, trouble_since
from support.waiting import wait_for

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("serf_program")]

OLD, NEW = bytes(32), bytes(range(32))
SUSPECT = "Suspect"


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def ask(agent: AgentProcess, command: str, key: bytes | None = None) -> dict[str, object]:
    """Return the body of a key command's answer; fails unless all agree."""
    with agent.rpc(timeout=20.0) as probe:
        answer = probe.call(command, None if key is None else {"Key": text(key)})
    assert isinstance(answer, dict)
    return answer


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
        answer = ask(asker, command, key)
        assert (answer["NumNodes"], answer["NumResp"], answer["NumErr"]) == (6, 6, 0)
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


@pytest.mark.timeout(60)
def test_a_serf_estimates_the_round_trip_to_a_gossipd(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    cluster.start(serf=1, gossipd=1)
    cluster.join_all()
    cluster.wait_until_all_met(5.0)
    serf, ours = cluster.agents

    def known() -> bool:
        with serf.rpc() as probe:
            answer = probe.call("get-coordinate", {"Node": ours.name})
        assert isinstance(answer, dict)
        return bool(answer["Ok"])

    wait_for(known, 10.0, "a coordinate of the gossipd at the serf")
    assert "coordinate" not in "".join(trouble_since([serf], {}))
