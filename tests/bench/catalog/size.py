"""A thousand instances on ten daemons: a newcomer's wait, traffic at rest, memory.

What the catalog adds at rest is the difference between two fleets that are alike but
for their services, counted one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.capture import Capture
from bench.fleet import Fleet
from bench.usage import resident_mb
from gossipd.client.blocking import Client
from gossipd.value import Value
from support.agents import GOSSIPD, AgentProcess
from support.clusters import GOSSIP_PORT
from support.waiting import wait_for

NODES, INSTANCES = 10, 1000
SERVICES = 50
REST_SECONDS = 120.0
"""Several push/pulls of each, which come every 30 s."""
SETTLE_SECONDS = 20.0
JOINS = 5


class Size(Value, kw_only=True):
    """What was measured."""

    join_seconds: tuple[float, ...]
    """From a newcomer's start of its join until it knows every instance."""
    rest_bytes: float
    """What the catalog adds to what a node sends a second."""
    instance_bytes: float
    """Memory of a daemon for each instance that it knows beyond the first few."""


def measure_size(folder: Path, say: Callable[[str], None]) -> Size:
    """Start two fleets, one of them with services."""
    bare = _rest(folder, "bare", 0)[0]
    with_services, growth, joins = _rest(folder, "full", INSTANCES)
    say(f"at rest {bare:.0f} bytes a node and second without services, {with_services:.0f} with")
    return Size(
        join_seconds=tuple(joins),
        rest_bytes=with_services - bare,
        instance_bytes=growth / INSTANCES,
    )


def _rest(folder: Path, name: str, instances: int) -> tuple[float, float, list[float]]:
    own = folder / name
    own.mkdir()
    fleet = Fleet(GOSSIPD, NODES + JOINS, own)
    members, newcomers = fleet.agents[:NODES], fleet.agents[NODES:]
    try:
        for agent in members:
            agent.spawn()
        for agent in members:
            agent.wait_until_up(30.0)
            with agent.rpc() as probe:
                probe.join(members[0].options.bind)
        time.sleep(SETTLE_SECONDS)
        share = instances // NODES
        for number, agent in enumerate(members):
            _register(agent, number, range(min(share, 1)))  # loads what a catalog needs
        time.sleep(SETTLE_SECONDS)
        before = [resident_mb(agent.pid) for agent in members]
        for number, agent in enumerate(members):
            _register(agent, number, range(min(share, 1), share))
        for agent in members:
            wait_for(lambda agent=agent: _known(agent) == instances, 30.0, "all services")  # type: ignore[misc]
        time.sleep(SETTLE_SECONDS)
        after = [resident_mb(agent.pid) for agent in members]
        with Capture(fleet.prefix, GOSSIP_PORT) as capture:
            time.sleep(REST_SECONDS)
            traffic = capture.traffic(REST_SECONDS)
        growth = median(b - a for a, b in zip(before, after, strict=True)) * 1e6
        joins = [_join(agent, members[0], instances) for agent in newcomers if instances]
        return traffic.per_node(NODES)[1], growth, joins
    finally:
        fleet.close()


def _register(agent: AgentProcess, number: int, which: range) -> None:
    with Client(agent.options.rpc) as client:
        for each in which:
            client.register_service(
                f"service-{each % SERVICES}",
                id=f"instance-{number}-{each}",
                port=1024 + each,
                tags=["v1", "blue"],
                meta={"version": "1.2.3"},
                check={"id": f"check-{number}-{each}", "ttl": "1h", "status": "passing"},
            )


def _known(agent: AgentProcess) -> int:
    with Client(agent.options.rpc) as client:
        return sum(summary.total for summary in client.services())


def _join(agent: AgentProcess, seed: AgentProcess, instances: int) -> float:
    agent.spawn()
    agent.wait_until_up(30.0)
    with Client(agent.options.rpc) as client:
        began = time.monotonic()
        client.join([seed.options.bind])
        while sum(summary.total for summary in client.services()) < instances:
            if time.monotonic() - began > 60.0:
                raise TimeoutError(f"{agent!r} does not know all services")
            time.sleep(0.005)
        return time.monotonic() - began
