"""A group that loses one packet of ten: recipe S6 (SWIM section 5.4, Figure 4).

Three ways of spreading news: by multicast, which an oracle does here, as the
core has none; on pings and acks; and the latter with suspicion. Death is
final in all of them, as in the paper. Who hears of his own has been put out
of the group, and stops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from gossipd.config.model import SwimConfig
from gossipd.swim.events import MemberFailed, SwimEvent
from gossipd.value import replace
from gossipd.wire.messages import Dead, PacketMessage
from gossipd_sim.numbers import mean
from gossipd_sim.papers.colony import Cell, Colony
from gossipd_sim.papers.figure import Figure
from gossipd_sim.papers.recipe import Effort, Findings, Recipe, Result, Sample, Task, make_task
from gossipd_sim.papers.swim_mode import INFECTION, PAPER, PART, SUSPICION
from gossipd_sim.world import World

MEMBERS = 17
PERIOD = 2.0
"""Seconds; T' of the paper."""
JOIN_EVERY = 5.0
"""Seconds between joins."""
ENDS = 175.0
"""Seconds; the paper saw no change after that."""
LOSS = 0.10
LOOK_EVERY = 5.0

BASIC, INF, INF_SUSP = "Basic", "+Inf", "+Inf+Susp"
CONFIGS: dict[str, SwimConfig] = {
    BASIC: INFECTION,
    INF: INFECTION,
    INF_SUSP: SUSPICION,
}


class Group:
    """One run: members join one by one, and put each other out of the group.

    Args:
        joins_are_lossy: a join is a request and its answer, each lost as any other
            datagram, and tried once; otherwise it never fails.
    """

    def __init__(self, seed: int, variant: str, *, joins_are_lossy: bool = True) -> None:
        self._world = World(seed)
        self._is_multicast = variant == BASIC
        self._joins_are_lossy = joins_are_lossy
        config = replace(CONFIGS[variant], probe_interval=PERIOD, probe_timeout=0.3 * PERIOD)
        self._colony = Colony(self._world, config, MEMBERS, loss=LOSS, rides=not self._is_multicast)
        self._chance = self._world.random("multicast")
        self.false_verdicts = 0
        """Verdicts of a member's own probes or suspicions; all are false."""
        self._colony.on_event = self._on_event
        self._colony.on_claims = self._on_claims
        for cell in self._colony.cells:
            self._world.at(cell.index * JOIN_EVERY, self._enter, cell)

    def run(self) -> list[float]:
        """Run to the end; returns the size of the group every five seconds."""
        sizes = []
        for look in range(1, round(ENDS / LOOK_EVERY) + 1):
            self._world.run_until(look * LOOK_EVERY)
            sizes.append(self.size())
        return sizes

    def size(self) -> float:
        """Return how many members those that run show as alive or suspect, their mean."""
        views = [sum(self._is_in(cell, other) for other in self._colony.cells) for cell in self._up]
        return mean(views)

    @property
    def _up(self) -> list[Cell]:
        return self._colony.up

    def _is_in(self, cell: Cell, other: Cell) -> bool:
        member = cell.swim.member(other.name)
        return member is not None and member.state.name in ("ALIVE", "SUSPECT")

    def _enter(self, cell: Cell) -> None:
        up = self._up
        if up and not self._is_joined():
            return
        self._colony.start(cell)
        if up:
            self._colony.join(cell, up[0])
            if self._is_multicast:
                self._multicast(cell)

    def _is_joined(self) -> bool:
        """Say whether a request to join and its answer both arrive."""
        return not self._joins_are_lossy or all(self._chance.random() >= LOSS for _ in range(2))

    def _on_event(self, cell: Cell, event: SwimEvent) -> None:
        if isinstance(event, MemberFailed) and event.accuser == cell.name:
            self.false_verdicts += 1
            if self._is_multicast:
                self._world.after(0.0, self._multicast, cell)

    def _on_claims(self, cell: Cell, claims: Sequence[PacketMessage]) -> None:
        if any(isinstance(claim, Dead) and claim.node == cell.name for claim in claims):
            self._colony.stop(cell)
        elif self._is_multicast:
            self._colony.take_news(cell)  # others have been told by who told it

    def _multicast(self, cell: Cell) -> None:
        news = self._colony.take_news(cell)
        for other in self._up if news else ():
            if other is not cell and self._chance.random() >= LOSS:
                self._colony.tell(other, news, cell)


# -- S6 ----------------------------------------------------------------------------------

S6_RUNS = {Effort.QUICK: 6, Effort.FULL: 200}
S6_BATCH = 20
"""Runs of one task."""
S6_PUBLISHED = {BASIC: ("2", 1, 4), INF: ("4", 2, 7), INF_SUSP: ("12 (peak 14)", 10, 15)}
"""By variant: the size in the paper's one run, and the band of the mean."""
S6_JOINED = 95.0
"""Seconds; the first look after all have joined at which the smaller groups still differ."""
S6_SAFE_JOINS = "+Inf+Susp, joins never lost"
S6_NOTES = {
    INF: "By the paper's own formula 6.5 % of the members are accused falsely in a period of 2 s"
    " (S7 has the same), and 19 % of two, who have no helpers: a group of 4 loses somebody every"
    " 8 s and cannot stay at 4 until 175 s. Ours goes on until each is alone. The paper's figure"
    " is one run, and does not say whose view it counts.",
}


