"""How fast the simulator is: virtual seconds a second of one core, beside a bare event queue.

    python tests/bench/simulator.py [--compiled PYTHON] [--rounds N] [--write FILE]

Each run has a process of its own, so that its memory is its own; medians of
several rounds. ``--compiled`` names the interpreter of an installation whose
modules were compiled (``make compiled``) and is measured side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median

RUN = """
import json, resource, sys, time
from random import Random
from gossipd_sim.cluster import Cluster
from gossipd_sim.collector import collecting_seldom
from gossipd_sim.main import load
from gossipd_sim.queue import EventQueue

def bare(events):
    queue, random, sink = EventQueue(), Random(1).random, (lambda: None)
    started = time.process_time()
    now = 0.0
    for _ in range(100):
        queue.push(random(), sink)
    for now, _, happening, args in queue.due(1e9):
        happening(*args)
        events -= 1
        if events <= 0:
            break
        queue.push(now + random(), sink)
    return time.process_time() - started

name = sys.argv[1]
if name == "queue":
    count = 300_000
    took = bare(count)
    print(json.dumps({"speed": 0.0, "events": count / took, "memory": 0.0, "trace": ""}))
else:
    cluster = Cluster(load(name), 1)
    warm = float(sys.argv[2])
    cluster.world.run_until(warm)
    before = cluster.world.events_done
    end = cluster.scenario.horizon
    with collecting_seldom():
        started = time.process_time()
        cluster.world.run_until(end)
        took = time.process_time() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({
        "speed": (end - warm) / took,
        "events": (cluster.world.events_done - before) / took,
        "memory": memory,
        "trace": cluster.trace.hexdigest(),
    }))
"""
"""What a measured process runs: the name of a scenario, and the seconds before measuring."""

SUBJECTS = (
    ("queue", 0.0, "bare event queue"),
    ("ten-thousand", 1.0, "10,000 members at rest"),
    ("restless-thousand", 5.0, "1,000 members, a crash and a restart a second"),
)
BARS = {"ten-thousand": 1.0, "restless-thousand": 5.0}
"""Least virtual seconds a second."""
MEMORY_BAR = 500.0
"""Most MiB for the ten thousand."""


def main() -> int:
    """Measure and print; exit code 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--compiled", metavar="PYTHON", help="an interpreter with compiled modules")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", metavar="FILE", help="also write the page to FILE")
    words = parser.parse_args()
    pythons = {"interpreted": sys.executable}
    if words.compiled:
        pythons["compiled"] = str(Path(words.compiled).absolute())
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for number in range(words.rounds):
        for name, warm, what in SUBJECTS:
            for kind, python in pythons.items():
                found.setdefault((name, kind), []).append(_measure(python, name, warm))
                _say(f"  round {number + 1}: {what}, {kind}")
    lines, missed = _table(found, list(pythons))
    page = _page(lines, words.rounds)
    sys.stdout.write(page)
    if words.write:
        Path(words.write).write_text(page, encoding="utf-8")
    for line in missed:
        _say(f"missed: {line}")
    return 1 if missed else 0


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _measure(python: str, name: str, warm: float) -> dict[str, float]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if python == sys.executable and "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    done = subprocess.run(
        [python, "-c", RUN, name, str(warm)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd="/",
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _table(
    found: dict[tuple[str, str], list[dict[str, float]]], kinds: list[str]
) -> tuple[list[str], list[str]]:
    lines = [
        "| run | modules | virtual s a CPU s | events a CPU s | of the bare queue's | MiB |",
        "|---|---|---|---|---|---|",
    ]
    missed: list[str] = []
    for name, _, what in SUBJECTS:
        for kind in kinds:
            runs = found[name, kind]
            middle = {
                key: median(run[key] for run in runs) for key in ("speed", "events", "memory")
            }
            bare = median(run["events"] for run in found["queue", kind])
            cells = [what, kind, "", f"{middle['events']:,.0f}", "", ""]
            if name != "queue":
                cells[2] = f"{middle['speed']:.2f}"
                cells[4] = f"{middle['events'] / bare:.3f}"
                cells[5] = f"{middle['memory']:.0f}"
            lines.append("| " + " | ".join(cells) + " |")
        if name in BARS:
            best = max(median(run["speed"] for run in found[name, kind]) for kind in kinds)
            if best < BARS[name]:
                missed.append(f"{what}: {best:.2f} virtual s a second, the bar is {BARS[name]:g}")
        traces = {str(run["trace"]) for kind in kinds for run in found[name, kind]}
        if len(traces) > 1:
            missed.append(f"{what}: runs of one seed differ")
    memory = max(run["memory"] for kind in kinds for run in found["ten-thousand", kind])
    if memory > MEMORY_BAR:
        missed.append(f"memory: {memory:.0f} MiB, the bar is {MEMORY_BAR:g}")
    return lines, missed


def _page(lines: list[str], rounds: int) -> str:
    table = "\n".join(lines)
    sample = "one round" if rounds == 1 else f"medians of {rounds} rounds"
    return f"""# How fast the simulator is

One core, messages by reference, all measures on, no checkers; {sample}
({platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores).
`make bench-simulator` measures anew. Compiled is the same source through mypyc
(`make compiled`): the traces are equal.

{table}
"""


if __name__ == "__main__":
    sys.exit(main())
