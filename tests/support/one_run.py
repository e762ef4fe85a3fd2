"""A few runs that draw on every kind of chance; prints what came of them as JSON.

Imports nothing but the simulator, so that any interpreter with its few
libraries can run it:

    python one_run.py
"""

from __future__ import annotations

import json
import platform
import sys

from gossipd_sim.cluster import Cluster
from gossipd_sim.document import write_toml
from gossipd_sim.fuzz import random_document
from gossipd_sim.scenario import read_scenario

MIXED = """
nodes = 9
horizon = 50
settle = 20
keys = ["b2xkIGtleSBvZiAxNiBieQ=="]
bootstrap = { kind = "one seed", over = 4 }

[network]
latency = { median = 0.02, sigma = 0.6 }
loss = 0.03
burst_loss = 0.001
duplicate = 0.02
reorder = 0.05
corrupt = 0.002

[[churn]]
at = 8
lasts = 20
every = 4
away = 5

[[faults]]
do = "freeze"
at = 10
lasts = 8
hosts = "random:2"

[[faults]]
do = "clock_drift"
at = 6
lasts = 20
hosts = "20%"
rate = 1.1

[[faults]]
do = "hostile"
at = 12
lasts = 4
hosts = "random:1"
kinds = ["noise", "cut", "forged"]
"""
SEEDS, NODES_MAX = (3, 11), 5


def outcomes() -> list[dict[str, object]]:
    """Return trace, number of events and measures of each run."""
    texts = [MIXED, *(write_toml(random_document(seed, NODES_MAX)) for seed in SEEDS)]
    found = []
    for seed, text in enumerate(texts):
        outcome = Cluster(read_scenario(text, f"{seed}.toml"), seed).run()
        found.append(
            {
                "trace": outcome.trace,
                "events": outcome.events_done,
                "measures": repr(outcome.measures),
                "violations": len(outcome.violations),
            }
        )
    return found


if __name__ == "__main__":
    json.dump({"python": platform.python_version(), "runs": outcomes()}, sys.stdout)
