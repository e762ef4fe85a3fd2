"""Two of nine simulated hosts cut off for ten minutes: what they answer, and how soon all agree.

The scenarios are of the library and differ in what is cut: both ways, or one.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from gossipd.services.instance import Instance
from gossipd.value import Value
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.service_rest import ServiceRest
from gossipd_sim.cluster import Cluster
from gossipd_sim.host import Host
from gossipd_sim.main import load
from gossipd_sim.observer import Violation

SPLITS = ("split-with-registrations", "split-unheard", "split-deaf")
"""Nothing passes; what the few say is lost; what the others say does not reach the few."""
CUT_AT, HEALED_AT = 20.0, 620.0
LOOK_EVERY = 0.25
FEW = ("n007", "n008")
SERVICE = "web"


class SplitRun(Value, kw_only=True):
    """What came of one run."""

    healed_after: float
    """Seconds from the heal until all showed the same, and went on to; infinite if never."""
    answered_least: int
    """Usable instances of the others at either of the few, when they were fewest."""
    kept_least: float
    """Part of those known before that either of the few kept to the end, doubtful."""
    violations: tuple[Violation, ...]


def run_split(name: str, seed: int) -> SplitRun:
    """Run one of ``SPLITS``."""
    cluster = Cluster(load(name), seed)
    world, few = cluster.world, [cluster.hosts[name] for name in FEW]
    world.run_until(CUT_AT - LOOK_EVERY)
    known = [len(_usable_of_others(host)) for host in few]
    answered = min(known)
    while world.now < HEALED_AT - 2 * LOOK_EVERY:
        world.run_until(world.now + LOOK_EVERY)
        answered = min(answered, *(len(_usable_of_others(host)) for host in few))
    kept = min(
        sum(one.is_doubtful for one in _usable_of_others(host)) / count
        for host, count in zip(few, known, strict=True)
    )
    rest = ServiceRest(lambda *_: None, cluster.truth, HEALED_AT)
    agreed_at = inf
    while world.now < cluster.scenario.horizon - LOOK_EVERY:
        world.run_until(world.now + LOOK_EVERY)
        agreed_at = min(agreed_at, world.now) if _agree(cluster, rest) else inf
    return SplitRun(
        healed_after=agreed_at - HEALED_AT,
        answered_least=answered,
        kept_least=kept,
        violations=cluster.run().violations,
    )


def _usable_of_others(host: Host) -> list[Instance]:
    assert host.node is not None
    instances = host.node.service(SERVICE).instances
    return [one for one in instances if one.is_usable and one.owner not in FEW]


def _agree(cluster: Cluster, rest: ServiceRest) -> bool:
    return all(_holds_all_for_alive(cluster)) and next(rest.faults(), None) is None


def _holds_all_for_alive(cluster: Cluster) -> Iterator[bool]:
    for host in cluster.hosts.values():
        assert host.node is not None
        roster = insight.roster(host.node)
        statuses = [member.status for member in roster.values()]
        yield len(statuses) == len(cluster.hosts)
        yield all(status is MemberStatus.ALIVE for status in statuses)
        yield not insight.suspicions(host.node)
