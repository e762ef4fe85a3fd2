"""``make bench-http``: the HTTP face of real daemons, measured; ``--write`` its page in docs/.

Parts can be named; without, all are measured. Exit code 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from bench.report import HEADINGS, Row, as_text
from bench.web import memory, noise, throughput, turns, waiting
from support.agents import PROJECT

Measure: TypeAlias = Callable[[Path], tuple[list[Row], dict[str, str]]]
PARTS: dict[str, Measure] = {
    "throughput": throughput.measure,
    "waiting": waiting.measure,
    "turns": turns.measure,
    "memory": memory.measure,
    "noise": noise.measure,
}


def document(rows: list[Row], further: dict[str, str]) -> str:
    """Return the page."""
    table = "\n".join("| " + " | ".join(row.cells()) + " |" for row in rows)
    lines = "\n".join(f"- {what}: {text}" for what, text in further.items())
    return f"""# Benchmarks of HTTP

Written by `make bench-http`; do not edit. Real daemons on loopback; the programs that ask are
Python, too, and take the other core. Hypercorn and Starlette serve the same bytes in turns with
gossipd, in the same run.

- Date: {datetime.now(UTC):%Y-%m-%d}
- Machine: {os.cpu_count()} cores, Linux {platform.machine()}, Python {platform.python_version()}

| {" | ".join(HEADINGS)} |
| --- | ---: | ---: | --- | ---: | ---: |
{table}

{lines}

The memory of clients is what the daemon's grew by (PSS); a client of the kernel's takes more
there. A change is timed from before it is sent, by HTTP as well, until the waiting client has
its whole answer. A turn is the processor's time between two passes of another task of the same
process, which gossip would have to wait for.
"""


def main() -> int:
    """Measure, print, write; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    parser.add_argument("--write", action="store_true")
    words = parser.parse_args()
    rows: list[Row] = []
    further: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="gossipd-bench-") as name:
        for part in words.parts or PARTS:
            found, more = PARTS[part](Path(name))
            rows += found
            further |= more
            sys.stdout.write(as_text(found) + "\n")
            sys.stdout.write("".join(f"{what}: {text}\n" for what, text in more.items()))
            sys.stdout.flush()
    if words.write:
        (PROJECT / "docs" / "benchmarks-http.md").write_text(document(rows, further), "utf-8")
    return 0 if all(row.is_met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
