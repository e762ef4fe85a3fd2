"""What asking and watching cost one daemon: lookups a second, watchers at rest and told.

Lookups are asked by programs that only tell where an answer ends, so that the
daemon is measured; what one Python client makes of them stands beside.

What watchers at rest cost is a few tenths of a millisecond a second, less than a busy machine
adds to any daemon. So the daemon that is watched is compared with its neighbour, which knows
the same, within the same window; windows hold the same number of push/pulls; and they are
watched in turn, so that whatever else makes one dearer than the other cancels out.
"""

from __future__ import annotations

import math
import multiprocessing
import resource
import select
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from bench.fleet import Fleet
from bench.usage import processor_seconds, resident_mb
from gossipd.client.blocking import Client
from gossipd.value import Value
from support.agents import GOSSIPD, AgentProcess
from support.rpc_probe import RpcProbe

SERVICES, INSTANCES = 50, 20
LOOKUPS, ASKERS = 20_000, 2
CHANGES = 20
WATCHERS = 1_000
REST_SECONDS = 30.0
"""One push/pull of each daemon, whenever it begins: so often they come (profile ``lan``)."""
REST_ROUNDS = 5
SETTLE_SECONDS = 5.0


class Load(Value, kw_only=True):
    """What was measured."""

    lookups_per_second: float
    """Of ``ASKERS`` programs that ask again and again."""
    lookup_p99: float
    """Seconds."""
    lookup_cpu: float
    """Seconds of the daemon's processor time for each."""
    client_lookups_per_second: float
    """What one ``Client`` reads as values, beside."""
    members_per_second: float
    """What ``members`` of the same daemon gives to the same client, beside."""
    idle_cpu: float
    """Share of a CPU that a daemon takes without watchers, median."""
    watched_ratios: tuple[float, ...]
    """How many times that one with watchers takes, a figure for each round."""
    watcher_bytes: float
    """Memory of the daemon for each of them."""
    told_all: float
    """Seconds from a change until the last of them has it, median."""


def measure_load(folder: Path, say: Callable[[str], None]) -> Load:
    """Fill one daemon's catalog, ask it, then have it watched."""
    nofile = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (nofile[1], nofile[1]))
    fleet = Fleet(GOSSIPD, 2, folder)
    try:
        fleet.start()
        fleet.join_at_once()
        agent, neighbour = fleet.agents
        _fill(agent)
        time.sleep(SETTLE_SECONDS)
        rate, p99, cost = _look_up(agent)
        say(f"{rate:.0f} lookups a second, p99 {1000 * p99:.2f} ms")
        by_client = _look_up_by_client(agent)
        members = _members(agent)
        before = resident_mb(agent.pid)
        watchers = [_watcher(agent, number) for number in range(WATCHERS)]
        time.sleep(SETTLE_SECONDS)
        per_watcher = 1e6 * (resident_mb(agent.pid) - before) / WATCHERS
        for watcher in watchers:
            watcher.close()
        told_all = _tell_all(agent)
        idle, ratios = _watched_at_rest(agent, neighbour)
        told = ", ".join(f"{ratio:.3f}" for ratio in ratios)
        say(f"{WATCHERS} watchers: {per_watcher:.0f} bytes each, CPU {told} times {idle:.4f}")
        return Load(
            lookups_per_second=rate,
            lookup_p99=p99,
            lookup_cpu=cost,
            client_lookups_per_second=by_client,
            members_per_second=members,
            idle_cpu=idle,
            watched_ratios=ratios,
            watcher_bytes=per_watcher,
            told_all=told_all,
        )
    finally:
        fleet.close()


def _fill(agent: AgentProcess) -> None:
    with agent.rpc() as probe:
        for number in range(SERVICES * INSTANCES):
            service = {
                "name": f"service-{number % SERVICES}",
                "id": f"instance-{number}",
                "port": 1024 + number,
                "tags": ["v1", "blue"],
                "meta": {"version": "1.2.3"},
            }
            while True:
                try:
                    probe.call("service-register", {"Service": service})
                    break
                except OSError:
                    time.sleep(0.2)  # the owner's rate is bounded


