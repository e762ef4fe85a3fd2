"""How soon every daemon's watchers know: of a registration, of a dead provider, of a dead daemon.

One program reads the watches of all daemons through a selector, so what
reading costs is the same for all of them. A change counts when its record
arrived. What a daemon needed from knowing to telling is in the record's age.
"""

from __future__ import annotations

import contextlib
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.fleet import Fleet
from bench.usage import waited_seconds
from gossipd.value import Value
from support.agents import GOSSIPD, AgentProcess, agent_environment
from support.rpc_probe import RpcProbe

SERVICE = "web"
PAUSE = 1.0
"""Seconds between two registrations, so that none rides on another's packets."""
TIMEOUT = 45.0
DETECTION_TIMEOUT = 90.0
SETTLE_SECONDS = 12.0
"""After the joins, until their claims are not sent any more."""
PROVIDER = """
import sys, time
from gossipd.client.blocking import Client
with Client(sys.argv[1]) as client, client.register("web", id=sys.argv[2], port=8080):
    print("up", flush=True)
    time.sleep(600)
"""
"""A provider that holds its registration by its connection, until it is killed."""


class SpreadPlan(Value):
    """How much is done among how many."""

    nodes: int = 100
    registrations: int = 30
    provider_kills: int = 10
    daemon_kills: int = 5


class Spread(Value, kw_only=True):
    """What was measured; seconds."""

    nodes: int
    reached: tuple[float, ...]
    """From a registration until one daemon told its watcher, for all of both."""
    told: tuple[float, ...]
    """From a daemon's knowing until its watcher was told, as its record says; in the order of
    registrations."""
    waited: tuple[float, ...]
    """For each of these, for how long the daemon waited for a processor from the registration
    until its record was read: what of ``told`` is the machine's."""
    missed: int
    gone_here: tuple[float, ...]
    """From the kill of a provider until its own daemon told that it is gone."""
    gone_everywhere: tuple[float, ...]
    """The same for all daemons."""
    doubted: tuple[float, ...]
    """From the kill of a daemon until the first watcher was told that its service is doubtful."""
    critical: tuple[float, ...]
    """From there until each watcher was told that it is critical or gone."""
    still_passing: int
    """Records that called it passing after the detection at the same daemon."""


class Watches:
    """A watch of one service at every daemon of a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._selector = selectors.DefaultSelector()
        self.probes: dict[str, RpcProbe] = {}
        for agent in fleet.agents:
            probe = agent.rpc()
            probe.call("service-watch", {"Name": SERVICE})
            self.probes[agent.name] = probe
            self._selector.register(probe, selectors.EVENT_READ, agent.name)
        self.drain()

    def records(self, seconds: float) -> Iterator[tuple[str, dict[str, Any], float]]:
        """Yield watcher, record and time of arrival, for ``seconds``."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for key, _ in self._selector.select(min(left, 0.1)):
                now = time.monotonic()
                name = str(key.data)
                try:
                    ready = self.probes[name].ready_records()
                except OSError:
                    self.drop(name)
                    continue
                for record in ready:
                    yield name, record, now

    def drain(self, seconds: float = 0.5) -> None:
        """Take in what has arrived."""
        for _ in self.records(seconds):
            pass

    def drop(self, name: str) -> None:
        """Watch at that daemon no more."""
        probe = self.probes.pop(name, None)
        if probe is not None:
            self._selector.unregister(probe)
            probe.close()

    def close(self) -> None:
        """End all watches."""
        for name in list(self.probes):
            self.drop(name)
        self._selector.close()


def measure_spread(plan: SpreadPlan, folder: Path, say: Callable[[str], None]) -> Spread:
    """Start a fleet, and register and kill."""
    fleet = Fleet(GOSSIPD, plan.nodes, folder)
    try:
        fleet.start()
        fleet.join_at_once()
        time.sleep(SETTLE_SECONDS)
        say(f"{plan.nodes} daemons are up")
        watches = Watches(fleet)
        try:
            reached, told, waited, missed = _register(plan, fleet, watches)
            say(f"{plan.registrations} registrations told")
            here, everywhere, lost = _kill_providers(plan, fleet, watches)
            say(f"{plan.provider_kills} providers killed")
            doubted, critical, passing = _kill_daemons(plan, fleet, watches)
        finally:
            watches.close()
        return Spread(
            nodes=plan.nodes,
            reached=tuple(reached),
            told=tuple(told),
            waited=tuple(waited),
            missed=missed + lost,
            gone_here=tuple(here),
            gone_everywhere=tuple(everywhere),
            doubted=tuple(doubted),
            critical=tuple(critical),
            still_passing=passing,
        )
    finally:
        fleet.close()


