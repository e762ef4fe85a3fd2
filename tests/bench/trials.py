"""One trial: a fleet of one kind through start, join, rest and several failures."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.capture import Capture, Traffic
from bench.fleet import Fleet, Watch
from bench.usage import processor_seconds, resident_mb
from gossipd.value import Value
from support.agents import AgentKind
from support.clusters import GOSSIP_PORT

SETTLE_SECONDS = 10.0
"""Between the join and the rest, so that claims have stopped being sent."""
FAILURE_SECONDS = 15.0
"""Shortest time for which a failure's traffic is counted."""


class Plan(Value):
    """How large a trial is."""

    nodes: int
    idle_seconds: float
    kills: int


class Trial(Value):
    """What one trial measured; times in seconds."""

    kind: str
    nodes: int
    start: float
    convergence: tuple[float, ...]
    """When each agent listed all as alive, the first to the last."""
    first_detection: tuple[float, ...]
    full_detection: tuple[float, ...]
    wrongly_failed: int
    idle_cpu_ms: float
    """Processor time of the median agent at rest, milliseconds per second."""
    idle_rss_mb: float
    idle: Traffic
    failure: Traffic
    survivors: float
    """Mean number of agents alive while the failures' traffic was counted."""


def run_join(kind: AgentKind, nodes: int, folder: Path) -> tuple[float, ...]:
    """Start a fleet and join it, no more; returns when each agent listed all as alive."""
    fleet = Fleet(kind, nodes, folder)
    try:
        fleet.start()
        return tuple(fleet.join_at_once())
    finally:
        fleet.close()


def run_trial(kind: AgentKind, plan: Plan, folder: Path, say: Callable[[str], None]) -> Trial:
    """Run one trial; every process it started has ended when it returns."""
    fleet = Fleet(kind, plan.nodes, folder)
    try:
        start = fleet.start()
        say(f"{plan.nodes} up after {start:.1f} s")
        convergence = fleet.join_at_once()
        say(f"half list all after {median(convergence):.2f} s, all after {convergence[-1]:.2f} s")
        time.sleep(SETTLE_SECONDS)
        cpu, rss, idle = _rest(fleet, plan.idle_seconds)
        say(f"at rest {cpu:.2f} ms/s, {rss:.1f} MB")
        watch = Watch(fleet)
        try:
            firsts, lasts, failure, survivors = _failures(fleet, watch, plan.kills, say)
        finally:
            watch.close()
    finally:
        fleet.close()
    return Trial(
        kind.name, plan.nodes, start, tuple(convergence), tuple(firsts), tuple(lasts),
        len(watch.wrongly_failed), cpu, rss, idle, failure, survivors,
    )  # fmt: skip


def _rest(fleet: Fleet, seconds: float) -> tuple[float, float, Traffic]:
    with Capture(fleet.prefix, GOSSIP_PORT) as capture:
        before = [processor_seconds(agent.pid) for agent in fleet.agents]
        started = time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - started
        after = [processor_seconds(agent.pid) for agent in fleet.agents]
        traffic = capture.traffic(took)
    cpu = median((late - early) / took * 1000 for early, late in zip(before, after, strict=True))
    return cpu, median(resident_mb(agent.pid) for agent in fleet.agents), traffic


def _failures(
    fleet: Fleet, watch: Watch, kills: int, say: Callable[[str], None]
) -> tuple[list[float], list[float], Traffic, float]:
    firsts, lasts = [], []
    seconds, packets, udp, tcp = 0.0, 0, 0, 0
    for number in range(kills):
        victim = fleet.agents[-1 - number]
        with Capture(fleet.prefix, GOSSIP_PORT) as capture:
            started = time.monotonic()
            first, last = watch.kill(victim)
            watch.listen(FAILURE_SECONDS - (time.monotonic() - started), lambda: False)
            traffic = capture.traffic(time.monotonic() - started)
        firsts.append(first)
        lasts.append(last)
        say(f"kill {number + 1}: first seen after {first:.2f} s, everywhere after {last:.2f} s")
        seconds += traffic.seconds
        packets += traffic.udp_packets
        udp += traffic.udp_bytes
        tcp += traffic.tcp_bytes
    survivors = len(fleet.agents) - (kills + 1) / 2
    return firsts, lasts, Traffic(seconds, packets, udp, tcp), survivors


def may_capture() -> bool:
    """Say whether this process may count packets."""
    return os.geteuid() == 0
