"""Whole nodes on a network of known delays estimate the round trips between them."""

from __future__ import annotations

from itertools import combinations
from math import hypot
from random import Random

import pytest

from gossipd.coordinates.space import distance
from gossipd.value import replace
from gossipd_sim.cluster import Cluster
from gossipd_sim.latency import Constant, Uniform
from gossipd_sim.laws import Laws
from gossipd_sim.script import Scenario
from gossipd_sim.site import Site

NODES = 25
MINUTES = 5
JITTER = 0.1
"""Share of a delay by which a single packet may take longer."""

Delays = dict[tuple[str, str], float]


def places(seed: int) -> Delays:
    """Return the seconds one way between all pairs: cities on a map, each with a last mile.

    Five towns of five hosts lie up to 60 ms apart; detours lengthen each way by up to
    a tenth, so that no space holds the delays exactly.
    """
    random = Random(seed)
    towns = [(random.uniform(0, 0.06), random.uniform(0, 0.06)) for _ in range(NODES // 5)]
    hosts = [
        (f"n{index:03}", *_near(towns[index % len(towns)], random), random.uniform(0.0005, 0.003))
        for index in range(NODES)
    ]
    delays: Delays = {}
    for (one, x, y, mile), (other, u, v, far_mile) in combinations(hosts, 2):
        way = (hypot(x - u, y - v) + mile + far_mile) * random.uniform(1.0, 1.1)
        delays[one, other] = delays[other, one] = way
    return delays


def _near(town: tuple[float, float], random: Random) -> tuple[float, float]:
    return town[0] + random.uniform(0, 0.004), town[1] + random.uniform(0, 0.004)


def relative_errors(seed: int, minutes: float) -> list[float]:
    """Return how wrong each of ``NODES`` nodes is about its round trip to each other one."""
    site = Site(seed)
    delays = places(seed)
    names = sorted({name for pair in delays for name in pair})
    hosts = [site.add_host(name) for name in names]
    for (source, target), delay in delays.items():
        laws = Laws(latency=Uniform(delay, delay * (1 + JITTER)))
        site.network.set_laws([source], [target], laws)
    for host in hosts:
        host.boot()
    for host in hosts[1:]:
        host.join([hosts[0].address])
    site.run(60 * minutes)
    errors = []
    for host in hosts:
        node = host.node
        assert node is not None
        own = node.coordinate(host.name)
        assert own is not None
        for other in names:
            there = node.coordinate(other)
            if other != host.name and there is not None:
                real = 2 * delays[host.name, other] * (1 + JITTER / 2)
                errors.append(abs(distance(own, there) - real) / real)
    assert len(errors) == NODES * (NODES - 1)
    return errors


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_five_minutes_the_median_error_is_at_most_15_percent(seed: int) -> None:
    errors = sorted(relative_errors(seed, MINUTES))
    assert errors[len(errors) // 2] <= 0.15


QUIET = Scenario(name="quiet", nodes=6, horizon=30.0, settle=5.0, laws=Laws(latency=Constant(0.01)))


def test_scenarios_do_without_unless_they_ask_for_them() -> None:
    for coordinates in (False, True):
        asked = {"coordinates": True} if coordinates else {}
        cluster = Cluster(replace(QUIET, serf=asked), 1)
        cluster.run()
        node = cluster.hosts["n000"].node
        assert node is not None
        assert (node.coordinate("n001") is not None) == coordinates


def test_with_coordinates_too_by_wire_and_by_reference_are_the_same_run() -> None:
    scenario = replace(QUIET, serf={"coordinates": True}, laws=Laws(loss=0.02, duplicate=0.02))
    by_reference = Cluster(scenario, 7).run()
    by_wire = Cluster(scenario, 7, by_wire=True).run()
    assert by_wire.trace == by_reference.trace
    assert by_wire.measures == by_reference.measures
    again = Cluster(scenario, 7).run()
    assert again == by_reference
