"""Agents whose tags change while they run: restarts, reloads, and files that cannot be written.

On the real clock: a worker thread writes the file, and a virtual one would run away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import trio

from gossipd.agent.agent import run_agent
from gossipd.agent.handle import AgentHandle
from gossipd.config.agent_model import AgentConfig
from gossipd.config.model import NodeConfig
from gossipd.errors import ConfigError, Unavailable, UsageError
from support.logs import Lines
from support.memory_network import MemoryNetwork


class Agent:
    """One agent that can be ended and started again with another configuration."""

    def __init__(self, nursery: trio.Nursery, folder: Path) -> None:
        self._nursery = nursery
        self._network = MemoryNetwork(nursery)
        self._folder = folder
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._ended.set()
        self.lines = Lines()

    async def start(self, tags: Mapping[str, str], **settings: str) -> AgentHandle:
        await self.end()
        self._scope = trio.CancelScope()
        ended = self._ended = trio.Event()
        self.lines = Lines()
        given = settings or {"data_dir": str(self._folder / "state")}
        config = AgentConfig(node=NodeConfig(name="a", tags=tags), **given)  # type: ignore[arg-type]
        machine = self._network.machine("10.0.0.1")

        async def run(*, task_status: trio.TaskStatus[AgentHandle]) -> None:
            try:
                with self._scope:
                    await run_agent(
                        config, output=self.lines, machine=machine, task_status=task_status
                    )
            finally:
                ended.set()

        handle = await self._nursery.start(run)
        assert isinstance(handle, AgentHandle)
        return handle

    async def end(self) -> None:
        self._scope.cancel()
        await self._ended.wait()  # it waits for the thread that writes the file


def tags_of(handle: AgentHandle) -> Mapping[str, str]:
    (member,) = handle.view().members
    return member.tags


@pytest.fixture
def agent(nursery: trio.Nursery, tmp_path: Path) -> Agent:
    return Agent(nursery, tmp_path)


async def test_what_the_command_changed_is_back_after_a_restart(
    agent: Agent, tmp_path: Path
) -> None:
    handle = await agent.start({"role": "web", "dc": "east"})
    await handle.set_tags({"x": "1"}, ["dc"])
    assert tags_of(handle) == {"role": "web", "x": "1"}
    await agent.end()
    handle = await agent.start({"role": "db", "dc": "west"})
    assert tags_of(handle) == {"role": "db", "x": "1"}
    path = tmp_path / "state" / "tags.json"
    assert any(f"[INFO] agent: Restored 1 tag(s) from {path}" in t for t in agent.lines.texts)


async def test_a_reload_keeps_what_the_command_changed(agent: Agent) -> None:
    handle = await agent.start({"role": "web", "dc": "east"})
    await handle.set_tags({"x": "1"}, ["dc"])
    await handle.rebase_tags({"dc": "west", "new": "n"})
    assert tags_of(handle) == {"x": "1", "new": "n"}
    with pytest.raises(UsageError, match="500 bytes"):
        await handle.rebase_tags({"long": "x" * 600})
    assert tags_of(handle) == {"x": "1", "new": "n"}
    await handle.rebase_tags({"dc": "west", "new": "n"})
    assert tags_of(handle) == {"x": "1", "new": "n"}


async def test_changes_asked_for_together_are_all_kept(agent: Agent, tmp_path: Path) -> None:
    handle = await agent.start({})
    async with trio.open_nursery() as nursery:
        for i in range(20):
            nursery.start_soon(handle.set_tags, {f"k{i}": str(i)}, [])
    expected = {f"k{i}": str(i) for i in range(20)}
    assert tags_of(handle) == expected
    assert json.loads((tmp_path / "state" / "tags.json").read_bytes()) == expected


async def test_a_change_that_cannot_be_written_changes_nothing(
    agent: Agent, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    handle = await agent.start({}, tags_file=str(folder / "tags.json"))
    folder.rmdir()
    with pytest.raises(Unavailable, match="; the tags are unchanged"):
        await handle.set_tags({"x": "1"}, [])
    assert tags_of(handle) == {}
    folder.mkdir()
    await handle.set_tags({"x": "1"}, [])
    assert tags_of(handle) == {"x": "1"}


async def test_tags_that_do_not_fit_are_not_written(agent: Agent, tmp_path: Path) -> None:
    handle = await agent.start({"role": "web"})
    with pytest.raises(UsageError, match="500 bytes"):
        await handle.set_tags({"long": "x" * 600}, [])
    assert not (tmp_path / "state" / "tags.json").exists()
    assert tags_of(handle) == {"role": "web"}


async def test_a_file_whose_tags_do_not_fit_with_the_configuration_ends_the_start(
    agent: Agent, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "tags.json").write_text(json.dumps({"a": "x" * 300}))
    with pytest.RaisesGroup(
        pytest.RaisesExc(ConfigError, match="500 bytes"), flatten_subgroups=True
    ):
        async with trio.open_nursery() as nursery:
            await Agent(nursery, tmp_path).start({"b": "x" * 300})
