"""Entry of ``make bench``: puts ``tests/`` on the path, then runs ``bench.program``."""

from __future__ import annotations

import sys
from pathlib import Path


def run() -> int:
    """Run the benchmark; returns the exit code."""
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from bench.program import main

    return main()


if __name__ == "__main__":
    sys.exit(run())
