"""A thousand instances on ten daemons: a newcomer's wait, traffic at rest, memory.

What the catalog adds at rest is the difference between two fleets that are alike but
for their services, counted one after the other. Memory is that of the bar (a check, tags
and meta), and of instances that have nothing but a name and a port.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
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
    bare_instance_bytes: float
    """The same of instances without check, tags and meta."""


def measure_size(folder: Path, say: Callable[[str], None]) -> Size:
    """Start two fleets, one of them with services."""
    bare = _rest(folder, "bare", 0)[0]
    with_services, growth, joins = _rest(folder, "full", INSTANCES)
    bare_growth = grown(folder, "plain", INSTANCES, is_plain=True)
    say(f"at rest {bare:.0f} bytes a node and second without services, {with_services:.0f} with")
    return Size(
        join_seconds=tuple(joins),
        rest_bytes=with_services - bare,
        instance_bytes=growth / INSTANCES,
        bare_instance_bytes=bare_growth / INSTANCES,
    )


def grown(folder: Path, name: str, instances: int, *, is_plain: bool) -> float:
    """Return how many bytes a daemon grows, in the median, by ``instances`` of all ten."""
    own = folder / name
    own.mkdir()
    fleet = Fleet(GOSSIPD, NODES, own)
    try:
        return _growth(fleet.agents, instances, is_plain=is_plain)
    finally:
        fleet.close()


def _rest(folder: Path, name: str, instances: int) -> tuple[float, float, list[float]]:
    own = folder / name
    own.mkdir()
    fleet = Fleet(GOSSIPD, NODES + JOINS, own)
    members, newcomers = fleet.agents[:NODES], fleet.agents[NODES:]
    try:
        growth = _growth(members, instances, is_plain=False)
        with Capture(fleet.prefix, GOSSIP_PORT) as capture:
            time.sleep(REST_SECONDS)
            traffic = capture.traffic(REST_SECONDS)
        joins = [_join(agent, members[0], instances) for agent in newcomers if instances]
        return traffic.per_node(NODES)[1], growth, joins
    finally:
        fleet.close()


def _growth(members: Sequence[AgentProcess], instances: int, *, is_plain: bool) -> float:
    """Start ``members``, have them register ``instances``; return the bytes each grew, median."""
    for agent in members:
        agent.spawn()
    for agent in members:
        agent.wait_until_up(30.0)
        with agent.rpc() as probe:
            probe.join(members[0].options.bind)
    time.sleep(SETTLE_SECONDS)
    share = instances // NODES
    for number, agent in enumerate(members):  # loads what a catalog needs
        _register(agent, number, range(min(share, 1)), is_plain=is_plain)
    time.sleep(SETTLE_SECONDS)
    before = [resident_mb(agent.pid) for agent in members]
    for number, agent in enumerate(members):
        _register(agent, number, range(min(share, 1), share), is_plain=is_plain)
    for agent in members:
        wait_for(lambda agent=agent: _known(agent) == instances, 30.0, "all services")  # type: ignore[misc]
    time.sleep(SETTLE_SECONDS)
    after = [resident_mb(agent.pid) for agent in members]
    return median(b - a for a, b in zip(before, after, strict=True)) * 1e6


def _register(agent: AgentProcess, number: int, which: range, *, is_plain: bool) -> None:
    with Client(agent.options.rpc) as client:
        for each in which:
            name, id = f"service-{each % SERVICES}", f"instance-{number}-{each}"
            if is_plain:
                client.register_service(name, id=id, port=1024 + each)
                continue
            client.register_service(
                name,
                id=id,
                port=1024 + each,
                tags=["v1", "blue", "http"],
                meta={"version": "1.2.3", "team": f"team-{each % SERVICES}"},
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
