"""Services of a whole agent: from files, over restarts and reloads, with checks, and drained."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from gossipd.address import Address
from gossipd.agent.agent import run_agent
from gossipd.agent.checks.result import Result
from gossipd.agent.checks.runner import Runs
from gossipd.agent.handle import AgentHandle
from gossipd.config.load import Loaded, load
from gossipd.config.origin import ConfigFile
from gossipd.errors import ConfigError, UsageError
from gossipd.node.node import Node
from gossipd.services.definition import CheckDefinition, Service
from gossipd.services.instance import Instance
from gossipd.services.own import FROM_CLIENT, OwnService
from support.logs import Lines
from support.memory_network import MemoryNetwork

WEB = '[[service]]\nname = "web"\nport = 80\n'
DB = '[[service]]\nname = "db"\nport = 5432\n'
CHECKED = (
    '[[service]]\nname = "web"\nport = 80\n'
    '[[service.checks]]\nid = "c"\ntcp = "127.0.0.1:1"\ninterval = "1s"\n'
)


TTL = CheckDefinition(id="of-a-client", kind="ttl", ttl=60.0)


class Agent:
    """One agent whose configuration file and folder are in the test's hand."""

    def __init__(self, network: MemoryNetwork, name: str, ip: str, file: str = "") -> None:
        self.network, self.name, self.ip, self.file = network, name, ip, file
        self.lines = Lines()
        self.folder = ""
        self.handle: AgentHandle
        self.ended = trio.Event()
        self.exit_code: int | None = None

    def read(self) -> Loaded:
        flags = {"data_dir": self.folder} if self.folder else {}
        return load([ConfigFile("g.toml", self.file)], {}, flags, node_name=self.name)

    async def read_again(self) -> Loaded:
        await trio.lowlevel.checkpoint()
        return self.read()

    async def start(self, nursery: trio.Nursery) -> None:
        self.signal_in, self._signals = trio.open_memory_channel[int](8)
        self.machine = self.network.machine(self.ip)
        self.ended = trio.Event()
        self.scope = trio.CancelScope()
        self.handle = await nursery.start(self._run)

    async def _run(self, *, task_status: trio.TaskStatus[AgentHandle]) -> None:
        loaded = self.read()
        with self.scope:
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
        self.ended.set()

    async def end(self) -> None:
        await self.signal_in.send(signal.SIGTERM)
        await self.ended.wait()

    @property
    def node(self) -> Node:
        return self.handle._parts.node

    def own(self) -> dict[str, OwnService]:
        return {own.service.id: own for own in self.node.own_services().services}

    def register(self, service: Service) -> None:
        self.handle._driver.step(self.node.register_service, service, FROM_CLIENT)

    def seen(self, name: str) -> list[Instance]:
        return list(self.node.service(name).instances)


async def _no_names(host: str, port: int) -> list[Address]:
    await trio.lowlevel.checkpoint()
    raise OSError("no such host")


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(100):
        while not condition():  # noqa: ASYNC110 - many things make it true
            await trio.sleep(0.1)


@pytest.fixture
def network(nursery: trio.Nursery) -> MemoryNetwork:
    return MemoryNetwork(nursery)


async def test_services_of_the_files_are_registered_and_others_learn_of_them(
    network: MemoryNetwork, nursery: trio.Nursery, autojump_clock: object
) -> None:
    a = Agent(network, "a", "10.0.0.1", f'zone = "east"\n{WEB}')
    b = Agent(network, "b", "10.0.0.2", 'start_join = ["10.0.0.1"]')
    await a.start(nursery)
    await b.start(nursery)
    await until(lambda: bool(b.seen("web")))
    (found,) = b.seen("web")
    assert (found.owner, found.owner_address, found.service.port, found.zone) == (
        "a", "10.0.0.1", 80, "east",
    )  # fmt: skip
    levels = b.handle.statistics().levels
    assert (levels["services"], levels["instances_passing"], levels["own_services"]) == (1, 1, 0)
    assert levels["catalog_record_bytes"] > 0
    nursery.cancel_scope.cancel()


