"""``make bench``: gossipd and Serf side by side on this machine.

Prints a table and writes ``docs/benchmarks.md``. Exit code 1 if a bar is
missed, 2 if the machine lacks what is needed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.catalog.program import measure_services
from bench.catalog.spread import SpreadPlan
from bench.commands import measure_commands
from bench.messaging import Messaging, MessagingPlan, measure_messaging
from bench.reality import Reality, measure_reality
from bench.report import (
    Row,
    as_text,
    command_rows,
    document,
    fleet_rows,
    messaging_misses,
    messaging_rows,
    simulator_rows,
    summary,
)
from bench.sweeping import measure_sweep
from bench.trials import Plan, Trial, may_capture, run_join, run_trial
from support.agents import GOSSIPD, PROJECT, SERF, has_serf

BUDGET_SECONDS = 720.0
"""No further round of trials is begun that would end later than this."""
NODES_MIN, NODES_MAX = 5, 200
MESSAGING = MessagingPlan()


def main() -> int:
    """Run everything; returns the exit code."""
    words = _parse()
    if words.only_sweep:
        rows = simulator_rows(measure_sweep(_say))
        _say(as_text(rows))
        return _exit_code(rows)
    if words.only_messaging:
        return _messaging_alone()
    if words.only_services:
        return measure_services(SpreadPlan(words.nodes), write=words.write)
    if not has_serf() or not may_capture():
        _say("needs the serf program (Debian package serf) and root, to count packets")
        return 2
    plan = Plan(words.nodes, words.idle, words.kills)
    started = time.monotonic()
    trials: list[Trial] = []
    joins: list[tuple[str, tuple[float, ...]]] = []
    with tempfile.TemporaryDirectory(prefix="gossipd-bench-") as name:
        folder = Path(name)
        times = measure_commands(_new(folder / "commands"), words.rounds, _say)
        sweep = measure_sweep(_say)
        messaging = measure_messaging(MESSAGING, lambda text: _new(folder / text), _tell)
        for number in range(words.joins):
            for kind in (SERF, GOSSIPD):
                took = run_join(kind, plan.nodes, _new(folder / f"join-{kind.name}-{number}"))
                joins.append((kind.name, took))
                _say(f"join {number + 1}, {kind.name}: all list all after {max(took):.2f} s")
        for number in range(words.trials):
            elapsed = time.monotonic() - started
            if trials and elapsed * (number + 1) / number > BUDGET_SECONDS:
                _say(f"[{elapsed:4.0f} s] no time for another trial")
                break
            order = (SERF, GOSSIPD) if number % 2 == 0 else (GOSSIPD, SERF)
            for kind in order:
                title = f"{kind.name}, trial {number + 1} of {words.trials}"
                _say(f"[{time.monotonic() - started:4.0f} s] {title}")
                own = _new(folder / f"{kind.name}-{number}")
                trials.append(run_trial(kind, plan, own, lambda text: _say(f"  {text}")))
    joins += [(trial.kind, trial.convergence) for trial in trials]
    reality: Reality | None = None
    if words.reality:
        _say(f"[{time.monotonic() - started:4.0f} s] real daemons beside the simulator")
        reality = measure_reality(lambda text: _say(f"  {text}"))
    _say("\n" + summary(joins, trials, times, sweep, (MESSAGING, messaging), reality))
    if words.write:
        page = PROJECT / "docs" / "benchmarks.md"
        page.parent.mkdir(exist_ok=True)
        page.write_text(
            document(
                plan, joins, trials, times, sweep, (MESSAGING, messaging), reality, _serf_version()
            ),
            encoding="utf-8",
        )
        _say(f"wrote {page.relative_to(PROJECT)}")
    rows = [
        *fleet_rows(joins, trials, times),
        *messaging_rows(MESSAGING, messaging),
        *command_rows(times),
        *simulator_rows(sweep),
    ]
    misses = _misses_of(messaging) + list(reality.missed if reality is not None else [])
    return _exit_code(rows, misses)


def _messaging_alone() -> int:
    with tempfile.TemporaryDirectory(prefix="gossipd-bench-") as name:
        results = measure_messaging(MESSAGING, lambda text: _new(Path(name) / text), _tell)
    rows = messaging_rows(MESSAGING, results)
    _say(as_text(rows))
    return _exit_code(rows, _misses_of(results))


def _misses_of(results: Sequence[Messaging]) -> list[str]:
    return [line for line in messaging_misses(MESSAGING, results) if line.startswith(GOSSIPD.name)]


def _exit_code(rows: list[Row], other_misses: Sequence[str] = ()) -> int:
    """Say which bars are missed; returns 1 if any is."""
    missed = [row for row in rows if not row.is_met]
    for row in missed:
        _say(f"missed: {row.what}: {row.ratio:.2f}, the bar is {row.bar:.3g}")
    for line in other_misses:
        _say(f"missed: {line}")
    return 1 if missed or other_misses else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--nodes", type=int, default=48, help="agents of each kind (48)")
    parser.add_argument("--trials", type=int, default=2, help="trials of each kind (2)")
    parser.add_argument("--joins", type=int, default=3, help="further joins of each kind (3)")
    parser.add_argument("--kills", type=int, default=6, help="failures in a trial (6)")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds at rest (60)")
    parser.add_argument("--rounds", type=int, default=15, help="repeats of each command (15)")
    parser.add_argument(
        "--only-sweep", action="store_true", help="measure the simulator's sweep alone"
    )
    parser.add_argument(
        "--only-messaging", action="store_true", help="measure events and queries alone"
    )
    parser.add_argument(
        "--only-services", action="store_true", help="measure services alone, on --nodes daemons"
    )
    parser.add_argument(
        "--no-reality", dest="reality", action="store_false", help="no run beside the simulator"
    )
    parser.add_argument(
        "--no-write", dest="write", action="store_false", help="leave docs/benchmarks.md alone"
    )
    words = parser.parse_args()
    if not NODES_MIN <= words.nodes <= NODES_MAX:
        parser.error(f"--nodes must be within {NODES_MIN}..{NODES_MAX}")
    if not 1 <= words.kills <= words.nodes - 3:
        parser.error("--kills must leave three agents alive")
    return words


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _serf_version() -> str:
    """Return the version of the package, else what the program says."""
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "serf"],
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode == 0 and asked.stdout:
        return asked.stdout
    said = subprocess.run(["serf", "version"], capture_output=True, text=True, check=False)
    return said.stdout.partition("\n")[0]


def _tell(text: str) -> None:
    _say(f"  {text}")


def _say(text: str) -> None:
    print(text, file=sys.stderr if text.startswith(("  ", "[")) else sys.stdout, flush=True)
