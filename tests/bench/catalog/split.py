"""How soon all hosts agree on services after a split of ten minutes; simulated, by many seeds.

Real daemons would take ten minutes a run; the simulator runs the same core.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from bench.report import Row
from gossipd.value import Value
from support.splits import SPLITS, SplitRun, run_split

SEEDS = range(1, 21)
HEALED_BAR = 15.0
_WORDS = {
    "split-with-registrations": "nothing passes",
    "split-unheard": "the two are not heard",
    "split-deaf": "the two hear nothing",
}


class Splits(Value):
    """All runs, by scenario."""

    runs: dict[str, tuple[SplitRun, ...]]

    @property
    def all_runs(self) -> list[SplitRun]:
        """The runs of all scenarios."""
        return [run for runs in self.runs.values() for run in runs]


def measure_splits(say: Callable[[str], None]) -> Splits:
    """Run every scenario with every seed."""
    runs: dict[str, tuple[SplitRun, ...]] = {}
    for name in SPLITS:
        runs[name] = tuple(run_split(name, seed) for seed in SEEDS)
        say(f"{name}: {len(runs[name])} runs")
    return Splits(runs)


def split_rows(splits: Splits) -> list[Row]:
    """Return a line for each scenario."""
    return [
        Row(f"healed, {_WORDS[name]}: until all show the same, the worst of {len(runs)}", "s",
            max(run.healed_after for run in runs), HEALED_BAR, "the bar", 1.0)
        for name, runs in splits.runs.items()
    ]  # fmt: skip


def split_misses(splits: Splits) -> list[str]:
    """Return in words what must not happen and did."""
    lines = []
    for name, runs in splits.runs.items():
        wrong = sum(bool(run.violations) for run in runs)
        if wrong:
            lines.append(f"{name}: {wrong} runs lost something or showed what is gone")
        forgot = sum(run.kept_least < 1 for run in runs)
        if forgot:
            lines.append(f"{name}: in {forgot} runs the two gave up some of the others' services")
    return lines


def split_section(splits: Splits, table: str) -> str:
    """Return the chapter about splits."""
    runs = splits.all_runs
    clean = sum(not run.violations for run in runs)
    kept = sum(run.kept_least == 1 for run in runs)
    least = min(run.answered_least for run in runs)
    middle = median(run.healed_after for run in runs)
    return f"""## Two of nine cut off for ten minutes

{table}
Simulated, with registrations, changes and removals on both sides (scenarios
`{"`, `".join(splits.runs)}`); {middle:.2f} s in the median.
In {clean} of {len(runs)} runs the checkers found nothing lost and nothing shown that is gone.
In {kept} the two kept all they had known of the others to the end, marked doubtful;
until the guard held they had {least} of seven at the least.
"""
