"""Lifeguard's Threshold experiment: how soon a member that hangs is found out (L1, L2).

One anomaly of a time D befalls C of 128 agents. Only the two longest D outlast a suspicion, so
only they are run: shorter ones are detected by nobody. A detection counts from the
start of the anomaly, at the first (or the last) healthy agent that says so, and before
the anomaly ends: later the agent is there to refute it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, log10, nan

from gossipd.value import Value
from gossipd_sim.numbers import quantile
from gossipd_sim.papers.figure import Figure
from gossipd_sim.papers.lifeguard_bench import (
    AGENTS,
    ALL_CONFIGURATIONS,
    ALPHA,
    BETA,
    BY_CODE,
    CONCURRENCIES,
    CONFIGURATIONS,
    DURATIONS_MS,
    Bench,
    swim_of,
)
from gossipd_sim.papers.recipe import Effort, Findings, Recipe, Result, Sample, Task, make_task

PART = "Lifeguard: local health awareness"
PAPER = "Dadgar, Phillips, Currey, arXiv 1707.00788 v2 (DSN 2018)"
SWIM = "SWIM"
LIFEGUARD = "Lifeguard"
OUTLASTING = DURATIONS_MS[-2:]
"""Milliseconds: the anomalies that somebody can detect."""
REPEATS = 10
"""How often each anomaly befalls agents, as in the paper: the 99.9th percentile needs them."""
QUICK_AGENTS = 48
QUICK_CONCURRENCIES = (6,)
QUICK_REPEATS = 3
QUICK_SECONDS, QUICK_POINTS = 0.8, 8.0
"""How far medians of 18 detections may be off: three standard errors of the wait for a probe."""
UNSCALED = 12.44 - ALPHA * log10(AGENTS)
"""Seconds of the published median that are no suspicion, and do not depend on the size."""
SHARES = (("median", 0.5), ("99 %", 0.99), ("99.9 %", 0.999))


class Row(Value, kw_only=True):
    """Median, 99th and 99.9th percentile of first and of full detection, as published."""

    first: tuple[float, float, float]
    full: tuple[float, float, float]


TABLE_V = {
    "SWIM": Row(first=(12.44, 16.96, 19.40), full=(12.90, 16.93, 20.17)),
    "LHA-Probe": Row(first=(12.42, 17.75, 20.10), full=(12.90, 17.98, 20.56)),
    "LHA-Suspicion": Row(first=(12.42, 17.47, 25.41), full=(12.89, 17.33, 23.80)),
    "Buddy": Row(first=(12.45, 17.12, 19.16), full=(12.92, 17.18, 19.81)),
    "Lifeguard": Row(first=(12.45, 17.90, 21.20), full=(12.91, 18.05, 21.68)),
}
"""Seconds, with alpha = 5 and beta = 6."""
TABLE_VII = {
    (2, 2): Row(first=(53.14, 69.81, 76.08), full=(55.12, 73.07, 76.20)),
    (2, 4): Row(first=(54.10, 72.88, 75.41), full=(56.28, 76.96, 75.11)),
    (2, 6): Row(first=(54.34, 75.53, 80.36), full=(56.74, 79.15, 78.58)),
    (4, 2): Row(first=(82.96, 94.28, 99.07), full=(84.42, 97.05, 92.17)),
    (4, 4): Row(first=(83.04, 96.17, 93.71), full=(84.03, 96.69, 95.14)),
    (4, 6): Row(first=(83.12, 96.82, 94.69), full=(84.42, 96.52, 92.71)),
    (5, 2): Row(first=(99.76, 104.95, 112.32), full=(99.92, 105.73, 107.64)),
    (5, 4): Row(first=(99.52, 102.71, 111.44), full=(99.61, 105.08, 107.93)),
    (5, 6): Row(first=(100.08, 105.54, 109.28), full=(100.08, 106.62, 107.49)),
}
"""Lifeguard in percent of SWIM, by alpha and beta."""
PERCENT_BANDS = (2.0, 6.0, 12.0)
"""Points that ours may be off Table VII, by percentile."""
L1_BANDS = ((12.0, 12.9), (16.0, 18.0), (18.5, 21.0))
"""Seconds within which the baseline's first detection has to be, by percentile."""
SPREADING = (0.2, 0.8)
"""Seconds between the medians of first and full detection."""


class Cell(Value, kw_only=True):
    """One configuration with one tuning."""

    configuration: str
    alpha: int = ALPHA
    beta: int = BETA

    @property
    def label(self) -> str:
        """Its name in labels."""
        return f"{self.configuration} {self.alpha},{self.beta}"


