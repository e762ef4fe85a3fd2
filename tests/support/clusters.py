"""A cluster of real agents for one test: start many, ask all, end every one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from gossipd_sim.real.loopback import LoopbackRange
from support.agents import GOSSIPD, SERF, AgentKind, AgentOptions, AgentProcess
from support.waiting import NotInTime, wait_for

GOSSIP_PORT = 7946
RPC_PORT = 7373
PUSH_PULL_SECONDS = 65.0
"""How long to wait for anything that gossip tells: by now a started node has done its first
push/pull, which comes after 30 to 60 s.

Gossip alone may miss a node: up to nine nodes, of either kind, send a claim four times each, to
random members. Among seven that join one after another somebody lacks a member in one case of
thirty, and in one of ten if the last three come at once through different seeds: whoever gossips
may be done with a claim before it hears of a newcomer. Only the next push/pull mends that.
"""

TROUBLE = re.compile(r"\[(WARN|ERR)\]")


class Cluster:
    """Agents on loopback addresses of their own; ``close`` ends all of them.

    Args:
        folder: where logs and sockets go.
        settings: options that every agent of this cluster gets.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        self._folder = folder
        self._range = LoopbackRange()
        self.settings = settings
        self.agents: list[AgentProcess] = []

    def next_host(self) -> str:
        """Return a loopback address that no agent of this cluster has."""
        return self._range.next_host()

    def prepare(self, kind: AgentKind, name: str = "", **settings: Any) -> AgentProcess:
        """Return an agent that is not started yet; ``settings`` go over the cluster's."""
        host = self._range.next_host()
        count = sum(agent.kind is kind for agent in self.agents)
        merged: dict[str, Any] = {
            "name": name or f"{kind.name[0]}{count + 1}",
            "bind": f"{host}:{GOSSIP_PORT}",
            "rpc": f"{host}:{RPC_PORT}",
            "folder": self._folder,
            **self.settings,
            **settings,
        }
        return self.adopt(AgentProcess(kind, AgentOptions(**merged)))

    def adopt(self, agent: AgentProcess) -> AgentProcess:
        """Take ``agent`` over: it is ended with the cluster."""
        self.agents.append(agent)
        return agent

    def start(self, serf: int = 0, gossipd: int = 0, **settings: Any) -> list[AgentProcess]:
        """Start agents side by side, not joined, and wait until all answer."""
        kinds: list[AgentKind] = [SERF] * serf + [GOSSIPD] * gossipd
        started = [self.prepare(kind, **settings) for kind in kinds]
        for agent in started:
            agent.spawn()
        for agent in started:
            agent.wait_until_up()
        return started

    def of(self, kind: AgentKind) -> list[AgentProcess]:
        """Return the running agents of ``kind``, in start order."""
        return [agent for agent in self.agents if agent.kind is kind and agent.is_running]

    @property
    def running(self) -> list[AgentProcess]:
        """The agents that run now, in start order."""
        return [agent for agent in self.agents if agent.is_running]

    def join_all(self, through: AgentProcess | None = None) -> None:
        """Let every running agent join ``through``, by default the first."""
        seed = through if through is not None else self.running[0]
        for agent in self.running:
            if agent is not seed:
                with agent.rpc() as probe:
                    assert probe.join(seed.options.bind) == 1

    def wait_for_statuses(
        self,
        expected: Mapping[str, str],
        timeout: float,
        among: Iterable[AgentProcess] | None = None,
    ) -> None:
        """Wait until each of ``among`` (all running) lists exactly ``expected``."""
        waiting = list(self.running if among is None else among)

        def all_agree() -> bool:
            while waiting:
                if waiting[0].statuses() != expected:
                    return False
                waiting.pop(0)
            return True

        def different() -> dict[str, dict[str, str]]:
            return {repr(agent): agent.statuses() for agent in waiting}

        wait_for(all_agree, timeout, f"{dict(expected)} at {waiting}", seen=different)

    def wait_until_all_alive(self, timeout: float = 5.0) -> None:
        """Wait until every running agent lists all running agents, and no other, as alive."""
        self.wait_for_statuses({agent.name: "alive" for agent in self.running}, timeout)

    def wait_until_all_met(self, timeout: float = 5.0) -> None:
        """As ``wait_until_all_alive`` after joins, but forgive what gossip leaves to chance.

        Four copies of a claim go to random members: one time in a hundred somebody
        of six nodes, whatever their kind, is not among the receivers and waits for
        the next push/pull. A sixth of what is to be known may come that late.
        """
        expected = {agent.name: "alive" for agent in self.running}
        try:
            self.wait_for_statuses(expected, timeout)
        except NotInTime:
            known = [agent.statuses().items() & expected.items() for agent in self.running]
            missing = len(expected) ** 2 - sum(map(len, known))
            if missing > len(expected) ** 2 // 6:
                raise
            self.wait_for_statuses(expected, PUSH_PULL_SECONDS)

    def wait_until_shown(self, name: str, status: str, timeout: float) -> None:
        """Wait until every running agent shows ``name`` with ``status``."""
        waiting = self.running

        def shown() -> bool:
            while waiting:
                if waiting[0].statuses().get(name) != status:
                    return False
                waiting.pop(0)
            return True

        def instead() -> dict[str, str | None]:
            return {repr(agent): agent.statuses().get(name) for agent in waiting}

        wait_for(shown, timeout, f"{name} shown as {status} everywhere", seen=instead)

    def close(self) -> None:
        """End every agent and give the addresses back."""
        for agent in self.agents:
            agent.end()
        self._range.close()


NewCluster: TypeAlias = Callable[..., Cluster]
"""Makes a cluster with the given settings; the fixture ``new_cluster`` is one."""


def trouble_since(agents: Sequence[AgentProcess], marks: Mapping[str, int]) -> list[str]:
    """Return warnings and errors in the logs after ``marks``, lengths by agent's name."""
    return [
        f"{agent!r}: {line}"
        for agent in agents
        for line in agent.log()[marks.get(agent.name, 0) :].splitlines()
        if TROUBLE.search(line)
    ]


def log_marks(agents: Sequence[AgentProcess]) -> dict[str, int]:
    """Return how long each agent's log is now, by name."""
    return {agent.name: len(agent.log()) for agent in agents}
