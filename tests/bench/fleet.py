"""Many agents of one kind: started together, joined at once, watched while some are killed."""

from __future__ import annotations

import re
import selectors
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from support.agents import AgentKind, AgentProcess
from support.clusters import Cluster
from support.rpc_probe import RpcProbe
from support.waiting import NotInTime

FAILED = re.compile(r"EventMemberFailed: (\S+)")
CONVERGENCE_TIMEOUT = 180.0
DETECTION_TIMEOUT = 90.0


class Fleet:
    """``count`` running agents of ``kind``; ends every process on ``close``."""

    def __init__(
        self, kind: AgentKind, count: int, folder: Path, *, more: Sequence[str] = ()
    ) -> None:
        self.kind = kind
        self._cluster = Cluster(folder, log_level="info", more=more)
        self.agents = [self._cluster.prepare(kind, f"node-{number:03}") for number in range(count)]
        self.prefix = self.agents[0].options.bind.rpartition(".")[0]

    def start(self) -> float:
        """Start all; returns the seconds until every one answers."""
        started = time.monotonic()
        for agent in self.agents:
            agent.spawn()
        for agent in self.agents:
            agent.wait_until_up(60.0)
        return time.monotonic() - started

    def join_at_once(self) -> list[float]:
        """Tell all to join the first.

        Returns:
            For each agent, in the order in which they got there, the seconds
            until it listed all as alive.
        """
        seed = self.agents[0].options.bind
        joiners = [agent.rpc(timeout=60.0) for agent in self.agents[1:]]
        readers = [agent.rpc(timeout=60.0) for agent in self.agents]
        times: list[float] = []
        try:
            started = time.monotonic()
            for joiner in joiners:
                joiner.send("join", {"Existing": [seed], "Replay": False})
            while readers:
                for reader in list(readers):
                    if self._lists_all(reader):
                        times.append(time.monotonic() - started)
                        readers.remove(reader)
                        reader.close()
                if time.monotonic() - started > CONVERGENCE_TIMEOUT:
                    raise NotInTime(f"{len(readers)} {self.kind.name} agents do not list all")
                time.sleep(0.02)
            return times
        finally:
            for probe in joiners + readers:
                probe.close()

    def _lists_all(self, reader: RpcProbe) -> bool:
        statuses = reader.statuses()
        return len(statuses) == len(self.agents) and set(statuses.values()) == {"alive"}

    def close(self) -> None:
        """End every agent."""
        self._cluster.close()


class Watch:
    """Follows the logs of all running agents of a fleet through their monitors."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._probes: dict[str, RpcProbe] = {}
        self._selector = selectors.DefaultSelector()
        self.killed: set[str] = set()
        self.wrongly_failed: list[tuple[str, str]] = []
        """Who said of whom, though that node was alive."""
        self._seen: dict[str, dict[str, float]] = {}
        for agent in fleet.agents:
            probe = agent.rpc()
            probe.follow_log("INFO")
            self._probes[agent.name] = probe
            self._selector.register(probe, selectors.EVENT_READ, agent.name)
        self.listen(0.5, lambda: False)

    def listen(self, seconds: float, enough: Callable[[], bool]) -> None:
        """Take in log lines for ``seconds``, or until ``enough`` says so."""
        deadline = time.monotonic() + seconds
        while not enough() and (left := deadline - time.monotonic()) > 0:
            for key, _ in self._selector.select(min(left, 0.1)):
                self._read(str(key.data))

    def _read(self, watcher: str) -> None:
        now = time.monotonic()
        try:
            records = self._probes[watcher].ready_records()
        except OSError:
            self._drop(watcher)
            return
        for record in records:
            if found := FAILED.search(str(record.get("Log", ""))):
                node = found[1]
                if node in self.killed:
                    self._seen[node].setdefault(watcher, now)
                else:
                    self.wrongly_failed.append((watcher, node))

    def _drop(self, watcher: str) -> None:
        probe = self._probes.pop(watcher)
        self._selector.unregister(probe)
        probe.close()

    def kill(self, victim: AgentProcess) -> tuple[float, float]:
        """Kill ``victim``; returns seconds until the first and until the last saw it.

        Raises:
            NotInTime: somebody did not notice.
        """
        self._drop(victim.name)
        self.killed.add(victim.name)
        seen = self._seen[victim.name] = {}
        started = time.monotonic()
        victim.kill()
        self.listen(DETECTION_TIMEOUT, lambda: len(seen) >= len(self._probes))
        missing = set(self._probes) - set(seen)
        if missing:
            raise NotInTime(f"{sorted(missing)} did not notice that {victim.name} was killed")
        return min(seen.values()) - started, max(seen.values()) - started

    def close(self) -> None:
        """Stop watching."""
        for watcher in list(self._probes):
            self._drop(watcher)
        self._selector.close()
