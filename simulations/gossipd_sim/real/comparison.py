"""Real processes beside the simulator: the same faults, the same rules of measuring.

For each kind of news: how long until the first heard and until all had,
median over its samples on both sides, and the difference in percent of the
virtual one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from statistics import median

from gossipd.value import Value
from gossipd_sim.cluster import Cluster
from gossipd_sim.news import News, Spread, Spreads, everywheres, firsts
from gossipd_sim.news_watcher import NewsWatcher
from gossipd_sim.pool import run_all
from gossipd_sim.real.plan import RealPlan
from gossipd_sim.real.run import RealOutcome
from gossipd_sim.script import Scenario

FIRST, EVERYWHERE = "first", "everywhere"
_PICKS: dict[str, Callable[[Iterable[Spread], News], list[float]]] = {
    FIRST: firsts,
    EVERYWHERE: everywheres,
}
_WORDS = {
    News.CRASH: "crash shown as failed",
    News.LEAVE: "leave seen",
    News.JOIN: "join seen",
    News.RETURN: "return seen",
    News.FREEZE: "frozen one shown as failed",
}
_ORDER = (News.CRASH, News.LEAVE, News.RETURN, News.JOIN, News.FREEZE)


class Side(Value):
    """One side of a row: samples in seconds, in order, and how many pieces of news there were."""

    samples: tuple[float, ...]
    happened: int

    @property
    def median(self) -> float | None:
        """Seconds; ``None`` without samples."""
        return median(self.samples) if self.samples else None


class Row(Value):
    """One figure on both sides; ``how`` is ``first`` or ``everywhere``."""

    news: News
    how: str
    virtual: Side
    real: Side

    @property
    def percent(self) -> float | None:
        """By how much the real median is above the virtual one."""
        virtual, real = self.virtual.median, self.real.median
        if not virtual or real is None:
            return None
        return 100.0 * (real - virtual) / virtual


class VirtualTask(Value):
    """One simulated run of a plan."""

    scenario: Scenario
    seed: int


def run_virtual(
    plan: RealPlan, seeds: Sequence[int], jobs: int
) -> Generator[tuple[Spread, ...], None, None]:
    """Yield how news spread in the simulator, for each seed as it is finished."""
    tasks = [VirtualTask(plan.scenario, seed) for seed in seeds]
    for _, spreads in run_all(run_virtual_task, tasks, jobs):
        yield spreads


def run_virtual_task(task: VirtualTask) -> tuple[Spread, ...]:
    """Do one run; for another process to call."""
    cluster = Cluster(task.scenario, task.seed)
    spreads = Spreads()
    watcher = NewsWatcher(cluster.truth, spreads, begins_formed=cluster.begins_formed)
    cluster.observers.append(watcher)
    cluster.run()
    watcher.catch_up()
    begin = cluster.faults[0].at if cluster.faults else 0.0
    return tuple(spread for spread in spreads.spreads() if spread.at >= begin)


def compare(virtual: Sequence[tuple[Spread, ...]], real: RealOutcome) -> list[Row]:
    """Return all rows that have samples on either side."""
    pooled = [spread for spreads in virtual for spread in spreads]
    rows = []
    for news in _ORDER:
        for how, pick in _PICKS.items():
            sides = [
                Side(tuple(sorted(pick(spreads, news))), _count(spreads, news))
                for spreads in (pooled, real.spreads)
            ]
            if any(side.samples for side in sides):
                rows.append(Row(news, how, sides[0], sides[1]))
    return rows


def false_alarms(spreads: Iterable[Spread]) -> int:
    """Return how often somebody was shown as failed who was well."""
    return _count(spreads, News.FALSE_ALARM)


def comparison_json(
    plan: RealPlan, virtual: Sequence[tuple[Spread, ...]], real: RealOutcome
) -> dict[str, object]:
    """Return everything as plain values; seconds and percent."""
    return {
        "scenario": plan.scenario.name,
        "nodes": plan.scenario.nodes,
        "real": real.kind,
        "finished": real.finished,
        "troubles": list(real.troubles),
        "real_seconds": round(real.seconds, 3),
        "virtual_runs": len(virtual),
        "rows": [
            {
                "news": str(row.news),
                "how": row.how,
                "virtual": _side_json(row.virtual),
                "real": _side_json(row.real) | {"samples": [round(s, 4) for s in row.real.samples]},
                "difference_percent": None if row.percent is None else round(row.percent, 2),
            }
            for row in compare(virtual, real)
        ],
        "false_alarms": {
            "virtual": sum(false_alarms(spreads) for spreads in virtual),
            "real": false_alarms(real.spreads),
        },
    }


def comparison_text(
    plan: RealPlan, virtual: Sequence[tuple[Spread, ...]], real: RealOutcome
) -> str:
    """Return the table."""
    lines = [
        f"{plan.scenario.name}, {plan.scenario.nodes} members: {real.kind} processes for"
        f" {real.seconds:.0f} s beside {len(virtual)} simulated runs; medians in seconds"
    ]
    rows = compare(virtual, real)
    lines += _columns(rows) if rows else ["nothing happened that could be compared"]
    alarms = sum(false_alarms(spreads) for spreads in virtual), false_alarms(real.spreads)
    lines.append(f"false alarms: {alarms[0]} in the simulated runs, {alarms[1]} among processes")
    if not real.finished:
        lines.append("cut off: the rest of the scenario did not happen among the processes")
    return "\n".join(lines) + "\n"


def _columns(rows: Sequence[Row]) -> Iterator[str]:
    table = [("", "virtual", "of", "real", "of", "difference")]
    for row in rows:
        percent = "-" if row.percent is None else f"{row.percent:+.1f} %"
        virtual, real = row.virtual, row.real
        table.append(
            (
                f"{_WORDS[row.news]}, {row.how}",
                *(_seconds(virtual), _samples(virtual)),
                *(_seconds(real), _samples(real)),
                percent,
            )
        )
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        padded = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        yield "  ".join([cells[0].ljust(widths[0]), *padded]).rstrip()


def _count(spreads: Iterable[Spread], news: News) -> int:
    return sum(spread.news is news for spread in spreads)


def _side_json(side: Side) -> dict[str, object]:
    middle = side.median
    return {
        "median": None if middle is None else round(middle, 4),
        "count": len(side.samples),
        "happened": side.happened,
    }


def _seconds(side: Side) -> str:
    return "-" if side.median is None else f"{side.median:.3f}"


def _samples(side: Side) -> str:
    count = len(side.samples)
    return str(count) if count == side.happened else f"{count}/{side.happened}"
