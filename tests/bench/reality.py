"""Real daemons beside the simulator: the scenario that was made for it, and its bar."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing

from gossipd.value import Value
from gossipd_sim.main import load
from gossipd_sim.news import News
from gossipd_sim.real.comparison import Row, compare, false_alarms, run_virtual
from gossipd_sim.real.plan import make_plan
from gossipd_sim.real.programs import GOSSIPD
from gossipd_sim.real.run import run_real

SCENARIO, NODES = "crash-and-leave", 48
SEEDS = 10
PERCENT_MAX = 10.0
BARRED = (News.CRASH, News.LEAVE)
"""What the bar is about; a return also depends on how fast a process starts."""
HEADINGS = ("what", "real", "of", "virtual", "of", "difference", "bar")


class Reality(Value):
    """What both sides said; ``trouble`` is what the processes could not do."""

    rows: tuple[Row, ...]
    false_alarms: int
    trouble: str

    @property
    def missed(self) -> list[str]:
        """Each figure that misses the bar, as a line."""
        lines = [
            f"{_words(row)}: real {_percent(row)} against virtual, the bar is ±{PERCENT_MAX:g} %"
            for row in self.rows
            if row.news in BARRED and not _is_met(row)
        ]
        return [*lines, *([self.trouble] if self.trouble else [])]


def measure_reality(say: Callable[[str], None]) -> Reality:
    """Run the scenario on both sides; takes five minutes."""
    plan = make_plan(load(SCENARIO), 0, GOSSIPD)
    virtual = []
    with closing(run_virtual(plan, range(SEEDS), os.cpu_count() or 1)) as runs:
        for spreads in runs:
            virtual.append(spreads)
            say(f"simulated run {len(virtual)} of {SEEDS}")
    real = run_real(GOSSIPD, plan, lambda by, note: None)
    say(f"{NODES} daemons were watched for {real.seconds:.0f} s")
    trouble = "; ".join(real.troubles) or ("" if real.finished else "it was interrupted")
    return Reality(tuple(compare(virtual, real)), false_alarms(real.spreads), trouble)


def reality_cells(reality: Reality) -> list[tuple[str, ...]]:
    """Return the table, its headings first."""
    cells: list[tuple[str, ...]] = [HEADINGS]
    for row in reality.rows:
        bar = f"± {PERCENT_MAX:g} %" if row.news in BARRED else ""
        cells.append(
            (
                _words(row),
                _seconds(row.real.median),
                str(len(row.real.samples)),
                _seconds(row.virtual.median),
                str(len(row.virtual.samples)),
                _percent(row),
                bar if not bar or _is_met(row) else f"{bar} (missed)",
            )
        )
    return cells


def reality_section(reality: Reality) -> str:
    """Return the section of ``docs/benchmarks.md``."""
    lines = ["| " + " | ".join(cells) + " |" for cells in reality_cells(reality)]
    lines.insert(1, "| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    table = "\n".join(lines)
    return f"""## Virtual against real

`gossipd simulate run {SCENARIO} --real gossipd`: {NODES} daemons on the loopback and
{SEEDS} simulated runs of the same scenario, medians of seconds since it happened.

{table}

Live nodes shown as failed among the daemons: {reality.false_alarms}.
"""


def reality_text(reality: Reality, columns: Callable[[Sequence[tuple[str, ...]]], str]) -> str:
    """Return the table for the terminal, laid out by ``columns``."""
    return columns(reality_cells(reality))


def _words(row: Row) -> str:
    return f"{row.news}: seen {'by the first' if row.how == 'first' else 'everywhere'}"


def _is_met(row: Row) -> bool:
    return row.percent is not None and abs(row.percent) <= PERCENT_MAX


def _percent(row: Row) -> str:
    return "-" if row.percent is None else f"{row.percent:+.1f} %"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f} s"
