"""Days of API traffic in virtual time, seed by seed: ``python tests/bench/web/day.py --seeds 10``.

Prints a line for each; exit code 1 if an answer was wrong or something was left behind. A day
that fails is lived again with ``--first SEED --seeds 1`` and the same further words.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from support.day.day import Plan
from support.day.process import BUSY, GROWTH_MAX, lived
from support.day.seeded_bugs import BUGS


def notice_bugs() -> int:
    """Live through a day with each fault; returns the exit code."""
    missed = 0
    for bug in BUGS:
        report = lived(BUSY, bug.__name__)
        noticed = report.wrong[0] if report.wrong else ""
        if not noticed and report.grown > GROWTH_MAX:
            noticed = f"memory grew by a factor of {report.grown:.3f}"
        sys.stdout.write(f"{bug.__name__}: {noticed[:160] or 'NOT NOTICED'}\n")
        sys.stdout.flush()
        missed += not noticed
    return min(missed, 1)


def main() -> int:
    """Live through the days; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="of each day, in virtual time")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=10, help="how many days")
    parser.add_argument("--pace", type=float, default=200.0, help="seconds between requests")
    parser.add_argument("--gap", type=float, default=60.0, help="seconds between events")
    parser.add_argument("--peers", type=int, default=3)
    parser.add_argument("--lives", type=int, default=3, help="of the agent that is asked")
    parser.add_argument("--bugs", action="store_true", help="notice faults made on purpose")
    given = parser.parse_args()
    if given.bugs:
        return notice_bugs()
    failed = 0
    for seed in range(given.first, given.first + given.seeds):
        plan = Plan(
            seed=seed,
            hours=given.hours,
            peers=given.peers,
            gap=given.gap,
            pace=given.pace,
            lives=given.lives,
        )
        report = lived(plan, timeout=86400.0)
        sys.stdout.write("\n  ".join([report.line(), *report.wrong]) + "\n")
        sys.stdout.flush()
        failed += bool(report.wrong) or report.grown > GROWTH_MAX
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
