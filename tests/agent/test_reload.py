"""Another configuration for a running agent: applied, named, refused; and never a lost tag."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
import trio

from gossipd.address import Address
from gossipd.agent.agent import run_agent
from gossipd.agent.handle import AgentHandle
from gossipd.config.load import Loaded, load
from gossipd.config.origin import ConfigFile
from gossipd.errors import ConfigError, UsageError
from gossipd.node.handle import ReloadReport
from support.logs import Lines
from support.memory_network import MemoryMachine, MemoryNetwork


class Reloadable:
    """One agent whose configuration file is in the test's hand."""

    def __init__(self, network: MemoryNetwork, name: str, ip: str, file: str = "") -> None:
        self.machine: MemoryMachine = network.machine(ip)
        self.name = name
        self.file = file
        self.lines = Lines()
        self.signal_in, self._signals = trio.open_memory_channel[int](8)
        self.exit_code: int | None = None

    def read(self) -> Loaded:
        return load([ConfigFile("g.toml", self.file)], {}, {}, node_name=self.name)

    async def read_again(self) -> Loaded:
        await trio.lowlevel.checkpoint()
        return self.read()

    async def run(self, *, task_status: trio.TaskStatus[AgentHandle]) -> None:
        loaded = self.read()
        self.exit_code = await run_agent(
            loaded.config,
            signals=self._signals,
            output=self.lines,
            look_up=_no_names,
            machine=self.machine,
            origins=loaded.origins,
            reread=self.read_again,
            task_status=task_status,
        )


async def _no_names(host: str, port: int) -> list[Address]:
    await trio.lowlevel.checkpoint()
    raise OSError("no such host")


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(100):
        while not condition():  # noqa: ASYNC110 - nothing tells when a reload by signal is done
            await trio.sleep(1)


async def started(nursery: trio.Nursery, agent: Reloadable) -> AgentHandle:
    handle = await nursery.start(agent.run)
    assert isinstance(handle, AgentHandle)
    return handle


def origin(handle: AgentHandle, key: str) -> str:
    (found,) = [s.origin for s in handle.settings() if ".".join((s.table, s.key)).strip(".") == key]
    return found