def _s6_split(effort: Effort, seed: int) -> list[Task]:
    runs = S6_RUNS[effort]
    return [
        make_task(
            "S6",
            f"{variant} from {first}",
            seed,
            {"variant": variant, "runs": min(S6_BATCH, runs - first)},
            weight=min(S6_BATCH, runs - first) / 10,
            chance=f"S6 from {first}",
        )
        for variant in (*CONFIGS, S6_SAFE_JOINS)
        for first in range(0, S6_BATCH if variant == S6_SAFE_JOINS else runs, S6_BATCH)
    ]


def _s6_work(task: Task) -> Sample:
    variant = task.text("variant")
    sample: dict[str, list[float]] = {"final": [], "peak": [], "joined": [], "verdicts": []}
    for run in range(task.count("runs")):
        if variant == S6_SAFE_JOINS:
            group = Group(task.seed + run, INF_SUSP, joins_are_lossy=False)
        else:
            group = Group(task.seed + run, variant)
        sizes = group.run()
        sample["final"].append(sizes[-1])
        sample["peak"].append(max(sizes))
        sample["joined"].append(sizes[round(S6_JOINED / LOOK_EVERY) - 1])
        sample["verdicts"].append(float(group.false_verdicts))
    return sample


def _s6_judge(results: Sequence[Result], effort: Effort) -> Findings:
    means: dict[str, dict[str, float]] = {}
    for variant in (*CONFIGS, S6_SAFE_JOINS):
        ours = [result for result in results if result.task.text("variant") == variant]
        means[variant] = {
            name: mean([number for result in ours for number in result.numbers(name)])
            for name in ("final", "peak", "joined", "verdicts")
        }
    figures = [
        Figure(
            recipe="S6",
            quantity=f"size of the group at {ENDS:g} s, {variant}, mean",
            published=published,
            source="SWIM §5.4, Fig. 4 (one run)",
            unit="members",
            low=low,
            high=high,
            measured=means[variant]["final"],
            note=S6_NOTES.get(variant, ""),
        )
        for variant, (published, low, high) in S6_PUBLISHED.items()
    ]
    figures += _s6_further(means)
    verdicts = ", ".join(f"{means[variant]['verdicts']:.1f} {variant}" for variant in CONFIGS)
    peaks = ", ".join(f"{means[variant]['peak']:.1f} {variant}" for variant in CONFIGS)
    return Findings(
        how=f"Bare cores, {MEMBERS} members join the oldest that runs, one every"
        f" {JOIN_EVERY:g} s, T' = {PERIOD:g} s, k = 1, {LOSS:.0%} of all datagrams lost"
        " at the receiver: copies of multicasts, and the request and the answer of a join, which"
        " is tried once. Death is final, and who hears of his own stops."
        f" {S6_RUNS[effort]} runs of each of the three, same seeds for all; the size is the mean"
        " over the views of those that run.",
        figures=tuple(figures),
        notes=(
            "That a join is two datagrams like all others is our reading of the paper's loss of"
            " every packet; then 1 + 16 × 0.81 = 14 members ever join, which is its peak. With"
            " joins that are never lost all 17 stay.",
            f"Mean number of false verdicts in a run: {verdicts}. Mean peak of the size: {peaks}.",
        ),
    )


def _s6_further(means: Mapping[str, Mapping[str, float]]) -> list[Figure]:
    finals = [means[variant]["final"] for variant in CONFIGS]
    order = Figure(
        recipe="S6",
        quantity=f"order of the three at {ENDS:g} s: steps up, Basic to +Inf to +Inf+Susp",
        published="2",
        source="SWIM §5.4, Fig. 4",
        low=2,
        high=2,
        measured=sum(after > before for before, after in pairwise(finals)),
        note="Basic and +Inf both end with everybody alone, as above. Before that they shrink"
        " alike: they differ only in how a verdict spreads, not in how often it is false. The"
        " paper's 2 and 4 are of single runs.",
    )
    recorded = [(variant, "joined", S6_JOINED) for variant in CONFIGS]
    recorded += [(INF_SUSP, "peak", ENDS), (S6_SAFE_JOINS, "final", ENDS)]
    return [order] + [
        Figure(
            recipe="S6",
            quantity=f"{'greatest size until' if name == 'peak' else 'size at'} {at:g} s,"
            f" {variant}, mean",
            published="14" if name == "peak" else "none",
            source="SWIM §5.4, Fig. 4 (one run)",
            unit="members",
            measured=means[variant][name],
        )
        for variant, name, at in recorded
    ]


RECIPES = (
    Recipe(
        name="S6",
        title="A group that loses one packet of ten",
        source=f"{PAPER}, §5.4 and Figure 4",
        part=PART,
        split=_s6_split,
        work=_s6_work,
        judge=_s6_judge,
    ),
)
