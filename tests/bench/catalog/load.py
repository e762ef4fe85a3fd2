"""What asking and watching cost one daemon: lookups a second, and watchers at rest."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from bench.fleet import Fleet
from gossipd.client.blocking import Client
from gossipd.value import Value
from support.agents import GOSSIPD, AgentProcess
from support.rpc_probe import RpcProbe

SERVICES, INSTANCES = 50, 20
LOOKUPS = 20_000
WATCHERS = 1_000
REST_SECONDS = 20.0
SETTLE_SECONDS = 5.0
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Load(Value, kw_only=True):
    """What was measured."""

    lookups_per_second: float
    lookup_p99: float
    """Seconds, of one client that asks again and again."""
    members_per_second: float
    """What ``members`` of the same daemon gives to the same client, beside."""
    idle_cpu: float
    """Share of a CPU that the daemon takes without watchers."""
    watched_cpu: float
    """The same with them."""
    watcher_bytes: float
    """Memory of the daemon for each of them."""


def measure_load(folder: Path, say: Callable[[str], None]) -> Load:
    """Fill one daemon's catalog, ask it, then have it watched."""
    nofile = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (nofile[1], nofile[1]))
    fleet = Fleet(GOSSIPD, 2, folder)
    try:
        fleet.start()
        fleet.join_at_once()
        agent = fleet.agents[0]
        _fill(agent)
        time.sleep(SETTLE_SECONDS)
        rate, p99 = _look_up(agent)
        say(f"{rate:.0f} lookups a second, p99 {1000 * p99:.2f} ms")
        members = _members(agent)
        idle = _cpu_at_rest(agent)
        before = _resident(agent)
        watchers = [_watcher(agent, number) for number in range(WATCHERS)]
        time.sleep(SETTLE_SECONDS)
        per_watcher = (_resident(agent) - before) / WATCHERS
        watched = _cpu_at_rest(agent)
        for watcher in watchers:
            watcher.close()
        say(f"{WATCHERS} watchers: {per_watcher:.0f} bytes each, CPU {watched:.4f} ({idle:.4f})")
        return Load(
            lookups_per_second=rate,
            lookup_p99=p99,
            members_per_second=members,
            idle_cpu=idle,
            watched_cpu=watched,
            watcher_bytes=per_watcher,
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


def _look_up(agent: AgentProcess) -> tuple[float, float]:
    times: list[float] = []
    with Client(agent.options.rpc) as client:
        began = time.perf_counter()
        for number in range(LOOKUPS):
            before = time.perf_counter()
            view = client.service(f"service-{number % SERVICES}")
            times.append(time.perf_counter() - before)
            assert len(view.instances) == INSTANCES
        rate = LOOKUPS / (time.perf_counter() - began)
    return rate, statistics.quantiles(times, n=100)[98]


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


def _cpu_at_rest(agent: AgentProcess) -> float:
    before = _cpu_seconds(agent)
    time.sleep(REST_SECONDS)
    return (_cpu_seconds(agent) - before) / REST_SECONDS


def _cpu_seconds(agent: AgentProcess) -> float:
    fields = Path(f"/proc/{agent.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _resident(agent: AgentProcess) -> int:
    return int(Path(f"/proc/{agent.pid}/statm").read_text().split()[1]) * _PAGE
