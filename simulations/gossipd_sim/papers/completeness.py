"""How late SWIM's round robin can be: recipe S4, time-bounded completeness."""

from __future__ import annotations

from collections.abc import Sequence

from gossipd_sim.papers.figure import Figure
from gossipd_sim.papers.ping_log import PingLog, silent_colony
from gossipd_sim.papers.recipe import Effort, Findings, Recipe, Result, Sample, Task, make_task
from gossipd_sim.papers.swim_mode import INFECTION, PAPER, PART

S4_PASSES = {
    Effort.QUICK: {8: 200, 16: 60, 40: 8},
    Effort.FULL: {8: 2000, 16: 500, 40: 80, 128: 8},
}
"""Passes through the list, by size."""


def _s4_split(effort: Effort, seed: int) -> list[Task]:
    return [
        make_task("S4", f"n={n}", seed, {"n": n, "passes": passes}, weight=n * n * passes / 4e4)
        for n, passes in S4_PASSES[effort].items()
    ]


def _s4_work(task: Task) -> Sample:
    colony = silent_colony(task.seed, INFECTION, task.count("n"))
    log = PingLog(colony)
    n = task.count("n")
    colony.world.run_until(float(task.count("passes") * (n - 1)))
    widest = pairs = 0
    for prober, targets in enumerate(log.targets):
        last: dict[int, int] = {}
        for number, target in enumerate(targets):
            widest = max(widest, number - last.get(target, -1))
            last[target] = number
        assert set(last) == set(range(n)) - {prober}
        widest = max(widest, *(len(targets) - at for at in last.values()))
        pairs += len(last)
    return {"widest": [widest], "pairs": [pairs]}


def _s4_judge(results: Sequence[Result], effort: Effort) -> Findings:
    figures = []
    for result in results:
        n = result.task.count("n")
        figures.append(
            Figure(
                recipe="S4",
                quantity=f"longest gap between two pings of a pair, N = {n}",
                published=f"at most 2N-1 = {2 * n - 1}",
                source="SWIM §4.3",
                unit="periods",
                high=2 * n - 1,
                measured=result.number("widest"),
            )
        )
    passes = ", ".join(f"{count} at N = {n}" for n, count in S4_PASSES[effort].items())
    return Findings(
        how="Bare cores, round robin, nobody fails; every pair of prober and target is looked"
        f" at, beginnings and ends counted as gaps. Passes through the list: {passes}.",
        figures=tuple(figures),
        notes=(
            "With N - 1 others the bound of a shuffled list is 2(N - 1) - 1, two less than"
            " the paper's, whose list has N entries; longer ones would be a defect.",
        ),
    )


RECIPES = (
    Recipe(
        name="S4",
        title="Time-bounded completeness",
        source=f"{PAPER}, §4.3",
        part=PART,
        split=_s4_split,
        work=_s4_work,
        judge=_s4_judge,
    ),
)
