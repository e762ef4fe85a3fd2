"""How often early warning is wrong, and how early it is right, in simulated clusters.

    python tests/bench/early_warning.py [hours]

Prints a table for docs/metrics.md. Virtual time: ten hours of ten members take minutes.
"""

from __future__ import annotations

import sys

from gossipd_sim.cluster import Cluster
from gossipd_sim.early_warnings import EarlyWarnings
from gossipd_sim.faults import Fault, Slow
from gossipd_sim.latency import LogNormal
from gossipd_sim.laws import Laws
from gossipd_sim.link_faults import LinkLaws
from gossipd_sim.script import Scenario

NODES = 10
BEGAN = 600.0
"""Seconds after which something befalls n003."""
JITTER = Laws(latency=LogNormal(median=0.02, sigma=0.6), loss=0.005)
CALM = {
    "LAN": Laws(),
    "LAN that loses 1 % of all packets": Laws(loss=0.01),
    "LAN that loses 3 %": Laws(loss=0.03),
    "WAN: 20 ms a way, of which a tenth takes over 43 ms, 0.5 % lost": JITTER,
}


def losing(loss: float, after: float = 0.0) -> LinkLaws:
    return LinkLaws(at=BEGAN + after, sources="n003", targets="all", laws={"loss": loss})


WORSE: dict[str, tuple[Fault, ...]] = {
    "answers 50 ms late": (Slow(at=BEGAN, hosts="n003", seconds=0.05),),
    "loses 30 % of what it sends": (losing(0.3),),
    "loses 30 %, after 100 s 60 %, after 200 s 90 %": (
        losing(0.3), losing(0.6, 100.0), losing(0.9, 200.0),
    ),
}  # fmt: skip


def run(laws: Laws, faults: tuple[Fault, ...], horizon: float, seed: int) -> EarlyWarnings:
    scenario = Scenario(
        name="worse", nodes=NODES, horizon=horizon, settle=10.0, laws=laws, faults=faults
    )
    cluster = Cluster(scenario, seed)
    warnings = EarlyWarnings()
    cluster.observers.append(warnings)
    cluster.run()
    return warnings


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main(hours: float) -> None:
    say("| all is as usual | warnings | member-hours | seen by others: hours |")
    say("| --- | --- | --- | --- |")
    for name, laws in CALM.items():
        warned = len(run(laws, (), 3600 * hours, 11).warned)
        say(f"| {name} | {warned} | {NODES * hours:g} | {NODES * (NODES - 1) * hours:g} |")
    say("\n| one member | first told after | by so many of 9 | failed after | others told of |")
    say("| --- | --- | --- | --- | --- |")
    for name, faults in WORSE.items():
        found = run(Laws(), faults, BEGAN + 900.0, 1)
        first, failed = found.first("n003"), found.failed.get("n003")
        others = [one for one in found.warned if one.host != "n003"]
        told = f"{first.at - BEGAN:.0f} s" if first is not None else "never"
        by = len({one.host for one in others if one.name == "n003"})
        fate = f"{failed - BEGAN:.0f} s" if failed is not None else "not"
        wrong = len({one.name for one in others} - {"n003"})
        say(f"| {name} | {told} | {by} | {fate} | {wrong} |")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
