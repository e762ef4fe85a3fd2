"""A day in a process of its own: no other test's objects are counted, and hashes are the same.

Where sets of texts decide an order, a seed means the same day only with the same hashes.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from support.agents import PROJECT
from support.day.day import Plan, Report, run_day

GROWTH_MAX = 1.06
"""Of memory between the second quarter of a day and its last; what is kept of the past fills up,
and nodes that are down take less."""
BUSY = Plan(seed=7, hours=4.0, gap=20.0, pace=30.0, lives=1)
"""A shorter day with more going on, in which faults made on purpose are to be noticed."""
HASHES = {"PYTHONHASHSEED": "0"}


def lived(plan: Plan, bug: str = "", timeout: float = 900.0) -> Report:
    """Live through a day, with a fault of ``seeded_bugs`` if it is named."""
    path = os.pathsep.join(str(PROJECT / part) for part in ("", "cli", "simulations", "tests"))
    with tempfile.NamedTemporaryFile(prefix="day-") as file:
        words = [sys.executable, __file__, file.name, json.dumps(asdict(plan)), bug]
        environment = os.environ | HASHES | {"PYTHONPATH": path}
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, done.stderr[-4000:]
        report = pickle.loads(file.read())
    assert isinstance(report, Report)
    return report


def main(target: str, plan: str, bug: str) -> None:
    """Live through the day that the words tell, and write what came of it."""
    given = Plan(**json.loads(plan))
    if bug:
        from support.day import seeded_bugs

        with getattr(seeded_bugs, bug)():
            report = run_day(given)
    else:
        report = run_day(given)
    Path(target).write_bytes(pickle.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
