"""What the Rapid paper measured of memberlist: bootstrap, crashes, bandwidth (R1, R2, R5)."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf, log10, nan

from gossipd_sim.network import TCP, UDP
from gossipd_sim.numbers import mean, quantile
from gossipd_sim.papers.figure import Figure
from gossipd_sim.papers.rapid_bench import PAPER, PART, LargeCluster, size_of
from gossipd_sim.papers.recipe import Effort, Findings, Recipe, Result, Sample, Task, make_task

VICTIMS = 10


# -- R1: bootstrap --------------------------------------------------------------------

BOOTSTRAP = {1000: 45.7, 1500: 68.6, 2000: 97.6}
"""Seconds until all members report N, means of Figure 5."""
R1_SIZES = {Effort.QUICK: (50, 100), Effort.FULL: (250, 500)}
"""Larger ones cost the square: a run of 1000 takes ten minutes."""
R1_JOIN_AT, R1_JOIN_OVER = 10.0, 1.0
R1_LIMIT = 300.0
R1_JUDGED_FROM = 100
"""Smaller clusters are up before the last of them has joined."""
CLAIMS_A_PACKET, PACKETS_A_SECOND = 14, 15
"""Alive claims that fit into 1400 bytes, and what a member sends at its gossip ticks."""
RETRANSMIT_MULT = 4


def drain_seconds(members: int) -> float:
    """Return how long a member's gossip takes to send the news of all of them (computed)."""
    sends = RETRANSMIT_MULT * ceil(log10(members + 1))
    return members * sends / (CLAIMS_A_PACKET * PACKETS_A_SECOND)


def _r1_split(effort: Effort, seed: int) -> list[Task]:
    return [make_task("R1", f"n={n}", seed, {"n": n}, weight=n * n / 2e4) for n in R1_SIZES[effort]]


def _r1_work(task: Task) -> Sample:
    count = task.count("n")
    cluster = LargeCluster(count, task.seed)
    cluster.bootstrap(R1_JOIN_AT, R1_JOIN_OVER)
    site, views = cluster.site, cluster.views
    smallest = 0
    while smallest < count and site.world.now < R1_LIMIT:
        site.run(1.0)
        smallest, _ = views.write_down([host.name for host in cluster.hosts if host.is_up])
        if not all(host.is_up for host in cluster.hosts):
            smallest = 0
    done = views.changed_at - R1_JOIN_AT if smallest == count else inf
    return {"seconds": [min(done, R1_LIMIT)], "distinct": [float(len(views.seen))]}


def _r1_judge(results: Sequence[Result], effort: Effort) -> Findings:
    figures = []
    for result in results:
        n, seconds = result.task.count("n"), result.number("seconds")
        published = BOOTSTRAP.get(n)
        if published is not None:
            figures.append(
                Figure(
                    recipe="R1",
                    quantity=f"seconds from the join burst until all report {n}",
                    published=f"{published} s",
                    source="Rapid Figure 5",
                    unit="s",
                    low=0.6 * published,
                    high=1.4 * published,
                    measured=seconds,
                )
            )
        figures += [
            Figure(
                recipe="R1",
                quantity=f"the same as a share of the time to send all news once, {n} members",
                published=f"0.60 to 0.64 of {drain_seconds(n):.0f} s",
                source="Rapid Figure 5, computed",
                low=0.4 if n >= R1_JUDGED_FROM else -inf,
                high=1.0 if n >= R1_JUDGED_FROM else inf,
                measured=seconds / drain_seconds(n),
            ),
            Figure(
                recipe="R1",
                quantity=f"distinct view sizes written down, of {n}",
                published="901 of 1000",
                source="Rapid Table 1",
                unit="%",
                low=80.0 if effort is Effort.FULL else -inf,
                measured=100.0 * result.number("distinct") / n,
            ),
        ]
    return Findings(
        how=(
            "The first member starts; 10 s later all others within 1 s, and each joins it. LAN"
            " defaults of memberlist, no model of the processor, a round trip of 0.5 ms. Every"
            " member writes down its view size each second. One run a size."
        ),
        figures=tuple(figures),
    )


# -- R2: ten crashes ------------------------------------------------------------------

R2_CRASH_AT, R2_LASTS = 10.0, 40.0
R2_VICTIMS = {Effort.QUICK: 4, Effort.FULL: VICTIMS}


def _r2_split(effort: Effort, seed: int) -> list[Task]:
    count = size_of(effort)
    parameters = {"n": count, "victims": R2_VICTIMS[effort]}
    return [make_task("R2", f"n={count}", seed, parameters, weight=count / 20.0)]


def _r2_work(task: Task) -> Sample:
    cluster = LargeCluster(task.count("n"), task.seed)
    cluster.form()
    cluster.site.run(R2_CRASH_AT)
    victims, others = cluster.victims(task.count("victims"))
    for name in victims:
        cluster.site.hosts[name].crash()
    views = cluster.views
    for _ in range(int(10 * R2_LASTS)):
        cluster.site.run(0.1)
        views.write_down(others)
    removed = [(at, host) for at, host, name in views.removals if name in victims]
    missing = len(others) * len(victims) - len(removed)
    times = sorted(at - R2_CRASH_AT for at, _ in removed)
    return {
        "first": times[:1],
        "last": times[-1:] if not missing else [],
        "sizes": sorted(float(size) for size in views.seen),
    }


