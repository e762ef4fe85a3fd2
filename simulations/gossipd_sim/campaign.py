"""``Campaign``: several variants of a scenario on the same seeds, and what their runs gave.

Comparisons and sweeps are campaigns. Results may come in any order and may
stop coming; what is told of them is in the order of the variants and seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing

from gossipd_sim.errors import ScenarioError
from gossipd_sim.grid import Variant
from gossipd_sim.pool import Workers, run_all
from gossipd_sim.report import violation_json
from gossipd_sim.tables import nearest
from gossipd_sim.trial import Trial, TrialResult, run_trial

LESS_IS_BETTER = (
    "detection.first",
    "detection.full",
    "deaths.false",
    "suspicions.false",
    "stuck_leaving",
    "agreement.median",
    "agreement.max",
    "agreement.unsettled",
    "a_node_a_second",
    "queues",
)
MORE_IS_BETTER = ("agreement.share",)
NEITHER = ("count",)
"""Last words of measures that only say how many there were."""


class Campaign:
    """Runs of each of ``variants`` with each of ``seeds``.

    Args:
        measures: dotted names that will be shown; looked for in the first run
            that comes to its end.
    """

    def __init__(
        self, variants: Sequence[Variant], seeds: Sequence[int], measures: Sequence[str] = ()
    ) -> None:
        self.variants = tuple(variants)
        self.seeds = tuple(seeds)
        self._measures = tuple(measures)
        self._are_known = not measures
        self._results: dict[tuple[int, int], TrialResult] = {}

    @property
    def trials(self) -> list[Trial]:
        """All runs to make, those of one seed side by side."""
        return [
            Trial(variant.text, variant.source.file, seed, place)
            for seed in self.seeds
            for place, variant in enumerate(self.variants)
        ]

    @property
    def done(self) -> int:
        """How many runs are finished."""
        return len(self._results)

    @property
    def violating(self) -> int:
        """How many of them broke a rule."""
        return sum(bool(result.violations) for result in self._results.values())

    def run(self, workers: Workers, advance: Callable[[float, str], None]) -> None:
        """Make all runs; what is finished when an exception ends it is kept.

        Args:
            workers: see ``pool.run_all``.
            advance: told 1 for each run, with a note.

        Raises:
            ScenarioError: no run measures what was asked for.
            Unavailable: workers ended before their work was done.
        """
        runs: Generator[tuple[Trial, TrialResult], None, None]
        with closing(run_all(run_trial, self.trials, workers)) as runs:
            for trial, result in runs:
                self.take(trial, result)
                advance(1, f"{self.violating} failing" if self.violating else "")

    def take(self, trial: Trial, result: TrialResult) -> None:
        """Keep the result of one run.

        Raises:
            ScenarioError: it is the first, and does not know a measure asked for.
        """
        if not self._are_known and result.trace:
            check_measures(self._measures, result)
            self._are_known = True
        self._results[trial.place, trial.seed] = result

    def result(self, place: int, seed: int) -> TrialResult | None:
        """Return what a variant gave with a seed, ``None`` if it did not finish."""
        return self._results.get((place, seed))

    def results(self, place: int) -> list[tuple[int, TrialResult]]:
        """Return the finished runs of a variant with their seeds, in order."""
        return [
            (seed, result)
            for seed in self.seeds
            if (result := self._results.get((place, seed))) is not None
        ]

    def failing(self, place: int) -> list[dict[str, object]]:
        """Return the runs of a variant that broke a rule, with the command that repeats each."""
        return [
            {
                "seed": seed,
                "replay": self.variants[place].command("run", seed),
                "violations": [violation_json(violation) for violation in result.violations],
            }
            for seed, result in self.results(place)
            if result.violations
        ]

    def measured(self) -> list[str]:
        """Return every measure that some run has, in the order of the first that has it."""
        names: dict[str, None] = {}
        for place in range(len(self.variants)):
            for _, result in self.results(place):
                names.update(dict.fromkeys(result.measures))
        return list(names)


def check_measures(wanted: Iterable[str], result: TrialResult) -> None:
    """Refuse names that a run can never measure.

    A name whose table exists is let through: that run may have had nothing to
    say of it, such as the detection of crashes that nobody noticed.

    Raises:
        ScenarioError: names the measure, and one that is like it.
    """
    for name in wanted:
        table, _, last = name.rpartition(".")
        siblings = [one for one in result.measures if one.rpartition(".")[0] == table]
        is_empty = table in result.groups and all(one.endswith(".count") for one in siblings)
        if name not in result.measures and not (is_empty and last in _QUANTILES):
            hint = nearest(name, result.measures) or f"; known are {', '.join(result.measures)}"
            raise ScenarioError(f"--measure {name}: nothing of that name is measured{hint}")


_QUANTILES = ("median", "p99", "p999", "max")


def direction(measure: str) -> int:
    """Return -1 where less is better, 1 where more is, and 0 where neither is."""
    if measure.rpartition(".")[2] in NEITHER:
        return 0
    if measure.startswith(MORE_IS_BETTER):
        return 1
    return -1 if measure.startswith(LESS_IS_BETTER) else 0
