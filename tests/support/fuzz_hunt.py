"""Fuzz until some checker complains, then shrink what was found.

Run as a program, so that it imports whatever copy of ``gossipd`` is first on
``PYTHONPATH``. Prints one line of JSON: the seed and how many runs it took to
come to it, the checker, and the size of what the shrinker made of it; ``null``
when all runs were clean.

    python fuzz_hunt.py FIRST RUNS NODES_MAX SHRINK_RUNS
"""

from __future__ import annotations

import json
import sys

from gossipd_sim.fuzz import FuzzTask
from gossipd_sim.main import run_fuzz_task, shrinker
from gossipd_sim.shrink import faults_of


def hunt(first: int, runs: int, nodes_max: int, shrink_runs: int) -> dict[str, object] | None:
    """Return what the first failing run among ``runs`` from seed ``first`` on shrinks to."""
    for seed in range(first, first + runs):
        task = FuzzTask(seed, nodes_max)
        result = run_fuzz_task(task)
        if result.violations:
            break
    else:
        return None
    prepared = shrinker(task, shrink_runs)
    assert prepared is not None, "a run of the same seed is the same run"
    shrinking, checker = prepared
    best = shrinking.shrink()
    return {
        "seed": seed,
        "runs": seed - first + 1,
        "checker": checker,
        "checkers": sorted({violation.checker for violation in result.violations}),
        "text": result.violations[0].text,
        "nodes_before": result.nodes,
        "shrink_runs": shrinking.runs,
        "nodes": best.document["nodes"],
        "faults": len(faults_of(best.document)),
        "horizon": best.document["horizon"],
        "document": best.document,
    }


if __name__ == "__main__":
    json.dump(hunt(*map(int, sys.argv[1:])), sys.stdout)
