"""What short breaks between anomalies are worth: an addition of ours to L3.

In a break of a millisecond an agent that handles everything in no time reads all
that it missed; a real one reads as much as it gets through. L3 takes a time that was
measured at a real agent. Here the same cells are run with several times, to show
which figures of L3 depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence

from gossipd_sim.papers.figure import Figure
from gossipd_sim.papers.lifeguard_bench import CONFIGURATIONS, Bench, swim_of
from gossipd_sim.papers.lifeguard_threshold import PART, SWIM
from gossipd_sim.papers.recipe import Effort, Findings, Recipe, Result, Sample, Task, make_task

AGENTS = 64
SICK = 4
BREAK_MS = 1
DURATIONS = {Effort.QUICK: (8192,), Effort.FULL: (2048, 8192, 16384)}
HANDLING_US = {Effort.QUICK: (0, 50), Effort.FULL: (0, 20, 30, 50, 100)}
"""Microseconds that a sick agent takes for each datagram and stream event."""
NAMES = {
    Effort.QUICK: (SWIM,),
    Effort.FULL: tuple(name for name in CONFIGURATIONS if name != "Buddy"),
}
LASTS = {Effort.QUICK: 40.0, Effort.FULL: 120.0}


def _split(effort: Effort, seed: int) -> list[Task]:
    return [
        make_task(
            "L3B",
            f"{name} D={duration} handling={handling}",
            seed,
            {
                "configuration": name,
                "D": duration,
                "handling": handling,
                "lasts": LASTS[effort],
            },
            weight=LASTS[effort] / 20.0,
            chance=f"breaks D={duration}",
        )
        for duration in DURATIONS[effort]
        for handling in HANDLING_US[effort]
        for name in NAMES[effort]
    ]


def run_breaks(task: Task) -> Sample:
    """Run one cell with one handling time; returns false positives."""
    swim = swim_of(CONFIGURATIONS[task.text("configuration")])
    bench = Bench(swim, SICK, task.seed, AGENTS, handling=task.number("handling") / 1e6)
    bench.interval(task.number("D") / 1000.0, BREAK_MS / 1000.0, task.number("lasts"))
    return {"fp": [bench.tally.false], "healthy": [bench.tally.false_at_healthy]}


def _judge(results: Sequence[Result], effort: Effort) -> Findings:
    return Findings(
        how=(
            f"Interval experiment with I = {BREAK_MS} ms on {AGENTS} agents, {SICK} of them sick;"
            " a sick agent takes so many microseconds to read a datagram. One run each."
        ),
        figures=tuple(
            Figure(
                recipe="L3B",
                quantity=(
                    f"false positives, D = {result.task.count('D')} ms,"
                    f" {result.task.count('handling')} µs, {result.task.text('configuration')}"
                ),
                published="–",
                source="not published",
                measured=result.number("fp"),
            )
            for result in results
        ),
    )


RECIPES = (
    Recipe(
        name="L3B",
        title="breaks of a millisecond, and how long agents take to handle a datagram",
        source="an experiment of our own on the set-up of L3",
        part=PART,
        split=_split,
        work=run_breaks,
        judge=_judge,
        version=3,
    ),
)
