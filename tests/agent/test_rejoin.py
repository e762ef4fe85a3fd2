"""Rejoining on the in-memory network: who is tried, how fast, and what an outage does."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from gossipd.agent.agent import run_agent
from gossipd.agent.handle import AgentHandle
from gossipd.agent.state import rejoin
from gossipd.agent.state.keeping import Keeping
from gossipd.config.agent_model import AgentConfig
from gossipd.config.model import NodeConfig, SerfConfig
from gossipd.serf.memory import Memory
from gossipd.serf.snapshot import Snapshot, replay_untrusted
from gossipd.wire.serf_messages import MemberStatus
from support.logs import Lines
from support.memory_network import MemoryMachine, MemoryNetwork


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write within the loop: a virtual clock would run away while a thread is busy."""

    async def run(work: object) -> None:
        await trio.lowlevel.checkpoint()
        work()  # type: ignore[operator]

    monkeypatch.setattr("gossipd.agent.state.journal.run_in_thread", run)


class Agent:
    """One agent with a snapshot, which can be switched off and on again."""

    def __init__(self, network: MemoryNetwork, name: str, ip: str, path: Path, **more: object):
        self.network = network
        self.name = name
        self.ip = ip
        self.lines = Lines()
        self.config = AgentConfig(
            node=NodeConfig(name=name),
            snapshot_path=str(path / f"{name}.snapshot"),
            log_level="DEBUG",
            **more,  # type: ignore[arg-type]
        )
        self.scope = trio.CancelScope()
        self.machine: MemoryMachine | None = None

    async def _run(self, *, task_status: trio.TaskStatus[AgentHandle]) -> None:
        with self.scope:
            await run_agent(
                self.config, output=self.lines, machine=self.machine, task_status=task_status
            )

    async def start(self, nursery: trio.Nursery) -> AgentHandle:
        self.scope, self.lines = trio.CancelScope(), Lines()
        self.machine = self.network.machine(self.ip)
        handle = await nursery.start(self._run)
        assert isinstance(handle, AgentHandle)
        return handle

    async def crash(self) -> None:
        self.scope.cancel()
        await trio.sleep(0.01)

    def write(self, text: str) -> None:
        Path(self.config.snapshot_path).write_text(text)

    def read(self) -> str:
        return Path(self.config.snapshot_path).read_text()

    def remembered(self) -> Snapshot:
        data = Path(self.config.snapshot_path).read_bytes()
        return replay_untrusted([data], rejoin_after_leave=True).snapshot


def alive(handle: AgentHandle) -> set[str]:
    return {m.name for m in handle.view().members if m.status is MemberStatus.ALIVE}


async def test_a_restart_finds_the_one_that_is_up_among_hundreds_that_hang(
    autojump_clock: object, nursery: trio.Nursery, tmp_path: Path
) -> None:
    network = MemoryNetwork(nursery)
    await Agent(network, "b", "10.0.0.2", tmp_path).start(nursery)
    dead = [f"10.1.{i // 200}.{1 + i % 200}" for i in range(250)]
    for ip in dead:
        network.silent.add(network.machine(ip).bound)
    agent = Agent(network, "a", "10.0.0.1", tmp_path)
    agent.write(
        "".join(f"alive: d{ip} {ip}:7946\n" for ip in dead)
        + "alive: a 10.0.0.1:7946\n# gossipd failed: b 10.0.0.2:7946\n"
    )
    handle = await agent.start(nursery)
    await trio.sleep(1)
    assert alive(handle) == {"a", "b"}
    assert agent.lines.count("Attempting re-join to previously known node: b: 10.0.0.2:7946") == 1
    assert agent.lines.count("[INFO] serf: Re-joined to previously known node: b") == 1


async def test_one_that_accepts_and_never_answers_holds_up_nobody(
    autojump_clock: object, nursery: trio.Nursery, tmp_path: Path
) -> None:
    network = MemoryNetwork(nursery)
    await Agent(network, "b", "10.0.0.2", tmp_path).start(nursery)
    for i in range(3):
        network.machine(f"10.0.1.{i}")  # accepts, as the kernel does for a frozen process
    agent = Agent(network, "a", "10.0.0.1", tmp_path)
    frozen = "".join(f"alive: f{i} 10.0.1.{i}:7946\n" for i in range(3))
    agent.write(frozen + "alive: b 10.0.0.2:7946\n")
    handle = await agent.start(nursery)
    await trio.sleep(1)
    assert alive(handle) == {"a", "b"}


async def test_after_a_full_outage_all_find_each_other_again(
    autojump_clock: object, nursery: trio.Nursery, tmp_path: Path
) -> None:
    network = MemoryNetwork(nursery)
    agents = [Agent(network, f"n{i}", f"10.0.0.{i + 1}", tmp_path) for i in range(4)]
    handles = [await agent.start(nursery) for agent in agents]
    for handle in handles[1:]:
        await handle.join(["10.0.0.1"])
    await trio.sleep(5)
    for agent in agents[:3]:
        await agent.crash()
    await trio.sleep(60)
    assert agents[3].remembered().failed.keys() == {"n0", "n1", "n2"}
    await agents[3].crash()
    # the last one saw all others fail: it comes first, and waits for them
    first = await agents[3].start(nursery)
    await trio.sleep(200)
    assert agents[3].lines.count("[WARN] serf: Failed to re-join any previously known node") == 1
    for agent in agents[:3]:
        await agent.start(nursery)
    await trio.sleep(40)
    assert alive(first) == {"n0", "n1", "n2", "n3"}