def _look_up(agent: AgentProcess) -> tuple[float, float, float]:
    """Return lookups a second, the slowest of a hundred, and what one costs the daemon."""
    times: multiprocessing.Queue[list[float]] = multiprocessing.Queue()
    asking = [
        multiprocessing.Process(target=_ask, args=(agent.options.rpc, LOOKUPS // ASKERS, times))
        for _ in range(ASKERS)
    ]
    before, began = processor_seconds(agent.pid), time.perf_counter()
    for one in asking:
        one.start()
    taken = [seconds for _ in asking for seconds in times.get()]
    for one in asking:
        one.join()
    rate = len(taken) / (time.perf_counter() - began)
    cost = (processor_seconds(agent.pid) - before) / len(taken)
    return rate, statistics.quantiles(taken, n=100)[98], cost


def _ask(where: str, count: int, times: multiprocessing.Queue[list[float]]) -> None:
    taken = []
    with RpcProbe(where) as probe:
        for number in range(count):
            began = time.perf_counter()
            probe.call_unread("service", {"Name": f"service-{number % SERVICES}"})
            taken.append(time.perf_counter() - began)
    times.put(taken)


def _look_up_by_client(agent: AgentProcess) -> float:
    with Client(agent.options.rpc) as client:
        began = time.perf_counter()
        for number in range(LOOKUPS // 4):
            view = client.service(f"service-{number % SERVICES}")
            assert len(view.instances) == INSTANCES
        return LOOKUPS // 4 / (time.perf_counter() - began)


def _members(agent: AgentProcess) -> float:
    with Client(agent.options.rpc) as client:
        began = time.perf_counter()
        for _ in range(LOOKUPS // 4):
            client.members()
        return LOOKUPS // 4 / (time.perf_counter() - began)


def _watcher(agent: AgentProcess, number: int) -> RpcProbe:
    probe = agent.rpc()
    probe.call("service-watch", {"Name": f"service-{number % SERVICES}"})
    return probe


def _tell_all(agent: AgentProcess) -> float:
    """Return how long a change takes to be with ``WATCHERS`` watchers of one service."""
    watchers = [_watcher(agent, 0) for _ in range(WATCHERS)]
    for watcher in watchers:
        for _ in ("header", "set"):
            watcher.read_object()
    poll = select.poll()
    by_number = {watcher.fileno(): watcher for watcher in watchers}
    for number in by_number:
        poll.register(number, select.POLLIN)
    spans = []
    with agent.rpc() as probe:
        for change in range(CHANGES):
            service = {"name": "service-0", "id": "changing", "port": 1024 + change}
            began = time.perf_counter()
            probe.call("service-register", {"Service": service})
            left = set(by_number)
            while left:
                for number, _ in poll.poll():
                    by_number[number].take_bytes()
                    left.discard(number)
            spans.append(time.perf_counter() - began)
    for watcher in watchers:
        watcher.close()
    return statistics.median(spans)


def _watched_at_rest(one: AgentProcess, other: AgentProcess) -> tuple[float, tuple[float, ...]]:
    """Return what a daemon takes at rest unwatched, and the ratios of watched ones to it.

    A round is a window in which ``one`` is watched and one in which ``other`` is; its ratio
    is the geometric mean of both.
    """
    idle, ratios = [], []
    for _ in range(REST_ROUNDS):
        found = []
        for watched, unwatched in ((one, other), (other, one)):
            watchers = [_watcher(watched, number) for number in range(WATCHERS)]
            time.sleep(SETTLE_SECONDS)
            with_them, without = _cpu_at_rest(watched, unwatched)
            for watcher in watchers:
                watcher.close()
            idle.append(without)
            found.append(with_them / without)
        ratios.append(math.sqrt(math.prod(found)))
    return statistics.median(idle), tuple(ratios)


def _cpu_at_rest(*agents: AgentProcess) -> list[float]:
    """Return the share of a CPU that each of ``agents`` takes, in the same window."""
    before = [processor_seconds(agent.pid) for agent in agents]
    time.sleep(REST_SECONDS)
    after = [processor_seconds(agent.pid) for agent in agents]
    return [(b - a) / REST_SECONDS for a, b in zip(before, after, strict=True)]
