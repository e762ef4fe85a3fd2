"""Whole agents on the in-memory network: keys of all changed by one, and two of one name."""

from __future__ import annotations

import shutil
from base64 import b64encode
from pathlib import Path

import pytest
import trio

from gossipd.agent.agent import run_agent
from gossipd.agent.handle import AgentHandle
from gossipd.agent.state.keyring_file import read_keyring, write_keyring
from gossipd.config.agent_model import AgentConfig
from gossipd.config.model import NodeConfig, SerfConfig
from gossipd.coordinates.space import distance
from gossipd.errors import Unavailable, UsageError
from gossipd.serf.question import KeyCommand, KeyReport
from gossipd.wire.serf_messages import MemberStatus
from support.logs import Lines
from support.memory_network import MemoryNetwork

OLD, NEW = b"o" * 16, b"n" * 16


class Agent:
    """One agent in the test's nursery."""

    def __init__(
        self, network: MemoryNetwork, name: str, number: int, node: NodeConfig | None = None
    ) -> None:
        self.machine = network.machine(f"10.0.0.{number}")
        self.config = AgentConfig(node=node or NodeConfig(name=name))
        self.lines = Lines()
        self.error: Exception | None = None
        self.ended = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[AgentHandle]) -> None:
        try:
            await run_agent(
                self.config, output=self.lines, machine=self.machine, task_status=task_status
            )
        except Unavailable as error:
            self.error = error
        self.ended.set()

    async def start(self, nursery: trio.Nursery) -> AgentHandle:
        handle = await nursery.start(self.run)
        assert isinstance(handle, AgentHandle)
        return handle


def text(key: bytes) -> str:
    return b64encode(key).decode()


async def test_a_rotation_through_one_agent_reaches_all(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    network = MemoryNetwork(nursery)
    handles = []
    for number, name in enumerate("abc", 1):
        agent = Agent(network, name, number, NodeConfig(name=name, keys=(OLD,)))
        handles.append(await agent.start(nursery))
        if number > 1:
            await handles[-1].join(["10.0.0.1"])
    await trio.sleep(2)
    asker = handles[1]
    assert (await asker.manage_keys(KeyCommand.INSTALL, NEW)).error == ""
    assert (await asker.manage_keys(KeyCommand.USE, NEW)).error == ""
    report = await handles[2].manage_keys(KeyCommand.LIST)
    assert report == KeyReport(
        3, 3, 0, {}, {text(OLD): 3, text(NEW): 3}, {text(NEW): 3}
    )  # fmt: skip
    assert (await asker.manage_keys(KeyCommand.REMOVE, OLD)).error == ""
    await trio.sleep(30)
    for handle in handles:
        assert {m.name: m.status for m in handle.view().members} == dict.fromkeys(
            "abc", MemberStatus.ALIVE
        )
    nursery.cancel_scope.cancel()


async def test_an_agent_that_leaves_manages_no_keys(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    network = MemoryNetwork(nursery)
    agent = Agent(network, "a", 1, NodeConfig(name="a", keys=(OLD,)))
    handle = await agent.start(nursery)
    await handle.leave()
    with pytest.raises(UsageError, match="after a leave"):
        await handle.manage_keys(KeyCommand.LIST)
    nursery.cancel_scope.cancel()


async def test_a_changed_ring_is_in_its_file_when_the_answer_comes(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    """On the real clock, which a thread does not hold up; nothing here waits for time."""
    network = MemoryNetwork(nursery)
    file = tmp_path / "k.json"
    write_keyring(str(file), (OLD,))
    agent = Agent(network, "a", 1)
    agent.config = AgentConfig(node=NodeConfig(name="a"), keyring_file=str(file))
    handle = await agent.start(nursery)
    assert (await handle.manage_keys(KeyCommand.INSTALL, NEW)).error == ""
    assert read_keyring(str(file)) == (OLD, NEW)
    shutil.rmtree(tmp_path)
    report = await handle.manage_keys(KeyCommand.USE, NEW)
    assert report.error == "1/1 nodes reported failure"
    assert "changed, not saved" in report.messages["a"]
    assert (await handle.manage_keys(KeyCommand.LIST)).primary_keys == {text(NEW): 1}
    assert len(agent.lines.of_level("ERR")) == 1
    assert not any(text(key) in line for key in (OLD, NEW) for line in agent.lines.texts)
    nursery.cancel_scope.cancel()


async def test_agents_know_how_far_they_are_apart(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    network = MemoryNetwork(nursery, latency=0.02)
    one, two = Agent(network, "a", 1), Agent(network, "b", 2)
    first, second = await one.start(nursery), await two.start(nursery)
    await second.join(["10.0.0.1"])
    await trio.sleep(120)
    ours, theirs = first.coordinate("a"), first.coordinate("b")
    assert ours is not None
    assert theirs is not None
    assert distance(ours, theirs) == pytest.approx(0.04, rel=0.1)
    assert first.coordinate("nobody") is None
    assert first.statistics().coordinate_resets == 0
    nursery.cancel_scope.cancel()


# -- two of one name -------------------------------------------------------------------


async def test_of_two_agents_of_one_name_the_younger_one_ends_and_says_why(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    network = MemoryNetwork(nursery)
    old, young = Agent(network, "a", 1), Agent(network, "a", 2)
    await old.start(nursery)
    handle = await young.start(nursery)
    await handle.join(["10.0.0.1"])
    with trio.fail_after(10):
        await young.ended.wait()
    assert "another node is called a (10.0.0.1:7946)" in str(young.error)
    assert "node_name" in str(young.error)
    [line] = [line for line in young.lines.of_level("ERR") if "resolution" in line]
    assert "quitting" in line
    assert not old.ended.is_set()
    [line] = [line for line in old.lines.of_level("ERR") if "resolution" in line]
    assert "staying [0 / 0]: 10.0.0.2:7946 is called a too" in line
    assert young.machine.bound not in network.machines, "nothing of it is left"
    nursery.cancel_scope.cancel()


async def test_the_cluster_keeps_the_one_it_knows_and_shows_no_leave(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    network = MemoryNetwork(nursery)
    a, b = Agent(network, "a", 1), Agent(network, "b", 2)
    handle = await a.start(nursery)
    await (await b.start(nursery)).join(["10.0.0.1"])
    late = Agent(network, "b", 3)
    await (await late.start(nursery)).join(["10.0.0.1"])
    with trio.fail_after(10):
        await late.ended.wait()
    assert "most members know the other" in str(late.error)
    await trio.sleep(30)
    assert [m.status for m in handle.view().members] == [MemberStatus.ALIVE] * 2
    assert not b.ended.is_set()
    nursery.cancel_scope.cancel()


async def test_switched_off_both_stay(autojump_clock: object, nursery: trio.Nursery) -> None:
    network = MemoryNetwork(nursery)
    node = NodeConfig(name="a", serf=SerfConfig(resolve_name_conflicts=False))
    old, young = Agent(network, "a", 1, node), Agent(network, "a", 2, node)
    await old.start(nursery)
    await (await young.start(nursery)).join(["10.0.0.1"])
    await trio.sleep(60)
    assert not old.ended.is_set()
    assert not young.ended.is_set()
    assert any("Conflicting address for a" in line for line in young.lines.of_level("ERR"))
    nursery.cancel_scope.cancel()
