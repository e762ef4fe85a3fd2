"""A hundred thousand random requests to all routes, in a process of their own.

python tests/bench/web/noise.py COUNT
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from bench.report import Row

REQUESTS = 100_000
BATCHES = 10
GROWTH_BAR_MB = 8.0


def _resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def send(count: int) -> dict[str, object]:
    """Send them; returns what became of them."""
    import trio

    from support.http_fuzz import fuzz

    statuses: dict[int, int] = {}
    failures: list[str] = []
    sent = 0
    began, after_first = time.perf_counter(), 0
    for seed in range(BATCHES):
        report = trio.run(fuzz, seed, count // BATCHES)
        sent += report.sent
        failures += report.failures
        for status, times in report.statuses.items():
            statuses[status] = statuses.get(status, 0) + times
        after_first = after_first or _resident()
    return {
        "sent": sent,
        "seconds": time.perf_counter() - began,
        "statuses": statuses,
        "failures": failures,
        "grown_mb": (_resident() - after_first) / 1e6,
    }


def measure(folder: Path) -> tuple[list[Row], dict[str, str]]:
    """Return lines of the table, and further figures."""
    words = [sys.executable, __file__, str(REQUESTS)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    for failure in found["failures"][:10]:
        sys.stderr.write(f"{failure}\n")
    statuses = ", ".join(
        f"{status}: {count:,}" for status, count in sorted(found["statuses"].items())
    )
    rows = [
        Row(f"defects and illegal replies in {found['sent']:,} random requests", "",
            float(len(found["failures"])), 1.0, "the bar", 0.5),
        Row("memory that grew from the first tenth to the last", "MB", found["grown_mb"],
            GROWTH_BAR_MB, "the bar", 1.0),
    ]  # fmt: skip
    return rows, {"replies to random requests by status": statuses}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(send(int(sys.argv[1]))) + "\n")