async def test_what_can_change_does_and_what_cannot_is_named(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    agent = Reloadable(MemoryNetwork(nursery), "a", "10.0.0.1", 'bind = "10.0.0.1:7946"')
    handle = await started(nursery, agent)
    agent.file = 'bind = "10.0.0.9:1"\nlog_level = "debug"\nleave_on_terminate = false\n'
    agent.file += "[swim]\nprobe_interval = 3\n[wire]\nlabel = 'x'"
    report = await handle.reload()
    assert report == ReloadReport(
        ("log_level", "leave_on_terminate", "swim.probe_interval"), ("bind", "wire.label"), ()
    )
    assert agent.lines.has("==> Reloading configuration...")
    assert agent.lines.has("[INFO] agent: configuration reloaded: log_level, leave_on_terminate")
    assert agent.lines.has("[WARN] agent: changed, but only after a restart: bind, wire.label")
    assert origin(handle, "log_level") == "g.toml:2"
    assert origin(handle, "bind") == "g.toml:1"
    shown = {(s.table, s.key): s.value for s in handle.settings()}
    assert shown["", "bind"] == "10.0.0.1:7946"
    assert shown["swim", "probe_interval"] == 3.0
    assert shown["wire", "label"] == ""
    await agent.signal_in.send(signal.SIGTERM)
    await until(lambda: agent.exit_code is not None)
    assert agent.exit_code == 1  # no leave any more


async def test_a_wrong_configuration_changes_nothing_and_the_agent_runs_on(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    agent = Reloadable(MemoryNetwork(nursery), "a", "10.0.0.1", "[tags]\nx = '1'")
    handle = await started(nursery, agent)
    before = handle.settings()
    agent.file = 'log_level = "debug"\nbind = 3\n'
    with pytest.raises(ConfigError, match=r"g\.toml:2: bind: 3 is not text"):
        await handle.reload()
    agent.file = f"log_level = 'debug'\n[tags]\nx = '{'y' * 600}'"
    with pytest.raises(UsageError, match="512"):
        await handle.reload()
    assert handle.settings() == before
    assert agent.lines.has("[ERR] agent: configuration not reloaded: g.toml:2")
    assert agent.lines.has("==> Failed to reload configs")
    assert handle.own_tags() == {"x": "1"}


async def test_tags_set_at_run_time_survive_a_reload(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    agent = Reloadable(
        MemoryNetwork(nursery), "a", "10.0.0.1", "[tags]\nx = '1'\ny = '1'\nold = '1'"
    )
    handle = await started(nursery, agent)
    await handle.set_tags({"hand": "made", "y": "2"}, [])
    agent.file = "[tags]\nx = '5'\ny = '5'\nnew = '1'"
    report = await handle.reload()
    assert handle.own_tags() == {"x": "5", "y": "2", "new": "1", "hand": "made"}
    assert report == ReloadReport(("tags.x", "tags.new", "tags.old"), (), ("tags.y",))
    assert agent.lines.has("changed at run time, kept as they are: tags.y")
    assert origin(handle, "tags.hand") == "set at run time"
    assert origin(handle, "tags.y") == "set at run time"
    assert origin(handle, "tags.x") == "g.toml:2"
    assert await handle.reload() == ReloadReport()
    assert handle.own_tags() == {"x": "5", "y": "2", "new": "1", "hand": "made"}


async def test_what_is_said_to_be_applied_is(nursery: trio.Nursery, autojump_clock: object) -> None:
    """A tag set by hand to what the configuration said stays as it is, and so does a deletion."""
    agent = Reloadable(MemoryNetwork(nursery), "a", "10.0.0.1", "[tags]\nx = '1'\ny = '1'")
    handle = await started(nursery, agent)
    await handle.set_tags({"x": "1"}, ["y"])
    agent.file = "[tags]\nx = '5'"
    assert await handle.reload() == ReloadReport((), (), ("tags.x",))
    assert origin(handle, "tags.x") == "set at run time"
    agent.file = "[tags]\nx = '5'\ny = '3'"
    assert await handle.reload() == ReloadReport((), (), ("tags.y",))
    assert handle.own_tags() == {"x": "1"}


async def test_tags_that_do_not_fit_beside_those_set_by_hand_change_nothing(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    big = "b" * 300
    agent = Reloadable(MemoryNetwork(nursery), "a", "10.0.0.1", f"[tags]\nx = '{big}'")
    handle = await started(nursery, agent)
    await handle.set_tags({"x": big}, [])
    before = handle.settings()
    agent.file = f"log_level = 'debug'\nevent_handlers = ['true']\n[tags]\nnew = '{big}'"
    with pytest.raises(UsageError, match="512"):
        await handle.reload()
    assert handle.settings() == before
    assert handle.own_tags() == {"x": big}
    assert handle.statistics().event_handlers == {}


async def test_handlers_and_verification_follow(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    agent = Reloadable(MemoryNetwork(nursery), "a", "10.0.0.1", 'event_handlers = ["user=true"]')
    handle = await started(nursery, agent)
    assert handle.statistics().event_handlers == {"user:": "true"}
    agent.file = 'event_handlers = ["query=false"]\n[wire]\nverify_outgoing = false'
    report = await handle.reload()
    assert report == ReloadReport(("event_handlers", "wire.verify_outgoing"), (), ())
    assert handle.statistics().event_handlers == {"query:": "false"}
    agent.file = 'event_handlers = ["member-foo=x"]\nlog_level = "debug"'
    with pytest.raises(ConfigError):
        await handle.reload()
    assert handle.statistics().event_handlers == {"query:": "false"}
    assert origin(handle, "log_level") == "default"


async def test_new_seeds_are_joined_when_the_list_changes(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    network = MemoryNetwork(nursery)
    await started(nursery, Reloadable(network, "a", "10.0.0.1"))
    agent = Reloadable(network, "b", "10.0.0.2", 'retry_join = ["10.0.0.9"]\nretry_interval = 600')
    handle = await started(nursery, agent)
    await trio.sleep(1000)
    assert handle.is_alone()
    agent.file = 'retry_join = ["10.0.0.1"]'
    assert (await handle.reload()).applied == ("retry_join", "retry_interval")
    await trio.sleep(2)
    assert not handle.is_alone()
    third = await started(nursery, Reloadable(network, "c", "10.0.0.3"))
    agent.file = 'retry_join = ["10.0.0.3"]'
    await handle.reload()
    await trio.sleep(2)
    assert not third.is_alone()


async def test_seeds_are_tried_again_by_a_reload_when_we_are_alone(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    network = MemoryNetwork(nursery)
    agent = Reloadable(network, "b", "10.0.0.2", 'retry_join = ["10.0.0.1"]\nretry_interval = 9999')
    handle = await started(nursery, agent)
    await trio.sleep(30000)
    await started(nursery, Reloadable(network, "a", "10.0.0.1"))
    await trio.sleep(10)
    assert handle.is_alone()
    assert await handle.reload() == ReloadReport()
    await trio.sleep(2)
    assert not handle.is_alone()


async def test_sighup_reloads_and_survives_a_wrong_file(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    agent = Reloadable(MemoryNetwork(nursery), "a", "10.0.0.1")
    handle = await started(nursery, agent)
    agent.file = "["
    await agent.signal_in.send(signal.SIGHUP)
    await until(lambda: agent.lines.has("not reloaded: g.toml:"))
    agent.file = "[tags]\nnew = '1'"
    await agent.signal_in.send(signal.SIGHUP)
    await until(lambda: handle.own_tags() == {"new": "1"})


async def test_an_agent_without_files_can_be_given_another_configuration(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    agent = Reloadable(MemoryNetwork(nursery), "a", "10.0.0.1")
    agent.read = lambda: load([], {}, {"tags": ("a=1",)}, node_name="a")  # type: ignore[method-assign]
    handle = await started(nursery, agent)
    config = load([], {}, {"tags": ("a=2",), "log_level": "warn"}, node_name="a").config
    assert (await handle.reconfigure(config)).applied == ("log_level", "tags.a")
    assert handle.own_tags() == {"a": "2"}