def _tasks(recipe: str, cells: Sequence[Cell], effort: Effort, seed: int) -> list[Task]:
    """Return a task for each anomaly of each cell; equal anomalies meet equal agents."""
    is_full = effort is Effort.FULL
    return [
        make_task(
            recipe,
            f"{cell.label} C={concurrency} D={duration} #{repeat}",
            seed,
            {
                "configuration": cell.configuration,
                "alpha": cell.alpha,
                "beta": cell.beta,
                "agents": AGENTS if is_full else QUICK_AGENTS,
                "C": concurrency,
                "D": duration,
            },
            weight=5.0 if is_full else 1.0,
            chance=f"threshold C={concurrency} D={duration} #{repeat}",
        )
        for cell in cells
        for concurrency in (CONCURRENCIES if is_full else QUICK_CONCURRENCIES)
        for duration in (OUTLASTING if is_full else OUTLASTING[-1:])
        for repeat in range(REPEATS if is_full else QUICK_REPEATS)
    ]


def run_threshold(task: Task) -> Sample:
    """Let one anomaly happen; returns the seconds to first and to full detection."""
    swim = swim_of(
        ALL_CONFIGURATIONS[task.text("configuration")], task.count("alpha"), task.count("beta")
    )
    bench = Bench(swim, task.count("C"), task.seed, task.count("agents"))
    found = bench.threshold(task.number("D") / 1000.0)
    return {
        "first": [first for first, _ in found],
        "full": [full for _, full in found if full is not None],
        "missed": [float(len(bench.sick) - len(found))],
    }


def _gather(results: Sequence[Result]) -> Mapping[str, Mapping[str, list[float]]]:
    """Return the detections of all results by cell, then ``first`` or ``full``."""
    cells: dict[str, dict[str, list[float]]] = {}
    for result in results:
        task = result.task
        cell = Cell(
            configuration=task.text("configuration"),
            alpha=task.count("alpha"),
            beta=task.count("beta"),
        )
        found = cells.setdefault(cell.label, {"first": [], "full": []})
        for kind, seconds in found.items():
            seconds += result.numbers(kind)
    return cells


def _quantile(seconds: Sequence[float], share: float) -> float:
    return quantile(seconds, share) if seconds else nan


def _how(results: Sequence[Result], effort: Effort) -> str:
    agents = results[0].task.count("agents")
    found = sum(len(result.numbers("first")) for result in results)
    missed = int(sum(result.number("missed") for result in results))
    scale = (
        "every C and the two longest D of the grid (shorter anomalies outlast no suspicion)"
        if effort is Effort.FULL
        else f"C = {QUICK_CONCURRENCIES[0]}, D = {OUTLASTING[-1]} ms, on fewer agents"
    )
    return (
        f"Threshold experiment (sections V-D, V-E), {agents} agents, {len(results)} runs: {scale}."
        f" {found} agents were found out before their anomaly was over, {missed} were not."
        " Equal anomalies befall equal agents in all configurations."
    )


# -- L1: the baseline, and each part ------------------------------------------------

L1_CELLS = (
    Cell(configuration=SWIM, beta=1),
    *(Cell(configuration=name) for name in CONFIGURATIONS if name != SWIM),
)
"""SWIM is alpha = 5, beta = 1."""


def _l1_split(effort: Effort, seed: int) -> list[Task]:
    return _tasks("L1", L1_CELLS if effort is Effort.FULL else L1_CELLS[:1], effort, seed)


def _l1_judge(results: Sequence[Result], effort: Effort) -> Findings:
    cells = _gather(results)
    found = cells[L1_CELLS[0].label]
    median = _quantile(found["first"], 0.5)
    if effort is Effort.QUICK:
        figures = [_scaled_figure(median, results[0].task.count("agents"))]
    else:
        figures = [
            Figure(
                recipe="L1",
                quantity=f"SWIM, first detection, {what}",
                published=f"{published} s",
                source="Lifeguard Table V",
                unit="s",
                low=low,
                high=high,
                measured=_quantile(found["first"], share),
            )
            for (what, share), published, (low, high) in zip(
                SHARES, TABLE_V[SWIM].first, L1_BANDS, strict=True
            )
        ]
    figures.append(
        Figure(
            recipe="L1",
            quantity="SWIM, median of full less median of first detection",
            published="0.46 s",
            source="Lifeguard Table V",
            unit="s",
            low=SPREADING[0],
            high=SPREADING[1],
            measured=_quantile(found["full"], 0.5) - median,
        )
    )
    for cell in L1_CELLS[1:]:
        if cell.label in cells:
            figures += _recorded(cell, cells[cell.label])
    return Findings(how=_how(results, effort), figures=tuple(figures))


def _scaled_figure(median: float, agents: int) -> Figure:
    """Return the median in a cluster of another size than the paper's."""
    expected = ALPHA * log10(agents) + UNSCALED
    return Figure(
        recipe="L1",
        quantity=f"SWIM, first detection, median, {agents} agents",
        published=f"{expected:.2f} s",
        source="Lifeguard Table V, 12.44 s with 128 agents, computed",
        unit="s",
        low=expected - QUICK_SECONDS,
        high=expected + QUICK_SECONDS,
        measured=median,
    )