def _register(
    plan: SpreadPlan, fleet: Fleet, watches: Watches
) -> tuple[list[float], list[float], list[float], int]:
    reached: list[float] = []
    told: list[float] = []
    waited: list[float] = []
    missed = 0
    pids = {agent.name: agent.pid for agent in fleet.agents}
    for number in range(plan.registrations):
        name = f"web-{number}"
        owner = fleet.agents[number * 37 % len(fleet.agents)]
        with owner.rpc() as provider:
            before = {watcher: waited_seconds(pids[watcher]) for watcher in watches.probes}
            began = time.monotonic()
            provider.send(
                "service-register",
                {"Service": {"name": SERVICE, "id": name, "port": 8000 + number}, "Held": False},
            )
            waiting = set(watches.probes)
            for watcher, record, at in watches.records(TIMEOUT):
                if _is_of(record, name) and watcher in waiting:
                    waiting.discard(watcher)
                    reached.append(at - began)
                    told.append(float(record["Instance"]["Age"]))
                    waited.append(waited_seconds(pids[watcher]) - before[watcher])
                if not waiting:
                    break
            missed += len(waiting)
        time.sleep(PAUSE)
        watches.drain(0.1)
    return reached, told, waited, missed


def _kill_providers(
    plan: SpreadPlan, fleet: Fleet, watches: Watches
) -> tuple[list[float], list[float], int]:
    here: list[float] = []
    everywhere: list[float] = []
    missed = 0
    for number in range(plan.provider_kills):
        name = f"held-{number}"
        owner = fleet.agents[(number * 31 + 5) % len(fleet.agents)]
        with _provider(owner, name) as process:
            time.sleep(PAUSE)
            watches.drain(0.2)
            began = time.monotonic()
            process.kill()
            waiting = set(watches.probes)
            for watcher, record, at in watches.records(TIMEOUT):
                if _is_of(record, name) and _is_out(record) and watcher in waiting:
                    waiting.discard(watcher)
                    everywhere.append(at - began)
                    if watcher == owner.name:
                        here.append(at - began)
                if not waiting:
                    break
            missed += len(waiting)
    return here, everywhere, missed


def _kill_daemons(
    plan: SpreadPlan, fleet: Fleet, watches: Watches
) -> tuple[list[float], list[float], int]:
    doubted: list[float] = []
    critical: list[float] = []
    still_passing = 0
    for number in range(plan.daemon_kills):
        name = f"doomed-{number}"
        owner = fleet.agents[-1 - number]
        with owner.rpc() as provider:
            provider.call("service-register", {"Service": {"name": SERVICE, "id": name}})
        time.sleep(PAUSE)
        watches.drop(owner.name)
        watches.drain(0.2)
        began = time.monotonic()
        owner.kill()
        waiting, first = set(watches.probes), 0.0
        for watcher, record, at in watches.records(DETECTION_TIMEOUT):
            if not _is_of(record, name):
                continue
            if _is_out(record):
                if watcher in waiting:
                    waiting.discard(watcher)
                    critical.append(at - began)
            elif watcher not in waiting:
                still_passing += 1
            elif record["Instance"].get("Doubtful") and not first:
                first = at - began
                doubted.append(first)
            if not waiting:
                break
    return doubted, critical, still_passing


@contextlib.contextmanager
def _provider(owner: AgentProcess, name: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROVIDER, owner.options.rpc, name]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=agent_environment())
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "up\n":
            raise RuntimeError("the provider did not register")
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _is_of(record: dict[str, Any], service: str) -> bool:
    instance = record.get("Instance")
    return isinstance(instance, dict) and bool(instance["Service"]["id"] == service)


def _is_out(record: dict[str, Any]) -> bool:
    return record["Kind"] == "down" or bool(record["Instance"]["Status"] != "passing")