async def test_two_halves_that_came_back_apart_become_one(
    autojump_clock: object, nursery: trio.Nursery, tmp_path: Path
) -> None:
    network = MemoryNetwork(nursery)
    agents = [Agent(network, f"n{i}", f"10.0.0.{i + 1}", tmp_path) for i in range(4)]
    lines = [f"alive: n{i} 10.0.0.{i + 1}:7946\n" for i in range(4)]
    agents[0].write("".join(lines))
    agents[1].write("".join(lines))
    agents[2].write("".join(lines[2:]))
    agents[3].write("".join(lines[2:]))
    first = [await agent.start(nursery) for agent in agents[:2]]
    await trio.sleep(10)
    assert alive(first[0]) == {"n0", "n1"}
    second = [await agent.start(nursery) for agent in agents[2:]]
    await trio.sleep(100)
    assert alive(second[0]) == {"n0", "n1", "n2", "n3"}


async def test_after_a_graceful_leave_it_starts_alone_unless_told_to_rejoin(
    autojump_clock: object, nursery: trio.Nursery, tmp_path: Path
) -> None:
    network = MemoryNetwork(nursery)
    await Agent(network, "b", "10.0.0.2", tmp_path).start(nursery)
    agent = Agent(network, "a", "10.0.0.1", tmp_path)
    handle = await agent.start(nursery)
    await handle.join(["10.0.0.2"])
    await trio.sleep(3)
    await handle.leave()
    await trio.sleep(1)
    left = agent.read()
    assert left.endswith("leave\n")
    handle = await agent.start(nursery)
    await trio.sleep(5)
    assert alive(handle) == {"a"}
    await agent.crash()
    agent.write(left)
    again = Agent(network, "a", "10.0.0.1", tmp_path, rejoin_after_leave=True)
    handle = await again.start(nursery)
    await trio.sleep(5)
    assert alive(handle) == {"a", "b"}
    assert again.lines.count("[INFO] serf: Ignoring previous leave in snapshot") == 1


async def test_members_that_nobody_saw_for_long_are_forgotten(
    autojump_clock: object, nursery: trio.Nursery, tmp_path: Path
) -> None:
    network = MemoryNetwork(nursery)
    await Agent(network, "b", "10.0.0.2", tmp_path).start(nursery)
    agent = Agent(network, "a", "10.0.0.1", tmp_path)
    node = NodeConfig(name="a", serf=SerfConfig(reconnect_timeout=300.0))
    agent.config = AgentConfig(node=node, snapshot_path=agent.config.snapshot_path)
    agent.write("alive: b 10.0.0.2:7946\nalive: gone 10.0.0.9:7946\n")
    await agent.start(nursery)
    await trio.sleep(200)
    assert agent.remembered().alive.keys() == {"a", "b", "gone"}
    await trio.sleep(110)
    assert agent.remembered().alive.keys() == {"a", "b"}


async def test_who_was_renamed_does_not_take_its_former_self_for_a_member(
    autojump_clock: object, nursery: trio.Nursery, tmp_path: Path
) -> None:
    network = MemoryNetwork(nursery)
    await Agent(network, "z", "10.0.0.2", tmp_path).start(nursery)
    agent = Agent(network, "new", "10.0.0.1", tmp_path)
    former = "".join(f"alive: old{i} 10.0.0.1:7946\n" for i in range(9))
    agent.write(former + "# gossipd failed: older 10.0.0.1:7946\nalive: z 10.0.0.2:7946\n")
    handle = await agent.start(nursery)
    await trio.sleep(1)
    assert alive(handle) == {"new", "z"}
    assert agent.lines.count("[INFO] serf: Attempting re-join") == 1
    remembered = agent.remembered()
    assert (set(remembered.alive), set(remembered.failed)) == ({"new", "z"}, set())


async def test_clocks_go_on_and_start_output_and_info_tell_of_the_snapshot(
    autojump_clock: object, nursery: trio.Nursery, tmp_path: Path
) -> None:
    network = MemoryNetwork(nursery)
    agent = Agent(network, "a", "10.0.0.1", tmp_path)
    agent.write("clock: 11\nevent-clock: 22\nquery-clock: 33\nnonsense\n")
    handle = await agent.start(nursery)
    statistics = handle.statistics()
    times = statistics.member_time, statistics.event_time, statistics.query_time
    assert times == (12, 23, 34)
    assert statistics.snapshot == "ok"
    assert agent.lines.count("Snapshot: true") == 1
    assert agent.lines.count("[WARN] serf: Unrecognized snapshot line: 'nonsense'") == 1
    assert agent.remembered().memory == Memory(11, 22, 33)


async def test_without_anybody_remembered_nothing_is_tried(
    autojump_clock: object, nursery: trio.Nursery, tmp_path: Path
) -> None:
    agent = Agent(MemoryNetwork(nursery), "a", "10.0.0.1", tmp_path)
    agent.write("alive: a 10.0.0.1:7946\n")
    await agent.start(nursery)
    await trio.sleep(100)
    assert agent.lines.count("re-join") == 0


async def test_a_leave_during_the_search_ends_it(
    autojump_clock: object, nursery: trio.Nursery, tmp_path: Path
) -> None:
    agent = Agent(MemoryNetwork(nursery), "a", "10.0.0.1", tmp_path)
    agent.write("alive: b 10.0.0.2:7946\n")
    handle = await agent.start(nursery)
    await trio.sleep(1)
    await handle.leave()
    await trio.sleep(rejoin.PAUSE_MAX)
    assert agent.scope.cancelled_caught is False
    assert agent.lines.count("agent: shutdown complete") == 1


def test_a_keeping_gives_its_file_back(tmp_path: Path) -> None:
    config = AgentConfig(node=NodeConfig(name="a"), snapshot_path=str(tmp_path / "s"))
    for _ in range(2):
        Keeping(config, lambda _level, _text: None).close()
