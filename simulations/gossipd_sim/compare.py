"""Two configurations on the same seeds: what differs, and whether that is more than chance.

Each seed is a pair: the same chance befalls both sides as far as their
settings let it. A measure counts as different only if the sign test says so
after it has been held against all the measures shown (``pairs.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from gossipd.value import Value, replace
from gossipd_sim.campaign import Campaign, direction
from gossipd_sim.grid import Variant
from gossipd_sim.pairs import LEVEL, adjusted, median_interval, sign_test
from gossipd_sim.report import violation_line

SHOWN = (
    "detection.first.median",
    "detection.full.median",
    "deaths.false",
    "deaths.false_healthy",
    "suspicions.false",
    "agreement.median",
    "agreement.share",
    "a_node_a_second.udp_packets",
    "a_node_a_second.udp_bytes",
    "a_node_a_second.tcp_bytes",
    "queues.claims.max",
)
"""Measures of the table unless others are asked for."""
SAME = "same in every run"
NOTHING = "no difference shown"
A, B = 0, 1


class Difference(Value, kw_only=True):
    """One measure over all pairs; medians, and differences of B less A."""

    measure: str
    a: float
    b: float
    difference: float
    interval: tuple[float, float] | None
    """Bounds of the median difference at 95 % confidence; ``None`` with under six pairs."""
    less: int
    more: int
    same: int
    """Pairs in which B has less than A, more, or as much."""
    only_a: int
    only_b: int
    """Seeds that are no pair because only one side has the measure."""
    chance: float
    """How likely so uneven a split is by chance, of this measure alone."""
    together: float
    """The same, held against all measures shown; 1 for those that are not."""

    @property
    def is_shown(self) -> bool:
        """Whether it is more than chance."""
        return self.together < LEVEL

    @property
    def better(self) -> int | None:
        """Pairs in which B is better, ``None`` where neither way is."""
        return {-1: self.less, 0: None, 1: self.more}[direction(self.measure)]

    @property
    def worse(self) -> int | None:
        """Pairs in which B is worse, ``None`` where neither way is."""
        return {-1: self.more, 0: None, 1: self.less}[direction(self.measure)]

    @property
    def verdict(self) -> str:
        """What may be said of B, in words."""
        if not self.less and not self.more:
            return SAME
        if not self.is_shown:
            return NOTHING
        way = direction(self.measure)
        is_more = self.more > self.less
        if way:
            return "B is better" if is_more == (way > 0) else "B is worse"
        return "B has more" if is_more else "B has less"


class Comparison:
    """Runs of A and B side by side.

    Args:
        seeds: of the pairs.
        measures: dotted names that are tested and shown.
    """

    def __init__(
        self, a: Variant, b: Variant, seeds: Sequence[int], measures: Sequence[str] = ()
    ) -> None:
        self.campaign = Campaign((a, b), seeds, measures)
        self.measures = tuple(measures) or SHOWN

    @property
    def seeds(self) -> list[int]:
        """The seeds of which both runs are finished."""
        campaign = self.campaign
        return [seed for seed, _ in campaign.results(A) if campaign.result(B, seed) is not None]

    def differences(self) -> list[Difference]:
        """Return what was asked for, in that order, then everything else that is measured."""
        measured = self.campaign.measured()
        shown = [name for name in self.measures if name in measured]
        tested = [found for name in shown if (found := self._difference(name)) is not None]
        uneven = [index for index, found in enumerate(tested) if found.less or found.more]
        together = dict(
            zip(uneven, adjusted([tested[index].chance for index in uneven]), strict=True)
        )
        others = [
            found
            for name in measured
            if name not in shown and (found := self._difference(name)) is not None
        ]
        return [
            *(
                replace(found, together=together.get(index, 1.0))
                for index, found in enumerate(tested)
            ),
            *others,
        ]

    def _difference(self, name: str) -> Difference | None:
        """Return how the sides differ in ``name``; ``None`` if no pair has it."""
        pairs = []
        only_a = only_b = 0
        for seed in self.seeds:
            a, b = (self.campaign.result(side, seed) for side in (A, B))
            of_a = a.measures.get(name) if a is not None else None
            of_b = b.measures.get(name) if b is not None else None
            if of_a is not None and of_b is not None:
                pairs.append((of_a, of_b))
            else:
                only_a += of_a is not None
                only_b += of_b is not None
        if not pairs:
            return None
        differences = [round(b - a, 9) for a, b in pairs]  # what floats lose is no difference
        less = sum(difference < 0 for difference in differences)
        more = sum(difference > 0 for difference in differences)
        return Difference(
            measure=name,
            a=median(a for a, _ in pairs),
            b=median(b for _, b in pairs),
            difference=median(differences),
            interval=median_interval(differences),
            less=less,
            more=more,
            same=len(pairs) - less - more,
            only_a=only_a,
            only_b=only_b,
            chance=sign_test(less, more),
            together=1.0,
        )

    # -- telling -------------------------------------------------------------------

    def to_json(self) -> dict[str, object]:
        """Return everything that is the same each time."""
        found = self.differences()
        return {
            "a": _variant_json(self.campaign.variants[A]),
            "b": _variant_json(self.campaign.variants[B]),
            "seeds": self.seeds,
            "measures": [
                _difference_json(one) | {"verdict": one.verdict}
                for one in found
                if one.measure in self.measures
            ],
            "untested": [
                _difference_json(one) for one in found if one.measure not in self.measures
            ],
            "failing": {"a": self.campaign.failing(A), "b": self.campaign.failing(B)},
        }

    def rows(self) -> list[list[str]]:
        """Return the table of what is tested, headings first."""
        rows = [["MEASURE", "A", "B", "B - A", "95 %", "LESS", "MORE", "SAME", "P", "VERDICT"]]
        for one in self.differences():
            if one.measure in self.measures:
                bounds = "-"
                if one.interval is not None:
                    bounds = f"{one.interval[0]:+,.3f} .. {one.interval[1]:+,.3f}"
                figures = [f"{one.a:,.3f}", f"{one.b:,.3f}", f"{one.difference:+,.3f}", bounds]
                counts = [str(count) for count in (one.less, one.more, one.same)]
                rows.append([one.measure, *figures, *counts, f"{one.together:.3f}", one.verdict])
        return rows

    def notes(self) -> list[str]:
        """Return what the table does not say: sides that lack a measure, and too few pairs."""
        notes = []
        differences = {one.measure: one for one in self.differences()}
        for name in self.measures:
            one = differences.get(name)
            if one is None:
                notes.append(f"{name}: no pair of runs has it")
            elif one.only_a or one.only_b:
                notes.append(
                    f"{name}: left out are {one.only_a} seeds where only A has it,"
                    f" {one.only_b} where only B has it"
                )
        tests = sum(
            name in differences and differences[name].verdict != SAME for name in self.measures
        )
        if tests and tests * sign_test(0, len(self.seeds)) >= LEVEL:
            notes.append(
                f"{len(self.seeds)} seeds are too few to tell {tests} measures from chance:"
                " use more with --seeds, or choose some with --measure"
            )
        return notes

    def failures(self) -> str:
        """Return each failing run with its first violation and the command that repeats it."""
        lines = []
        for side, name in ((A, "A"), (B, "B")):
            for seed, result in self.campaign.results(side):
                if result.violations:
                    lines.append(f"{name}: {violation_line(result.violations[0]).strip()}")
                    lines.append(f"  {self.campaign.variants[side].command('run', seed)}")
        return "".join(f"{line}\n" for line in lines)


def describe(variant: Variant) -> str:
    """Return how people name a variant."""
    return " ".join([variant.source.name, *map(str, variant.settings)])


def _variant_json(variant: Variant) -> dict[str, object]:
    return {
        "scenario": variant.source.name,
        "settings": {setting.key: setting.value for setting in variant.settings},
    }


def _difference_json(one: Difference) -> dict[str, object]:
    return {
        "measure": one.measure,
        "a": round(one.a, 6),
        "b": round(one.b, 6),
        "difference": round(one.difference, 6),
        "interval": None if one.interval is None else [round(bound, 6) for bound in one.interval],
        "less": one.less,
        "more": one.more,
        "same": one.same,
        "better": one.better,
        "worse": one.worse,
        "only_a": one.only_a,
        "only_b": one.only_b,
        "p": round(one.chance, 6),
        "p_together": round(one.together, 6),
    }
