"""Lifeguard's CPU exhaustion (section II, Figure 1): starved members among well ones (L5).

100 hosts, some of which run 128 busy processes beside the agent for 5 minutes.
Here a stressed agent handles everything through one queue, and each thing takes a
time with a heavy tail. What a real scheduler gives to an agent was not published,
so only the shape of the figure is held against it.
"""

from __future__ import annotations

from collections.abc import Sequence

from gossipd_sim.latency import LogNormal
from gossipd_sim.papers.figure import Figure
from gossipd_sim.papers.lifeguard_bench import CONFIGURATIONS, Bench, swim_of
from gossipd_sim.papers.lifeguard_threshold import LIFEGUARD, PAPER, PART, SWIM
from gossipd_sim.papers.recipe import Effort, Findings, Recipe, Result, Sample, Task, make_task

AGENTS = 100
LASTS = 300.0
STRESSED = (1, 2, 4, 8, 16, 32)
SERVICE = LogNormal(0.03, 1.98)
"""Median 30 ms, and one of 100 takes 3 s."""
QUICK_AGENTS = 32
QUICK_LASTS = 60.0
QUICK_STRESSED = (2,)
PUBLISHED = {
    SWIM: {"fp": (10, 45, 365, 955, 1775, 3310), "healthy": (0, 0, 215, 325, 365, 610)},
    LIFEGUARD: {"fp": (0, 0, 0, 0, 95, 1270), "healthy": (0, 0, 0, 0, 0, 55)},
}
"""Bar heights of Figure 1 by stressed hosts, read by eye, 20 off at most."""
SWIM_HEALTHY_FROM = 50
"""FP- that SWIM has at least with four stressed hosts."""
LIFEGUARD_CLEAN_UP_TO = 8
"""Stressed hosts up to which Lifeguard has no FP at all."""


def _split(effort: Effort, seed: int) -> list[Task]:
    is_full = effort is Effort.FULL
    return [
        make_task(
            "L5",
            f"{name} stressed={stressed}",
            seed,
            {
                "configuration": name,
                "agents": AGENTS if is_full else QUICK_AGENTS,
                "lasts": LASTS if is_full else QUICK_LASTS,
                "stressed": stressed,
            },
            weight=40.0 if is_full else 2.0,
            chance=f"exhaustion stressed={stressed}",
        )
        for stressed in (STRESSED if is_full else QUICK_STRESSED)
        for name in (SWIM, LIFEGUARD)
    ]


def run_exhaustion(task: Task) -> Sample:
    """Starve some agents; returns false positives."""
    swim = swim_of(CONFIGURATIONS[task.text("configuration")])
    bench = Bench(swim, task.count("stressed"), task.seed, task.count("agents"))
    bench.exhaust(SERVICE, task.number("lasts"))
    return {"fp": [bench.tally.false], "healthy": [bench.tally.false_at_healthy]}


def _judge(results: Sequence[Result], effort: Effort) -> Findings:
    figures = []
    for result in results:
        name, stressed = result.task.text("configuration"), result.task.count("stressed")
        for kind, what in (("fp", "FP"), ("healthy", "FP-")):
            low, high = float("-inf"), float("inf")
            if effort is Effort.FULL and name == SWIM and kind == "healthy" and stressed == 4:
                low = SWIM_HEALTHY_FROM
            if name == LIFEGUARD and kind == "fp" and stressed <= LIFEGUARD_CLEAN_UP_TO:
                high = 0
            published = "–"
            if effort is Effort.FULL:
                published = f"about {PUBLISHED[name][kind][STRESSED.index(stressed)]}"
            figures.append(
                Figure(
                    recipe="L5",
                    quantity=f"{name}, {what}, {stressed} stressed",
                    published=published,
                    source="Lifeguard Figure 1",
                    low=low,
                    high=high,
                    measured=result.number(kind),
                )
            )
    agents, lasts = results[0].task.count("agents"), results[0].task.number("lasts")
    return Findings(
        how=(
            f"{agents} agents; a stressed one handles input and deadlines through one queue, each"
            f" in a time of its own (log-normal, median {SERVICE.median:g} s, 99 % 3 s), for"
            f" {lasts:g} s. One run for each number of stressed agents and configuration."
        ),
        figures=tuple(figures),
    )


RECIPES = (
    Recipe(
        name="L5",
        title="false positives of exhausted hosts",
        source=f"{PAPER}, section II, Figure 1",
        part=PART,
        split=_split,
        work=run_exhaustion,
        judge=_judge,
        version=2,
    ),
)
