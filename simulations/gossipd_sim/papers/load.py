"""What SWIM costs, and how often it errs: recipes S3 and S7."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from gossipd.config.model import NodeConfig
from gossipd.swim.events import MemberFailed, SwimEvent
from gossipd.value import replace
from gossipd_sim.network import UDP
from gossipd_sim.papers.colony import Cell, Colony
from gossipd_sim.papers.figure import Figure, around
from gossipd_sim.papers.recipe import Effort, Findings, Recipe, Result, Sample, Task, make_task
from gossipd_sim.papers.swim_mode import INFECTION, PAPER, PART
from gossipd_sim.site import Site
from gossipd_sim.world import World

WARM_UP = 2.0
"""Periods before anything is counted."""

# -- S3: load ---------------------------------------------------------------------------

S3_PERIODS = {
    Effort.QUICK: {8: 200, 128: 30, 1000: 5},
    Effort.FULL: {8: 2000, 16: 1000, 128: 200, 1000: 40, 10000: 10},
}
S3_NODES = {Effort.QUICK: {8: 60}, Effort.FULL: {8: 300, 24: 300}}
"""Whole nodes on the network, by number: periods."""
S3_SPREAD = {Effort.QUICK: (28, 200), Effort.FULL: (28, 4000)}
"""Members and periods for the spread of the load over members and periods."""
S3_FEW_TOLERANCE = 0.005
S3_FEW = 5
"""Messages that a member rarely sends in one period."""
S3_EXPECTED, S3_TOLERANCE = 2.0, 0.02
"""Messages a member a period; the bar is 2 %, the recipe asks for 0.02."""
S3_SETTLE = 60.0
"""Periods until whole nodes have told each other of their joins."""


def _s3_split(effort: Effort, seed: int) -> list[Task]:
    cores = [
        make_task("S3", f"n={n}", seed, {"n": n, "periods": periods}, weight=n * periods / 4e4)
        for n, periods in S3_PERIODS[effort].items()
    ]
    nodes = [
        make_task(
            "S3", f"{n} nodes", seed, {"nodes": n, "periods": periods}, weight=n * periods / 4e3
        )
        for n, periods in S3_NODES[effort].items()
    ]
    n, periods = S3_SPREAD[effort]
    parameters = {"members": n, "periods": periods}
    spread = make_task("S3", f"spread n={n}", seed, parameters, weight=n * periods / 4e4)
    return [*cores, *nodes, spread]


def _s3_work(task: Task) -> Sample:
    if "nodes" in task.parameters:
        return _s3_nodes(task)
    return _s3_spread(task) if "members" in task.parameters else _s3_cores(task)


def _s3_spread(task: Task) -> Sample:
    n, periods = task.count("members"), task.count("periods")
    colony = Colony(World(task.seed), INFECTION, n)
    colony.acquaint()
    colony.world.run_until(WARM_UP)
    few = 0
    for period in range(1, periods + 1):
        before = [cell.sent for cell in colony.cells]
        colony.world.run_until(WARM_UP + period)
        few += sum(cell.sent - was < S3_FEW for cell, was in zip(colony.cells, before, strict=True))
    return {"few": [few / n / periods]}


def _s3_cores(task: Task) -> Sample:
    n, periods = task.count("n"), task.count("periods")
    colony = Colony(World(task.seed), INFECTION, n)
    colony.acquaint()
    colony.world.run_until(WARM_UP)
    before = [(cell.sent, cell.received) for cell in colony.cells]
    colony.world.run_until(WARM_UP + periods)
    pairs = list(zip(colony.cells, before, strict=True))
    sent = sum(cell.sent - was for cell, (was, _) in pairs)
    received = sum(cell.received - was for cell, (_, was) in pairs)
    return {"sent": [sent / n / periods], "received": [received / n / periods]}


def _s3_nodes(task: Task) -> Sample:
    n, periods = task.count("nodes"), task.count("periods")
    site = Site(task.seed)
    hosts = [
        site.add_host(name, NodeConfig(name=name, swim=INFECTION))
        for name in (f"n{index}" for index in range(n))
    ]
    for host in hosts:
        host.boot()
        host.join(hosts[:1])
        site.run(1.0)
    site.run(S3_SETTLE)
    sent, received = (
        ledger.total(UDP).packets for ledger in (site.network.sent, site.network.received)
    )
    site.run(float(periods))
    sent = site.network.sent.total(UDP).packets - sent
    received = site.network.received.total(UDP).packets - received
    return {"sent": [sent / n / periods], "received": [received / n / periods]}


def _s3_judge(results: Sequence[Result], effort: Effort) -> Findings:
    figures = [
        Figure(
            recipe="S3",
            quantity=f"messages {way} a member a period, {_s3_size(result.task)}",
            published="2.0",
            source="SWIM §3.2, Fig. 2",
            low=S3_EXPECTED - S3_TOLERANCE,
            high=S3_EXPECTED + S3_TOLERANCE,
            measured=result.number(way),
        )
        for result in results
        if "few" not in result.sample
        for way in ("sent", "received")
    ]
    figures += [_s3_few(result) for result in results if "few" in result.sample]
    periods = ", ".join(f"{n} × {count}" for n, count in S3_PERIODS[effort].items())
    nodes = ", ".join(f"{n} × {count}" for n, count in S3_NODES[effort].items())
    members, looked_at = S3_SPREAD[effort]
    return Findings(
        how="Nothing fails, there is no news. Bare cores who know each other from the start"
        f" (members × periods: {periods}), and whole nodes of the daemon on the simulated"
        f" network, which joined each other {S3_SETTLE:g} periods before ({nodes}). The"
        f" spread is that over {members} bare cores and {looked_at} periods.",
        figures=tuple(figures),
    )


def _s3_few(result: Result) -> Figure:
    n = result.task.count("members")
    expected = few_acks(n, S3_FEW - 1)
    return Figure(
        recipe="S3",
        quantity=f"share of members and periods with under {S3_FEW} messages sent, N = {n}",
        published=f"0.99; {expected:.3f} with one ping and a binomial number of acks",
        source="SWIM §5.1; the latter computed",
        low=expected - S3_FEW_TOLERANCE,
        high=1.0,
        measured=result.number("few"),
    )


def few_acks(n: int, limit: int) -> float:
    """Return how likely fewer than ``limit`` of ``n`` - 1 others ping a member in a period."""
    share = 1 / (n - 1)
    return sum(
        comb(n - 1, pings) * share**pings * (1 - share) ** (n - 1 - pings) for pings in range(limit)
    )


def _s3_size(task: Task) -> str:
    if "nodes" in task.parameters:
        return f"{task.count('nodes')} whole nodes"
    return f"N = {task.count('n')}"


# -- S7: false positives -------------------------------------------------------------------

S7_MEMBERS = 100
S7_LOSSES = (0.05, 0.10, 0.20)
S7_HELPERS = (1, 2, 3)
S7_QUICK = ((0.10, 1), (0.20, 2))
S7_VERDICTS = {Effort.QUICK: 800, Effort.FULL: 1500}
"""Verdicts to be expected in the sample of a cell; more periods where they are rare."""
S7_PERIODS_MAX = 10000
"""Periods of the rarest."""
S7_TOLERANCE = 0.10


def false_verdicts(loss: float, helpers: int) -> float:
    """Return the false verdicts expected a live member a period when nobody fails (SWIM 3.1).

    The paper's probability carries a factor e/(e-1), its detection time in
    periods; a member is probed once a period on average, so that counted
    directly there is none.
    """
    passes = 1 - loss
    return float((1 - passes**2) * (1 - passes**4) ** helpers)


def _s7_split(effort: Effort, seed: int) -> list[Task]:
    cells = [(loss, helpers) for loss in S7_LOSSES for helpers in S7_HELPERS]
    tasks = []
    for loss, helpers in cells if effort is Effort.FULL else S7_QUICK:
        wanted = S7_VERDICTS[effort] / false_verdicts(loss, helpers) / S7_MEMBERS
        periods = min(S7_PERIODS_MAX, max(200, round(wanted)))
        parameters: dict[str, float | str] = {"loss": loss, "helpers": helpers, "periods": periods}
        label = f"loss={loss:g} k={helpers}"
        tasks.append(make_task("S7", label, seed, parameters, weight=periods / 300))
    return tasks


def _s7_work(task: Task) -> Sample:
    config = replace(INFECTION, indirect_checks=task.count("helpers"))
    world = World(task.seed)
    colony = Colony(world, config, S7_MEMBERS, loss=task.number("loss"), rides=False, is_firm=True)
    verdicts = 0

    def on_event(cell: Cell, event: SwimEvent) -> None:
        nonlocal verdicts
        verdicts += isinstance(event, MemberFailed)

    colony.on_event = on_event
    colony.acquaint()
    world.run_until(WARM_UP)
    verdicts = 0
    world.run_until(WARM_UP + task.count("periods"))
    return {"verdicts": [verdicts]}


def _s7_judge(results: Sequence[Result], effort: Effort) -> Findings:
    figures, notes = [], []
    for result in results:
        loss, helpers = result.task.number("loss"), result.task.count("helpers")
        periods = result.task.count("periods")
        expected = false_verdicts(loss, helpers)
        low, high = around(expected, S7_TOLERANCE)
        verdicts = result.number("verdicts")
        notes.append(f"{verdicts:g} at {loss:.0%} and k = {helpers}")
        figures.append(
            Figure(
                recipe="S7",
                quantity=f"false verdicts a member a period, {loss:.0%} loss, k = {helpers}",
                published=f"{expected:.3g}",
                source="SWIM §3.1 without the factor e/(e-1), computed",
                low=low,
                high=high,
                measured=verdicts / periods / S7_MEMBERS,
            )
        )
    return Findings(
        how=f"{S7_MEMBERS} bare cores, every datagram lost on its own, no suspicion; verdicts"
        " are counted and not believed. As many periods as the expected number of verdicts"
        f" asks for, at most {S7_PERIODS_MAX}.",
        figures=tuple(figures),
        notes=("Verdicts in the sample: " + ", ".join(notes) + ".",),
    )


RECIPES = (
    Recipe(
        name="S3",
        title="Load",
        source=f"{PAPER}, §3.2 and Figure 2",
        part=PART,
        split=_s3_split,
        work=_s3_work,
        judge=_s3_judge,
    ),
    Recipe(
        name="S7",
        title="False positives under loss",
        source=f"{PAPER}, §3.1",
        part=PART,
        split=_s7_split,
        work=_s7_work,
        judge=_s7_judge,
    ),
)
