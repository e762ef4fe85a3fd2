"""A day of an agent with its faces: members fail, clients come and go, an oracle judges all.

In virtual time: the clock jumps whenever everybody waits. The agents are whole, from the
bytes of HTTP down to the catalog; only the network between them is in memory. One seed
decides what happens; chance within the agents and the scheduler are seeded from it as well.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import trio
import trio._core._run
import trio.testing

from gossipd.rest.desk import Desk
from gossipd.rest.transport.service import Service
from support.day.clients import Clients
from support.day.cluster import Agent, Network
from support.day.leaks import Books, Leak, Memory
from support.day.oracle import Oracle, Wrong
from support.day.readings import Readings
from support.day.records import Host
from support.day.rude import Rude
from support.day.truth import HEAL, NEWS, Truth
from support.day.wire import Wires
from support.day.workload import Workload

HOUR = 3600.0
BEGAN = 1_700_000_000.0
"""The calendar at the beginning of a day."""
SEEDED = (
    "gossipd.agent.parts.Random",
    "gossipd.rest.consul.reads.reading.Random",
    "gossipd.dns.server.Random",
)


@dataclass(frozen=True)
class Plan:
    """What a day is made of. Times in virtual seconds."""

    seed: int
    hours: float = 24.0
    peers: int = 3
    gap: float = 60.0
    """Between two events among the peers, on average."""
    pace: float = 200.0
    """Between two requests of a client, on average."""
    pollers: int = 3
    blockers: int = 8
    hashers: int = 2
    followers: int = 2
    rude: int = 3
    resolvers: int = 1
    lives: int = 3
    """Of the agent that is asked."""


@dataclass
class Report:
    """What came of a day; ``wrong`` says at which moment what could not be."""

    seed: int
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """Of a processor."""
    requests: int = 0
    judged: Counter[str] = field(default_factory=Counter)
    items: int = 0
    woken: int = 0
    woken_in_vain: int = 0
    waited_out: int = 0
    events: Counter[str] = field(default_factory=Counter)
    rude: Counter[str] = field(default_factory=Counter)
    looks: int = 0
    held_most: int = 0
    blocks: list[int] = field(default_factory=list)
    grown: float = 1.0
    grew_most: list[tuple[str, int]] = field(default_factory=list)

    def line(self) -> str:
        """Return it in one line."""
        return (
            f"seed {self.seed}: {len(self.wrong)} wrong; {self.requests} requests,"
            f" {self.judged.total()} answers with {self.items} items judged;"
            f" {self.events.total()} events; {self.woken} woken ({self.woken_in_vain} with what"
            f" they had), {self.waited_out} waited out; {self.rude.total()} rude;"
            f" {self.looks} looks at the books, {self.held_most} held at most;"
            f" memory x {self.grown:.3f} (most: {self.grew_most[:4]}); {self.seconds:.1f} s"
        )


def run_day(plan: Plan) -> Report:
    """Run a day and return what came of it."""
    report = Report(plan.seed)
    began = time.process_time()
    random = Random(plan.seed)
    with tempfile.TemporaryDirectory(prefix="day-") as folder, _seeded(random):
        day = _Day(plan, report, random, str(Path(folder) / "http"))
        trio.run(day.run, clock=trio.testing.MockClock(autojump_threshold=0))
    report.seconds = time.process_time() - began
    return report


@contextmanager
def _seeded(random: Random) -> Iterator[None]:
    """Seed what the agents and the scheduler draw."""

    def made() -> Random:
        return Random(random.getrandbits(64))

    run: Any = trio._core._run
    state = run._r.getstate()
    with ExitStack() as patches:
        for name in SEEDED:
            patches.enter_context(patch(name, made))
        patches.enter_context(patch.object(os, "urandom", made().randbytes))
        patches.enter_context(patch.object(run, "_ALLOW_DETERMINISTIC_SCHEDULING", True))
        run._r.seed(random.getrandbits(64))
        try:
            yield
        finally:
            run._r.setstate(state)


class _Day:
    def __init__(self, plan: Plan, report: Report, random: Random, path: str) -> None:
        self._plan = plan
        self._report = report
        self._random = random
        self._path = path
        self._services: list[Service] = []
        self._wires = Wires(path)
        self._memory = Memory()

    async def run(self) -> None:
        """Live through the day; what is wrong ends it and is told in the report."""
        report = self._report
        began = trio.current_time()

        def wall() -> float:
            return BEGAN + trio.current_time() - began

        kept = dict(Desk.__init__.__kwdefaults__ or {}) | {"wall": wall}
        with (
            patch.object(time, "time", wall),
            patch.object(Desk.__init__, "__kwdefaults__", kept),
            patch("gossipd.rest.transport.server.Service", self._made),
        ):
            try:
                await self._live()
            except* (Wrong, Leak) as errors:
                hours = (trio.current_time() - began) / HOUR
                for error in _leaves(errors):
                    report.wrong.append(f"seed {report.seed}, hour {hours:.4f}: {error!r}")

    def _made(self, *args: Any) -> Service:
        service = Service(*args)
        self._services.append(service)
        return service

    async def _live(self) -> None:
        plan = self._plan
        async with trio.open_nursery() as net:
            network = Network(net)
            hosts = [Host("eyes", "10.9.0.1", (("zone", "a"),))]
            hosts += [
                Host(f"peer-{n}", f"10.9.0.{n + 2}", (("zone", "ab"[n % 2]),))
                for n in range(plan.peers)
            ]
            seeds = tuple(host.address for host in hosts)
            eyes = Agent(network, hosts[0], seeds[1:], self._path)
            peers = [Agent(network, host, seeds[:1]) for host in hosts[1:]]
            truth = Truth(hosts[0], trio.current_time())
            oracle = Oracle(truth)
            await eyes.start(net)
            for peer in peers:
                await peer.start(net)
                truth.node_up(peer.host, trio.current_time())
            await trio.sleep(NEWS)
            self._eyes, self._peers, self._truth, self._oracle = eyes, peers, truth, oracle
            await self._pass(net)
            net.cancel_scope.cancel()
        for agent in (eyes, *peers):
            if agent.complaints.texts:
                raise Wrong(f"{agent.name} complained: {agent.complaints.texts[0]}")

    async def _pass(self, net: trio.Nursery) -> None:
        """Let the day pass, then let everybody go and look at what is left."""
        plan, report = self._plan, self._report
        names = tuple(agent.name for agent in (self._eyes, *self._peers))
        stream = Random(self._random.getrandbits(64))
        clients = Clients(
            self._wires, self._eyes, self._truth, self._oracle,
            Readings(self._oracle, names), stream, plan.pace,
        )  # fmt: skip
        rude = Rude(clients)
        workload = Workload(
            self._peers, self._truth, Random(self._random.getrandbits(64)), plan.gap, net
        )
        books = Books(self._services, self._wires)
        base = len(os.listdir("/proc/self/fd")) - 1
        tasks = await _tasks()
        tellers = (
            *[clients.poll] * plan.pollers,
            *[clients.block] * plan.blockers,
            *[clients.block_by_hash] * plan.hashers,
            *[clients.follow] * plan.followers,
            *[rude.run] * plan.rude,
            *[clients.resolve] * plan.resolvers,
            clients.monitor,
        )
        async with trio.open_nursery() as visitors:
            for number in range(3):
                visitors.start_soon(clients.write, number)
            for teller in tellers:
                visitors.start_soon(teller)
            visitors.start_soon(workload.run)
            await self._hours(net, books, base)
            visitors.cancel_scope.cancel()
        await trio.sleep(HOUR)  # until those who are away are back
        if self._wires.open:
            raise Leak(f"{len(self._wires.open)} clients never ended")
        await books.compare(base)
        for _ in range(10):  # push/pulls come and go
            if (left := await _tasks()) <= tasks:
                break
            await trio.sleep(1.0)
        else:
            raise Leak(f"{left} tasks, {tasks} in the beginning")
        self._tell(rude, workload, books)
        if self._oracle.judged["held"] == 0 and report.requests > 1000:
            raise Wrong("nothing was held")

    async def _hours(self, net: trio.Nursery, books: Books, base: int) -> None:
        plan, began = self._plan, trio.current_time()
        steps = max(4, round(plan.hours))
        renewals = {round(steps * n / plan.lives) for n in range(1, plan.lives)}
        for step in range(1, steps + 1):
            await trio.sleep_until(began + plan.hours * HOUR * step / steps)
            await books.compare(base)
            self._truth.forget(trio.current_time())
            self._memory.look(closely=step in (steps // 4, steps))
            if step in renewals:
                await self._eyes.kill()
                self._truth.eyes_anew(trio.current_time(), HEAL)
                await trio.sleep(3.0)
                await self._eyes.start(net)
                self._services[:] = self._services[-1:]

    def _tell(self, rude: Rude, workload: Workload, books: Books) -> None:
        report, oracle, memory = self._report, self._oracle, self._memory
        report.requests = self._wires.requests
        report.judged, report.items = oracle.judged, oracle.items
        report.woken, report.woken_in_vain = oracle.woken, oracle.woken_in_vain
        report.waited_out = oracle.waited_out
        report.events, report.rude = workload.done, rude.done
        report.looks, report.held_most = books.looks, books.held_most
        report.blocks = memory.blocks
        report.grown, report.grew_most = memory.growth(), memory.grew_most()


async def _tasks() -> int:
    await trio.testing.wait_all_tasks_blocked()
    return trio.lowlevel.current_statistics().tasks_living


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
