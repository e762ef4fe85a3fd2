"""How soon SWIM notices a crash: recipes S1 and S2.

The first ping that a member gets after some moment does not depend on whether
the member runs: until somebody's probe of it ends, nobody behaves otherwise.
So each member at each moment counts as one crash for the waits until the first
ping; waits until the verdict come from real crashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

from gossipd.swim.events import MemberFailed, SwimEvent
from gossipd_sim.numbers import mean, quantile
from gossipd_sim.papers.colony import Cell, Colony
from gossipd_sim.papers.figure import Figure, around
from gossipd_sim.papers.ping_log import PingLog, silent_colony
from gossipd_sim.papers.recipe import Effort, Findings, Recipe, Result, Sample, Task, make_task
from gossipd_sim.papers.swim_mode import INFECTION, PAPER, PART, SYNCHRONOUS

WARM_UP = 2.0
"""Periods before anything is counted."""
LONGEST = 40.0
"""Periods after the last counted moment, for waits that begin then; random ones may be longer."""


# -- S1: all in step ------------------------------------------------------------------

S1_ROUNDS = {
    Effort.QUICK: {8: 1500, 40: 300, 128: 90},
    Effort.FULL: {8: 20000, 16: 10000, 40: 4000, 128: 1200, 1000: 150},
}
"""Boundaries of periods looked at, by size."""
S1_TOLERANCE = 0.03
S1_LIMIT = 1 / (1 - exp(-1))
"""e / (e - 1): the expected time for large groups (section 3.1)."""
S1_BAR = 0.05


def _s1_split(effort: Effort, seed: int) -> list[Task]:
    return [
        make_task(
            "S1", f"n={n}", seed, {"n": n, "rounds": rounds}, weight=n * (rounds + LONGEST) / 4e4
        )
        for n, rounds in S1_ROUNDS[effort].items()
    ]


def _s1_work(task: Task) -> Sample:
    colony = silent_colony(task.seed, SYNCHRONOUS, task.count("n"))
    log = PingLog(colony)
    rounds = task.count("rounds")
    colony.world.run_until(WARM_UP + rounds + LONGEST)
    total, longest = 0.0, 0.0
    for number in range(rounds):
        # dead just before this boundary: a ping at it is the first period's
        boundary = WARM_UP + number + 0.5
        for cell in colony.cells:
            wait = round(log.wait(cell.index, boundary) + 0.5)
            total += wait
            longest = max(longest, wait)
    return {"mean": [total / (rounds * len(colony.cells))], "longest": [longest]}


def s1_expected(n: int) -> float:
    """Return the expected periods until one of ``n`` members is first pinged by random choice."""
    return 1 / (1 - (1 - 1 / (n - 1)) ** (n - 1))


def _s1_judge(results: Sequence[Result], effort: Effort) -> Findings:
    means = {result.task.count("n"): result.number("mean") for result in results}
    figures = []
    for n, measured in means.items():
        expected = s1_expected(n)
        low, high = around(expected, S1_TOLERANCE)
        figures.append(
            Figure(
                recipe="S1",
                quantity=f"periods until first pinged, N = {n}, mean",
                published=f"1/(1-(1-1/(N-1))^(N-1)) = {expected:.3f}",
                source="SWIM §3.1, targets out of the other N-1",
                unit="periods",
                low=low,
                high=high,
                measured=measured,
            )
        )
    largest = max(means)
    figures.append(
        Figure(
            recipe="S1",
            quantity=f"the same against the limit for large groups, N = {largest}",
            published=f"e/(e-1) = {S1_LIMIT:.3f}",
            source="SWIM §3.1",
            unit="periods",
            low=S1_LIMIT - S1_BAR,
            high=S1_LIMIT + S1_BAR,
            measured=means[largest],
        )
    )
    figures.append(
        Figure(
            recipe="S1",
            quantity=f"slope with N: mean at N = {largest} over that at N = 40",
            published="no trend with N",
            source="SWIM §5.1, Fig. 3(a)",
            low=1 - S1_TOLERANCE,
            high=1 + S1_TOLERANCE,
            measured=means[largest] / means[40],
        )
    )
    sizes = ", ".join(f"{n} × {rounds}" for n, rounds in S1_ROUNDS[effort].items())
    return Findings(
        how="Bare cores of the daemon, random targets, all members in step, no loss, no"
        " suspicion. Each member at each boundary of a period is a crash just before it"
        f" (members × boundaries: {sizes}): the first ping to a member does not depend on"
        " whether it runs. One task a size, seeds split from the root.",
        figures=tuple(figures),
    )


# -- S2: everybody for itself -----------------------------------------------------------

S2_PERIODS = {
    Effort.QUICK: {8: 1200, 128: 60},
    Effort.FULL: {8: 20000, 16: 10000, 128: 1500, 1000: 150},
}
"""Periods looked at, by size; many passes through the list where the size allows."""
S2_CRASHES = {Effort.QUICK: {16: 500}, Effort.FULL: {16: 4000, 40: 1500}}
"""Real crashes, by size."""
S2_TOLERANCE = 0.05


def _s2_split(effort: Effort, seed: int) -> list[Task]:
    watched = [
        make_task(
            "S2", f"first ping n={n}", seed, {"n": n, "periods": periods}, weight=n * periods / 4e4
        )
        for n, periods in S2_PERIODS[effort].items()
    ]
    crashed = [
        make_task(
            "S2", f"verdict n={n}", seed, {"n": n, "crashes": crashes}, weight=n * crashes / 8e3
        )
        for n, crashes in S2_CRASHES[effort].items()
    ]
    return watched + crashed


def _s2_work(task: Task) -> Sample:
    return _s2_verdicts(task) if "crashes" in task.parameters else _s2_first_pings(task)


def _s2_first_pings(task: Task) -> Sample:
    colony = silent_colony(task.seed, INFECTION, task.count("n"))
    log = PingLog(colony)
    periods = task.count("periods")
    colony.world.run_until(WARM_UP + periods + LONGEST)
    moments = colony.world.random("moments of crashes")
    waits = [
        log.wait(cell.index, WARM_UP + number + moments.random())
        for number in range(periods)
        for cell in colony.cells
    ]
    return {
        "mean": [mean(waits)],
        "median": [quantile(waits, 0.5)],
        "p99": [quantile(waits, 0.99)],
    }


def wait_survival(periods: float, n: int) -> float:
    """Return the probability that a member of ``n`` is not pinged for ``periods``.

    Exact for round robin with independent phases: each of the others goes
    through its list at a place of its own, in which the member stands anywhere, and
    anew in the next pass.
    """
    others = n - 1
    u = periods / others
    if u >= 2:
        one = 0.0
    elif u > 1:
        one = (2 - u) ** 3 / 6
    else:
        rest = 1 - u
        one = rest**2 + (2 - u) / 2 * (1 - rest**2) - (1 - rest**3) / 3
    return float(one**others)


def wait_mean(n: int) -> float:
    """Return the mean of that law, in periods."""
    step = 1e-3
    return sum(wait_survival((k + 0.5) * step, n) for k in range(int(LONGEST / step))) * step


def wait_quantile(n: int, share: float) -> float:
    """Return the wait that ``share`` of all do not exceed, in periods."""
    low, high = 0.0, 2.0 * n
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if wait_survival(middle, n) > 1 - share else (low, middle)
    return low


class _Crashes:
    """Crashes one random member of a colony after another, and waits for each verdict."""

    def __init__(self, colony: Colony) -> None:
        self._colony = colony
        self._chance = colony.world.random("crashes")
        self._victim: Cell | None = None
        self._since = 0.0
        self.waits: list[float] = []
        """Periods from crash to first verdict."""
        colony.on_event = self._on_event
        self._next()

    def _next(self) -> None:
        pause = WARM_UP + self._chance.random()
        self._colony.world.after(pause, self._crash)

    def _crash(self) -> None:
        cells = self._colony.cells
        self._victim = cells[self._chance.randrange(len(cells))]
        self._since = self._colony.world.now
        self._colony.stop(self._victim)

    def _on_event(self, cell: Cell, event: SwimEvent) -> None:
        victim = self._victim
        if isinstance(event, MemberFailed) and victim and event.member.name == victim.name:
            self.waits.append(self._colony.world.now - self._since)
            self._victim = None
            self._colony.revive(victim)
            self._next()


def _s2_verdicts(task: Task) -> Sample:
    colony = silent_colony(task.seed, INFECTION, task.count("n"), is_firm=True)
    crashes = _Crashes(colony)
    wanted = task.count("crashes")
    while len(crashes.waits) < wanted:
        colony.world.run_until(colony.world.now + 100.0)
    return {"verdict": [mean(crashes.waits[:wanted])]}


def _s2_judge(results: Sequence[Result], effort: Effort) -> Findings:
    figures = []
    for result in results:
        n = result.task.count("n")
        if "verdict" in result.sample:
            figures.append(_s2_verdict_figure(n, result.number("verdict")))
            continue
        law = {"mean": wait_mean(n), "median": wait_quantile(n, 0.5), "p99": wait_quantile(n, 0.99)}
        for name, expected in law.items():
            low, high = around(expected, S2_TOLERANCE)
            figures.append(
                Figure(
                    recipe="S2",
                    quantity=f"crash to first ping, N = {n}, {name}",
                    published=f"{expected:.3g}",
                    source="SWIM §4.3, exact law computed",
                    unit="periods",
                    low=low,
                    high=high,
                    measured=result.number(name),
                )
            )
    watched = ", ".join(f"{n} × {periods}" for n, periods in S2_PERIODS[effort].items())
    crashed = ", ".join(f"{count} at N = {n}" for n, count in S2_CRASHES[effort].items())
    return Findings(
        how="Bare cores, round robin, phases at random, no loss, no suspicion. First pings:"
        f" each member at a random moment of each period is a crash ({watched} members ×"
        f" periods). Verdicts: real crashes one after another ({crashed}); nobody believes"
        " a verdict, so that the group stays as it is. One task a size.",
        figures=tuple(figures),
        notes=(
            "Figure 3(a) of the paper has a mean of 1.76 and a median of 1.56 periods over 29"
            " points. That lies between the wait for the first ping and the verdict one period"
            " later; the paper does not say which moment was logged.",
        ),
    )


def _s2_verdict_figure(n: int, measured: float) -> Figure:
    expected = wait_mean(n) + 1
    low, high = around(expected, S2_TOLERANCE)
    return Figure(
        recipe="S2",
        quantity=f"crash to first verdict, N = {n}, mean",
        published=f"{expected:.3g}, one period after the first ping",
        source="SWIM §3.1, exact law computed",
        unit="periods",
        low=low,
        high=high,
        measured=measured,
    )


RECIPES = (
    Recipe(
        name="S1",
        title="First detection, all members in step",
        source=f"{PAPER}, §3.1",
        part=PART,
        split=_s1_split,
        work=_s1_work,
        judge=_s1_judge,
    ),
    Recipe(
        name="S2",
        title="First detection, everybody for itself",
        source=f"{PAPER}, §3.1, §4.3, §5.1",
        part=PART,
        split=_s2_split,
        work=_s2_work,
        judge=_s2_judge,
    ),
)
