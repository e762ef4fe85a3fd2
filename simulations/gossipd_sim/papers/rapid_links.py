"""What the Rapid paper measured of memberlist where links go bad and stay so (R3, R4)."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from gossipd.value import replace
from gossipd_sim.numbers import quantile
from gossipd_sim.papers.figure import Figure
from gossipd_sim.papers.rapid_bench import LINKS, PAPER, PART, QUICK_SIZE, LargeCluster
from gossipd_sim.papers.recipe import Effort, Findings, Recipe, Result, Sample, Task, make_task

FAULT_AT = 90.0
LASTS = {Effort.QUICK: 260.0, Effort.FULL: 900.0}
SIZES = {Effort.QUICK: QUICK_SIZE, Effort.FULL: 250}
"""One of a hundred members is cut off; the quarter of an hour of 1000 would take as long."""
FLIP = 20.0
"""Seconds without any input, and with it again."""
RETURNS_FROM = {Effort.QUICK: FAULT_AT, Effort.FULL: 250.0}
LOSS = 0.8


def _links_split(recipe: str, faults: Sequence[str], effort: Effort, seed: int) -> list[Task]:
    count = SIZES[effort]
    return [
        make_task(
            recipe,
            f"{fault}, TCP fallback {fallback}",
            seed,
            {
                "n": count,
                "fault": fault,
                "fallback": fallback,
                "lasts": LASTS[effort],
                "returns_from": RETURNS_FROM[effort],
            },
            weight=count * LASTS[effort] / 3000.0,
            chance=f"{recipe} {fault}",
        )
        for fault in faults
        for fallback in ("on", "off")
    ]


def _links_work(task: Task) -> Sample:
    """Run one kind of bad links; returns view sizes of the others each second, and returns."""
    cluster = LargeCluster(task.count("n"), task.seed, stream_ping=task.text("fallback") == "on")
    cluster.form()
    site, network = cluster.site, cluster.site.network
    victims, others = cluster.victims(max(1, task.count("n") // 100))
    smallest, largest = [], []
    flips = 0
    while site.world.now < task.number("lasts"):
        site.run(1.0)
        now = site.world.now
        if task.text("fault") == "flip-flop" and now >= FAULT_AT + flips * FLIP:
            if flips % 2:
                network.heal(others, victims)
            else:
                network.cut(others, victims)
            flips += 1
        elif now == FAULT_AT:
            ends = (victims, others) if task.text("fault") == "egress" else (others, victims)
            network.set_laws(*ends, replace(LINKS, loss=LOSS))
        low, high = cluster.views.write_down(others)
        smallest.append(float(low))
        largest.append(float(high))
    watchers = set(others)
    after = task.number("returns_from")
    returns = [0.0] * len(others)
    place = {name: position for position, name in enumerate(others)}
    for at, host, name in cluster.views.returns:
        if at >= after and host in watchers and name in victims:
            returns[place[host]] += 1.0
    false = sum(
        host in watchers and name not in victims for _, host, name in cluster.views.removals
    )
    return {
        "smallest": smallest,
        "largest": largest,
        "returns": [quantile(returns, 0.5)],
        "victims": [float(len(victims))],
        "false": [float(false)],
    }


def _longest_agreement(result: Result) -> float:
    """Return the most seconds in a row in which all others had removed all victims."""
    settled = result.task.number("n") - result.number("victims")
    longest = run = 0
    for low, high in zip(result.numbers("smallest"), result.numbers("largest"), strict=True):
        run = run + 1 if low == high == settled else 0
        longest = max(longest, run)
    return float(longest)


def _links_how(results: Sequence[Result]) -> str:
    task = results[0].task
    return (
        f"{task.count('n')} members that know each other, LAN defaults; the fault begins at"
        f" {FAULT_AT:g} s and lasts until {task.number('lasts'):g} s. The views of the others,"
        " written down each second, are looked at. One run each with the TCP fallback of probes"
        " and without."
    )


def _r3_split(effort: Effort, seed: int) -> list[Task]:
    return _links_split("R3", ("flip-flop",), effort, seed)


def _r3_judge(results: Sequence[Result], effort: Effort) -> Findings:
    figures = []
    for result in results:
        what = f"TCP fallback {result.task.text('fallback')}"
        figures += [
            Figure(
                recipe="R3",
                quantity=f"seconds in a row in which the others agreed without the cut-off, {what}",
                published="never for good",
                source="Rapid Figure 9",
                unit="s",
                high=60.0,
                measured=_longest_agreement(result),
            ),
            Figure(
                recipe="R3",
                quantity=(
                    f"returns that the median member saw after"
                    f" {result.task.number('returns_from'):g} s, {what}"
                ),
                published="oscillates to the end: 10 at least",
                source="Rapid Figure 9, read by eye",
                low=10.0 if effort is Effort.FULL else 1.0,
                measured=result.number("returns"),
            ),
            _false_figure("R3", result, what),
        ]
    return Findings(how=_links_how(results), figures=tuple(figures))


def _r4_split(effort: Effort, seed: int) -> list[Task]:
    return _links_split("R4", ("egress", "ingress"), effort, seed)


def _r4_judge(results: Sequence[Result], effort: Effort) -> Findings:
    figures = []
    for result in results:
        what = f"{LOSS:.0%} {result.task.text('fault')} loss, {result.task.text('fallback')}"
        what = what.replace(", o", ", TCP fallback o")
        count = result.task.count("n")
        is_full = effort is Effort.FULL
        figures += [
            Figure(
                recipe="R4",
                quantity=f"smallest view of {count}, {what}",
                published="992 of 1000",
                source="Rapid Figures 1 and 10",
                low=0.985 * count if is_full else -inf,
                high=0.997 * count if is_full else inf,
                measured=min(result.numbers("smallest")),
            ),
            Figure(
                recipe="R4",
                quantity=f"seconds in which views differed, {what}",
                published="inconsistent near 400 s",
                source="Rapid Figure 10",
                unit="s",
                measured=sum(
                    low != high
                    for low, high in zip(
                        result.numbers("smallest"), result.numbers("largest"), strict=True
                    )
                ),
            ),
            _false_figure("R4", result, what),
        ]
    return Findings(how=_links_how(results), figures=tuple(figures))


def _false_figure(recipe: str, result: Result, what: str) -> Figure:
    return Figure(
        recipe=recipe,
        quantity=f"removals of members with good links, {what}",
        published="–",
        source="not published",
        measured=result.number("false"),
    )


RECIPES = (
    Recipe(
        name="R3",
        title="members that hear nothing, every other 20 s",
        source=f"{PAPER}, section 7, Figure 9",
        part=PART,
        split=_r3_split,
        work=_links_work,
        judge=_r3_judge,
    ),
    Recipe(
        name="R4",
        title="80 % loss at one member in a hundred",
        source=f"{PAPER}, sections 2 and 7, Figures 1 and 10",
        part=PART,
        split=_r4_split,
        work=_links_work,
        judge=_r4_judge,
    ),
)
