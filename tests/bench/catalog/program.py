"""``make bench-services``: registering, watching and asking, on real daemons.

Prints tables and writes ``docs/benchmarks-services.md``. Exit code 1 if a bar is missed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.catalog.central import measure_central
from bench.catalog.load import measure_load
from bench.catalog.registry import has_etcd
from bench.catalog.report import document, load_rows, misses, size_rows, spread_rows
from bench.catalog.size import measure_size
from bench.catalog.split import measure_splits, split_misses, split_rows
from bench.catalog.spread import SpreadPlan, measure_spread
from bench.report import as_text
from support.agents import PROJECT

ETCD_KILLS = 4
"""A dead provider is waited for as long as its lease."""


def measure_services(plan: SpreadPlan, *, write: bool) -> int:
    """Measure everything, and write the page if asked; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="gossipd-bench-") as name:
        folder = Path(name)
        central = None
        if has_etcd():
            central = measure_central(
                plan.nodes, plan.registrations, ETCD_KILLS, _new(folder, "e"), _say
            )
        load = measure_load(_new(folder, "load"), _say)
        size = measure_size(_new(folder, "size"), _say)
        spread = measure_spread(plan, _new(folder, "fleet"), _say)
    splits = measure_splits(_say)
    rows = [*spread_rows(spread, central), *load_rows(load), *size_rows(size), *split_rows(splits)]
    _say(as_text(rows))
    missed = [f"{row.what}: {row.ratio:.2f}" for row in rows if not row.is_met]
    missed += [*misses(plan, spread), *split_misses(splits)]
    for line in missed:
        _say(f"missed: {line}")
    if write:
        page = PROJECT / "docs" / "benchmarks-services.md"
        page.write_text(document(plan, spread, load, size, splits, central), encoding="utf-8")
        _say(f"wrote {page.relative_to(PROJECT)}")
    return 1 if missed else 0


def _new(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
