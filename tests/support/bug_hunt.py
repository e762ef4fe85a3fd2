"""Run random hard times on a cluster, seed by seed, until some checker complains.

Run as a program, so that it imports whatever copy of ``gossipd`` is first on
``PYTHONPATH``. Prints one line of JSON: the seed, and the checkers that
complained; ``null`` when ``SEEDS`` runs were clean.

    python bug_hunt.py SEEDS [FIRST]
"""

from __future__ import annotations

import json
import sys

from gossipd_sim.cluster import Cluster
from gossipd_sim.faults import Crash, Fault, Freeze, Leave, TagChange
from gossipd_sim.link_faults import Partition
from gossipd_sim.script import Scenario
from gossipd_sim.workload import Churn
from gossipd_sim.world import World


def hard_times(seed: int) -> Scenario:
    """Return two virtual minutes of six hosts: crashes, a freeze, a split, a leave, churn."""
    random = World(seed).random("hard times")

    def when() -> float:
        return round(random.uniform(8.0, 40.0), 3)

    faults: tuple[Fault, ...] = (
        Freeze(at=when(), hosts="n001", lasts=round(random.uniform(10.0, 30.0), 3)),
        Crash(at=when(), hosts="n002", lasts=round(random.uniform(3.0, 12.0), 3)),
        Partition(at=when(), groups=("n000-n001", "n002-n005"), lasts=15.0),
        TagChange(at=when(), hosts="all", tags={"note": "x" * 150}),
        Leave(at=when(), hosts="n005", lasts=8.0),
        Crash(at=74.0, hosts="n003"),
    )
    return Scenario(
        name="hard times",
        nodes=6,
        horizon=125.0,
        settle=50.0,
        swim={"push_pull_interval": 5.0, "gossip_to_the_dead_time": 10.0},
        wire={"compression": False, "packet_bytes_max": 512},
        churn=(Churn(at=10.0, lasts=50.0, every=20.0, away=5.0, hosts="n004"),),
        faults=tuple(sorted(faults, key=lambda fault: fault.at)),
    )


def tell(found: dict[str, object] | None) -> None:
    """Write one line of JSON."""
    sys.stdout.write(json.dumps(found) + "\n")


def main(arguments: list[str]) -> None:
    """Hunt and tell what was found."""
    seeds = int(arguments[0])
    first = int(arguments[1]) if len(arguments) > 1 else 1
    for seed in range(first, first + seeds):
        try:
            violations = Cluster(hard_times(seed), seed).run().violations
        except (AssertionError, LookupError) as error:
            tell({"seed": seed, "checkers": [type(error).__name__]})
            return
        if violations:
            checkers = sorted({violation.checker for violation in violations})
            texts = [f"{one.now:.1f} {one.host} {one.text}" for one in violations[:20]]
            tell({"seed": seed, "checkers": checkers, "texts": texts})
            return
    tell(None)


if __name__ == "__main__":
    main(sys.argv[1:])