def _recorded(cell: Cell, found: Mapping[str, Sequence[float]]) -> list[Figure]:
    """Return the detections of one of the other configurations, beside Table V."""
    row = TABLE_V[cell.configuration]
    return [
        Figure(
            recipe="L1",
            quantity=f"{cell.configuration}, {kind} detection, {what}",
            published=f"{published} s",
            source="Lifeguard Table V",
            unit="s",
            measured=_quantile(found[kind], share),
        )
        for kind, figures in (("first", row.first), ("full", row.full))
        for (what, share), published in zip(SHARES, figures, strict=True)
    ]


# -- L2: tunings ----------------------------------------------------------------------

L2_BASE = Cell(configuration=SWIM, beta=1)
L2_CELLS = (
    L2_BASE,
    *(Cell(configuration=LIFEGUARD, alpha=alpha, beta=beta) for alpha, beta in TABLE_VII),
)
L2_BY_CODE = tuple(
    Cell(configuration=BY_CODE[LIFEGUARD], alpha=alpha, beta=beta)
    for alpha, beta in ((2, 2), (2, 4), (2, 6), (5, 6))
)
"""What memberlist's rules do to some of the tunings: recorded beside them, not judged."""


RULES = (
    "Judged are the paper's rules of local health (section IV-A). By those of memberlist's code,"
    " which the daemon follows unless `paper_health` is set, a helper's nack is due when the whole"
    " probe time-out is over, half a second after it was asked: just when the prober gives up. It"
    " arrives one round trip too late, so that a well prober of a dead member counts three missing"
    " nacks and makes its next rounds last 4, 3 and 2 s. So the third confirmation of another"
    " suspicion comes later. With α = 4 or 5 it is early enough all the same, with α = 2 it is not."
)
"""What the rows by memberlist's rules show."""


def _l2_split(effort: Effort, seed: int) -> list[Task]:
    cells = (*L2_CELLS, *L2_BY_CODE) if effort is Effort.FULL else L2_CELLS[:2]
    return _tasks("L2", cells, effort, seed)


def _l2_judge(results: Sequence[Result], effort: Effort) -> Findings:
    cells = _gather(results)
    base = cells[L2_BASE.label]
    agents = results[0].task.count("agents")
    figures = []
    for cell in (*L2_CELLS[1:], *L2_BY_CODE):
        if cell.label not in cells:
            continue
        row = TABLE_VII[cell.alpha, cell.beta]
        rules = cell.configuration.removeprefix(LIFEGUARD)
        bands = (inf,) * len(SHARES) if rules else PERCENT_BANDS
        tuning = f"α = {cell.alpha}, β = {cell.beta}{rules}"
        for kind, published in (("first", row.first), ("full", row.full)):
            for (what, share), percent, points in zip(SHARES, published, bands, strict=True):
                if effort is Effort.QUICK:
                    if share > 0.5:
                        continue
                    percent, points = _scaled_percent(cell, agents), QUICK_POINTS
                ours = _quantile(cells[cell.label][kind], share)
                figures.append(
                    Figure(
                        recipe="L2",
                        quantity=f"{tuning}, {kind} detection, {what}",
                        published=f"{percent:.2f} % of SWIM's",
                        source="Lifeguard Table VII",
                        unit="%",
                        low=percent - points,
                        high=percent + points,
                        measured=100.0 * ours / _quantile(base[kind], share),
                        note=_size_note(effort, agents),
                    )
                )
    notes = (RULES,) if effort is Effort.FULL else ()
    return Findings(how=_how(results, effort), figures=tuple(figures), notes=notes)


def _scaled_percent(cell: Cell, agents: int) -> float:
    """Return what Table VII comes to in a cluster of another size (computed)."""
    base = ALPHA * log10(agents) + UNSCALED
    return 100.0 * (cell.alpha * log10(agents) + UNSCALED) / base


def _size_note(effort: Effort, agents: int) -> str:
    return "" if effort is Effort.FULL else f"computed from Table V for {agents} agents"


RECIPES = (
    Recipe(
        name="L1",
        title="time to detect a member that hangs, SWIM and each part of Lifeguard",
        source=f"{PAPER}, sections V-D and V-F2, Table V",
        part=PART,
        split=_l1_split,
        work=run_threshold,
        judge=_l1_judge,
        version=2,
    ),
    Recipe(
        name="L2",
        title="time to detect, by tuning",
        source=f"{PAPER}, section V-F4, Table VII",
        part=PART,
        split=_l2_split,
        work=run_threshold,
        judge=_l2_judge,
        version=2,
    ),
)