async def test_a_service_that_cannot_be_registered_ends_the_start(
    network: MemoryNetwork, nursery: trio.Nursery, autojump_clock: object
) -> None:
    long = '[catalog]\nrecord_bytes_max = 200\n[[service]]\nname = "web"\n[service.meta]\n' + (
        "".join(f'k{i} = "{"x" * 100}"\n' for i in range(10))
    )
    agent = Agent(network, "a", "10.0.0.1", long)
    loaded, machine = agent.read(), network.machine("10.0.0.1")
    words = r"^g.toml:3: service 'web' is .* bytes long as it travels"
    with pytest.raises(ConfigError, match=words):
        await run_agent(loaded.config, origins=loaded.origins, machine=machine)


async def test_results_of_checks_change_what_others_see_and_the_log_tells(
    network: MemoryNetwork,
    nursery: trio.Nursery,
    autojump_clock: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = [Result("passing", "fine", 0.5)]
    runs: list[str] = []

    async def run(_self: Runs, check: CheckDefinition, service: str) -> Result:
        await trio.lowlevel.checkpoint()
        runs.append(service)
        return said[-1]

    monkeypatch.setattr(Runs, "run", run)
    a = Agent(network, "a", "10.0.0.1", CHECKED)
    b = Agent(network, "b", "10.0.0.2", 'start_join = ["10.0.0.1"]')
    await a.start(nursery)
    await b.start(nursery)
    await until(lambda: any(i.status == "passing" for i in b.seen("web")))
    await until(lambda: b.seen("web")[0].load == 0.5)
    said.append(Result("critical", "it is down"))
    await until(lambda: b.seen("web")[0].status == "critical")
    assert a.lines.has(
        "[WARN] agent: check 'c' of service 'web' is critical, was passing: it is down"
    )
    assert a.handle.statistics().levels["own_checks_run"] == 1
    counts = a.handle._parts.ledger.counts
    assert counts["gossipd.checks.run"] == len(runs)
    assert counts["gossipd.checks.failed"] >= 1
    a.file = WEB
    await a.handle.reload()
    before = len(runs)
    await trio.sleep(10)
    assert len(runs) == before
    nursery.cancel_scope.cancel()


async def test_a_reload_registers_replaces_and_takes_back(
    network: MemoryNetwork, nursery: trio.Nursery, autojump_clock: object
) -> None:
    agent = Agent(network, "a", "10.0.0.1", "")
    await agent.start(nursery)
    agent.file = f"{WEB}{DB}"
    assert (await agent.handle.reload()).applied == ("service",)
    agent.register(Service(id="mine", name="mine"))
    assert list(agent.own()) == ["db", "mine", "web"]
    agent.file = f'zone = "west"\n{WEB.replace("80", "81")}'
    report = await agent.handle.reload()
    assert set(report.applied) == {"service", "catalog.zone"}
    assert report.needs_restart == ()
    assert {key: own.service.port for key, own in agent.own().items()} == {"mine": 0, "web": 81}
    assert agent.node.own_services().node.zone == "west"
    assert (await agent.handle.reload()).applied == ()
    agent.file = f"[catalog]\nrecords_max = 2\n{WEB}"
    assert set((await agent.handle.reload()).applied) == {
        "service", "catalog.zone", "catalog.records_max",
    }  # fmt: skip
    agent.file = f"[catalog]\nrecords_max = 9\n{WEB}{DB}"  # one more, with the mine of a client
    await agent.handle.reload()
    agent.file = f"[catalog]\nrecords_max = 2\n{WEB.replace('80', '81')}"
    await agent.handle.reload()
    agent.file = f'[catalog]\nrecords_max = 9\n{WEB}[[service]]\nname = "mine"\n'
    with pytest.raises(
        ConfigError, match=r"^g.toml:6: service 'mine'|^g.toml:6: service id 'mine'"
    ):
        await agent.handle.reload()
    assert {key: own.service.port for key, own in agent.own().items()} == {"mine": 0, "web": 81}
    agent.file = f"[catalog]\nrecords_max = 2\n{WEB.replace('80', '81')}{DB}"
    with pytest.raises(ConfigError, match="records_max"):
        await agent.handle.reload()
    agent.file = f'{WEB}prot = "x"\n'
    with pytest.raises(ConfigError, match=r"^g.toml:4: service: prot: unknown field"):
        await agent.handle.reload()
    agent.file = ""
    await agent.handle.reload()
    assert list(agent.own()) == ["mine"]
    nursery.cancel_scope.cancel()


async def test_what_clients_registered_is_back_after_a_restart(
    network: MemoryNetwork, nursery: trio.Nursery, tmp_path: Path
) -> None:
    agent = Agent(network, "a", "10.0.0.1", WEB)
    agent.folder = str(tmp_path)
    await agent.start(nursery)
    epoch = int((tmp_path / "catalog-epoch").read_text())
    agent.register(Service(id="mine", name="mine", port=7))
    agent.handle._driver.step(agent.node.set_maintenance, "web", "repairs")
    await agent.end()
    kept = json.loads((tmp_path / "services.json").read_text())
    assert [one["source"] for one in kept["services"]] == ["client", "config"]
    await agent.start(nursery)
    assert list(agent.own()) == ["mine", "web"]
    assert agent.own()["mine"].source == FROM_CLIENT
    assert agent.own()["web"].state.maintenance == "repairs"
    assert int((tmp_path / "catalog-epoch").read_text()) > epoch
    assert agent.lines.has("agent: restored services of the last run: 1")
    agent.scope.cancel()  # a crash: what was registered a moment before is on disk
    await agent.ended.wait()
    (tmp_path / "services.json").write_text("{")
    (tmp_path / "catalog-epoch").write_text("9007199254740000")
    await agent.start(nursery)
    assert list(agent.own()) == ["web"]
    assert agent.lines.has("nothing is restored, it was put to")
    assert (tmp_path / "catalog-epoch").read_text() == "9007199254740001\n"
    nursery.cancel_scope.cancel()


async def test_a_registration_is_on_disk_soon_and_survives_a_crash(
    network: MemoryNetwork, nursery: trio.Nursery, tmp_path: Path
) -> None:
    agent = Agent(network, "a", "10.0.0.1")
    agent.folder = str(tmp_path)
    await agent.start(nursery)
    assert not (tmp_path / "services.json").exists()
    agent.register(Service(id="mine", name="mine", port=7))
    await until((tmp_path / "services.json").exists)
    agent.scope.cancel()
    await agent.ended.wait()
    await agent.start(nursery)
    assert list(agent.own()) == ["mine"]
    nursery.cancel_scope.cancel()


async def test_an_epoch_that_grew_while_the_node_ran_is_kept(
    network: MemoryNetwork, nursery: trio.Nursery, tmp_path: Path
) -> None:
    agent = Agent(network, "a", "10.0.0.1")
    agent.folder = str(tmp_path)
    await agent.start(nursery)
    epoch = agent.node.catalog_epoch
    assert (tmp_path / "catalog-epoch").read_text() == f"{epoch}\n"
    agent.node._carriage.announced(epoch + 7)
    await agent.end()
    assert (tmp_path / "catalog-epoch").read_text() == f"{epoch + 7}\n"
    nursery.cancel_scope.cancel()


async def two(network: MemoryNetwork, nursery: trio.Nursery, more: str) -> tuple[Agent, Agent]:
    a = Agent(network, "a", "10.0.0.1", f"{more}\n{WEB}")
    b = Agent(network, "b", "10.0.0.2", 'start_join = ["10.0.0.1"]')
    await a.start(nursery)
    await b.start(nursery)
    await until(lambda: bool(b.seen("web")))
    return a, b


async def test_a_leave_by_signal_drains_first(
    network: MemoryNetwork, nursery: trio.Nursery, autojump_clock: object
) -> None:
    a, b = await two(network, nursery, 'drain_on_leave = "20s"\nleave_timeout = 5')
    began = trio.current_time()
    await a.signal_in.send(signal.SIGTERM)
    await until(lambda: b.seen("web")[0].is_draining)
    assert (b.seen("web")[0].weight, b.seen("web")[0].status) == (0, "passing")
    await until(lambda: b.seen("web")[0].status != "passing")
    assert 9 < trio.current_time() - began < 12
    await until(lambda: not b.seen("web"))
    assert 19 < trio.current_time() - began < 25
    await a.ended.wait()
    assert a.exit_code == 0
    nursery.cancel_scope.cancel()


async def test_a_second_signal_ends_the_drain_and_leaves(
    network: MemoryNetwork, nursery: trio.Nursery, autojump_clock: object
) -> None:
    a, b = await two(network, nursery, 'drain_on_leave = "1h"')
    began = trio.current_time()
    await a.signal_in.send(signal.SIGTERM)
    await trio.sleep(1)
    await a.signal_in.send(signal.SIGTERM)
    await a.ended.wait()
    assert trio.current_time() - began < 10
    assert a.exit_code == 0
    assert a.lines.has("==> Caught second signal, leaving without a further drain")
    await until(lambda: not b.seen("web"))
    nursery.cancel_scope.cancel()


async def test_a_third_signal_ends_at_once(
    network: MemoryNetwork, nursery: trio.Nursery, autojump_clock: object
) -> None:
    a, _ = await two(network, nursery, 'drain_on_leave = "1h"')
    for _ in range(3):
        await a.signal_in.send(signal.SIGINT)
        await trio.sleep(0.01)
    await a.ended.wait()
    assert a.exit_code == 1
    nursery.cancel_scope.cancel()


async def test_a_leave_by_command_may_ask_for_a_drain_and_only_one_does(
    network: MemoryNetwork, nursery: trio.Nursery, autojump_clock: object
) -> None:
    a, b = await two(network, nursery, "")
    began = trio.current_time()
    with trio.move_on_after(1):
        await a.handle.leave(drain=10.0)
    with pytest.raises(UsageError, match="Leave already in progress"):
        await a.handle.leave()
    await a.ended.wait()
    assert 10 <= trio.current_time() - began < 15
    began = trio.current_time()
    await b.handle.leave(drain=10.0)  # it has no service, so nobody is waited for
    assert trio.current_time() - began < 5
    nursery.cancel_scope.cancel()


async def test_a_signal_ends_the_drain_that_a_command_asked_for(
    network: MemoryNetwork, nursery: trio.Nursery, autojump_clock: object
) -> None:
    a, _ = await two(network, nursery, "")
    began = trio.current_time()
    with trio.move_on_after(1):
        await a.handle.leave(drain=3600.0)
    await a.signal_in.send(signal.SIGTERM)
    await a.ended.wait()
    assert a.exit_code == 0
    assert trio.current_time() - began < 10


def checked(name: str, *checks: str) -> str:
    words = ", ".join(f'{{ id = "{check}", ttl = "1h" }}' for check in checks)
    return f'[[service]]\nname = "{name}"\nchecks = [{words}]\n'


async def test_a_check_may_move_from_one_service_to_another_in_any_order(
    network: MemoryNetwork, nursery: trio.Nursery, autojump_clock: object
) -> None:
    agent = Agent(network, "a", "10.0.0.1", checked("a", "x", "y") + checked("b") + checked("c"))
    await agent.start(nursery)

    def ids() -> dict[str, list[str]]:
        return {key: [check.id for check in own.checks] for key, own in agent.own().items()}

    for text, expected in (
        (checked("b", "x") + checked("c", "y") + checked("a"), {"a": [], "b": ["x"], "c": ["y"]}),
        (checked("a", "y", "x"), {"a": ["y", "x"]}),
        (checked("n", "x") + checked("a", "y"), {"a": ["y"], "n": ["x"]}),
    ):
        agent.file = text
        await agent.handle.reload()
        assert ids() == expected
    agent.register(Service(id="mine", name="mine", checks=(TTL,)))
    agent.file = checked("z", "x") + checked("n", "of-a-client")
    with pytest.raises(ConfigError, match="'of-a-client'"):
        await agent.handle.reload()
    assert ids() == {"a": ["y"], "n": ["x"], "mine": ["of-a-client"]}
    assert not agent.lines.has("is lost")
    nursery.cancel_scope.cancel()