def _r2_judge(results: Sequence[Result], effort: Effort) -> Findings:
    (result,) = results
    count, victims = result.task.count("n"), result.task.count("victims")
    first = min(result.numbers("first"), default=nan)
    last = max(result.numbers("last"), default=nan)
    expected = {float(size) for size in range(count - victims, count + 1)}
    # LAN defaults: four times log10(n) seconds of suspicion, and a probe before
    least = 4 * max(1.0, log10(count))
    return Findings(
        how=(
            f"{count} members with LAN defaults that know each other; {victims} crash at the same"
            " moment. View sizes are written down ten times a second. One run."
        ),
        figures=(
            Figure(
                recipe="R2",
                quantity="seconds from the crash to the first removal",
                published="not given" if effort is Effort.FULL else "–",
                source="memberlist's formulas, computed",
                unit="s",
                low=least,
                high=least + 8.0,
                measured=first,
            ),
            Figure(
                recipe="R2",
                quantity="seconds from the first removal until all are removed everywhere",
                published="under about 3 s",
                source="Rapid Figure 8, read by eye",
                unit="s",
                low=0.0,
                high=6.0,
                measured=last - first,
            ),
            Figure(
                recipe="R2",
                quantity=f"sizes between {count - victims} and {count} that some member showed",
                published="every one",
                source="Rapid Figure 8",
                low=victims + 1,
                high=victims + 1,
                measured=len(expected & set(result.numbers("sizes"))),
            ),
        ),
    )


# -- R5: bandwidth --------------------------------------------------------------------

R5_SECONDS, R5_CRASH_AT = 60.0, 20.0
TABLE_2 = {"received": 0.54, "sent": 0.64}
"""KB a second a process, means of the crash run with 1000 members."""


def _r5_split(effort: Effort, seed: int) -> list[Task]:
    count = size_of(effort)
    parameters = {"n": count, "victims": R2_VICTIMS[effort]}
    return [make_task("R5", f"n={count}", seed, parameters, weight=count / 4.0)]


def _r5_work(task: Task) -> Sample:
    """Crash members on a network that carries sealed packets; returns KB by second."""
    cluster = LargeCluster(task.count("n"), task.seed, compression=True, by_wire=True)
    cluster.form()
    site = cluster.site
    victims, others = cluster.victims(task.count("victims"))
    ledgers = {"sent": site.network.sent, "received": site.network.received}
    before = {kind: dict.fromkeys(others, 0) for kind in ledgers}
    rates: dict[str, list[float]] = {kind: [] for kind in ledgers}
    while site.world.now < R5_SECONDS:
        if site.world.now == R5_CRASH_AT:
            for name in victims:
                site.hosts[name].crash()
        site.run(1.0)
        for kind, ledger in ledgers.items():
            for name in others:
                now = sum(tally.bytes for way, tally in ledger[name].items() if way in (UDP, TCP))
                rates[kind].append((now - before[kind][name]) / 1024.0)
                before[kind][name] = now
    return {
        f"{kind} {what}": [value]
        for kind, seconds in rates.items()
        for what, value in (
            ("mean", mean(seconds)),
            ("p99", quantile(seconds, 0.99)),
            ("max", max(seconds)),
        )
    }


def _r5_judge(results: Sequence[Result], effort: Effort) -> Findings:
    (result,) = results
    published = {
        "received mean": "0.54",
        "received p99": "5.61",
        "received max": "7.36",
        "sent mean": "0.64",
        "sent p99": "6.40",
        "sent max": "8.04",
    }
    is_full = effort is Effort.FULL
    return Findings(
        how=(
            f"{result.task.count('n')} members with LAN defaults and compression that know each"
            f" other, for {R5_SECONDS:g} s; {result.task.count('victims')} crash after"
            f" {R5_CRASH_AT:g} s. Payload bytes of UDP and TCP of each second at each member"
            " that lives. Packets are sealed as on the wire. One run."
        ),
        figures=tuple(
            Figure(
                recipe="R5",
                quantity=f"KB a second, {what}",
                published=f"{text} KB/s",
                source="Rapid Table 2",
                unit="KB/s",
                low=0.3 if is_full and what.endswith("mean") else -inf,
                high=0.9 if is_full and what.endswith("mean") else inf,
                measured=result.number(what),
            )
            for what, text in published.items()
        ),
    )


RECIPES = (
    Recipe(
        name="R1",
        title="bootstrap of a large cluster",
        source=f"{PAPER}, section 7, Figures 5 and 6, Table 1",
        part=PART,
        split=_r1_split,
        work=_r1_work,
        judge=_r1_judge,
    ),
    Recipe(
        name="R2",
        title="ten crashes at once",
        source=f"{PAPER}, section 7, Figure 8",
        part=PART,
        split=_r2_split,
        work=_r2_work,
        judge=_r2_judge,
    ),
    Recipe(
        name="R5",
        title="bandwidth of a member",
        source=f"{PAPER}, section 7, Table 2",
        part=PART,
        split=_r5_split,
        work=_r5_work,
        judge=_r5_judge,
    ),
)
