"""The time of whole commands, of a round trip over the socket, and of a daemon's start."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.crowd import announce
from bench.usage import duration, interleaved_medians, memory_of_imports, resident_mb
from gossipd.value import Value
from support.agents import SERF, AgentKind, AgentProcess, GossipdKind, agent_environment
from support.clusters import Cluster
from support.rpc_probe import RpcProbe
from support.waiting import wait_for

CROWD = 1000
ROUND_TRIPS = 200
SCRIPT = "import sys\nfrom gossipd_cli.main import main\nsys.exit(main())\n"
"""What an installer writes as the command ``gossipd``."""


class CommandTimes(Value):
    """Medians in seconds; memory in megabytes."""

    python_nothing: float
    python_import_trio: float
    imports_rss_mb: float
    lone_rss_mb: float
    start_to_answer: dict[str, float]
    """By kind, until the local socket (Serf: its RPC) answers ``members``."""
    members_command: dict[str, float]
    members_round_trip: dict[str, float]
    members_command_1000: dict[str, float]
    members_round_trip_1000: dict[str, float]


def measure_commands(folder: Path, rounds: int, say: Callable[[str], None]) -> CommandTimes:
    """Measure with one agent of each kind; every process has ended when it returns."""
    environment = agent_environment()
    script = folder / "gossipd-command.py"
    script.write_text(SCRIPT, encoding="utf-8")
    kinds: list[AgentKind] = [SERF, GossipdKind((sys.executable, str(script)))]
    nothing, trio = interleaved_medians(
        [
            lambda: duration([sys.executable, "-c", ""], environment),
            lambda: duration([sys.executable, "-c", "import trio"], environment),
        ],
        rounds,
        warm_up=2,
    )
    starts = _starts(kinds, folder, script, max(3, rounds // 2))
    say(f"start to answer: {_show(starts)}")
    cluster = Cluster(folder, log_level="warn")
    try:
        agents = [
            AgentUnderTest(cluster.prepare(kind, f"lone-{kind.name}"), script) for kind in kinds
        ]
        for agent in agents:
            agent.process.start()
        time.sleep(2.0)
        lone_rss = resident_mb(agents[1].process.pid)
        small = _members(agents, rounds)
        say(f"members, one member: {_show(small[0])}")
        for agent in agents:
            announce(agent.process.options.bind, CROWD)
        for agent in agents:
            wait_for(agent.lists_crowd, 30.0, f"{CROWD} members at {agent.process!r}")
        time.sleep(5.0)  # until the first claims about the crowd have been gossiped
        large = _members(agents, rounds)
        say(f"members, {CROWD} members: {_show(large[0])}")
    finally:
        cluster.close()
    return CommandTimes(
        nothing, trio, memory_of_imports("trio, msgpack"), lone_rss, starts, *small, *large
    )


class AgentUnderTest:
    """One agent, and how its ``members`` is asked for."""

    def __init__(self, process: AgentProcess, script: Path) -> None:
        self.process = process
        self.kind = process.kind.name
        self._environment = agent_environment()
        options = process.options
        self.where = str(options.socket) if self.kind == "gossipd" else options.rpc
        self._words = (
            [sys.executable, str(script), "members", "--socket", self.where]
            if self.kind == "gossipd"
            else ["serf", "members", "-rpc-addr", self.where]
        )

    def lists_crowd(self) -> bool:
        """Say whether the daemon has taken in the crowd."""
        return len(self.process.statuses()) > CROWD

    def command(self) -> float:
        """Return the seconds of one whole ``members`` command."""
        return duration(self._words, self._environment)

    def round_trip(self) -> float:
        """Return the mean seconds of a ``members`` request on an open connection."""
        with RpcProbe(self.where) as probe:
            probe.members()
            started = time.perf_counter()
            for _ in range(ROUND_TRIPS):
                probe.send("members")
                probe.read_object()
                probe.read_object()
            return (time.perf_counter() - started) / ROUND_TRIPS


def _members(
    agents: list[AgentUnderTest], rounds: int
) -> tuple[dict[str, float], dict[str, float]]:
    kinds = [agent.kind for agent in agents]
    commands = interleaved_medians([agent.command for agent in agents], rounds)
    trips = interleaved_medians([agent.round_trip for agent in agents], 3)
    return dict(zip(kinds, commands, strict=True)), dict(zip(kinds, trips, strict=True))


def _starts(kinds: list[AgentKind], folder: Path, script: Path, rounds: int) -> dict[str, float]:
    looks = [partial(_start_to_answer, kind, folder, script) for kind in kinds]
    values = interleaved_medians(looks, rounds)
    return dict(zip((kind.name for kind in kinds), values, strict=True))


def _start_to_answer(kind: AgentKind, folder: Path, script: Path) -> float:
    cluster = Cluster(folder, log_level="warn")
    try:
        agent = AgentUnderTest(cluster.prepare(kind, "starter"), script)
        started = time.perf_counter()
        agent.process.spawn()
        while True:
            try:
                with RpcProbe(agent.where) as probe:
                    probe.members()
                    return time.perf_counter() - started
            except OSError:
                if time.perf_counter() - started > 20.0:
                    raise
                time.sleep(0.001)
    finally:
        cluster.close()


def _show(values: dict[str, float]) -> str:
    return ", ".join(f"{kind} {value * 1000:.1f} ms" for kind, value in values.items())
