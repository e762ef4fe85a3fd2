"""A grid of settings, each point run with the same seeds: tables by parameter.

A point's figure is the median over its runs; CSV has a line for each run, for
whoever wants to look closer.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from statistics import median

from gossipd_sim.campaign import Campaign
from gossipd_sim.grid import Axis, Setting, Source, grid_of, make_variant
from gossipd_sim.report import violation_line

SHOWN = (
    "detection.first.median",
    "detection.full.median",
    "deaths.false",
    "deaths.false_healthy",
    "a_node_a_second.udp_packets",
    "a_node_a_second.udp_bytes",
)
"""Measures of the table unless others are asked for."""


class Sweep:
    """All points of a grid; every one is checked before anything runs.

    Args:
        source: the scenario.
        axes: what varies.
        settings: what else differs from the scenario as written, at every point.
        seeds: of the runs at each point.
        measures: dotted names for the table.

    Raises:
        ScenarioError: a point makes no sense; the message names the key and the point.
    """

    def __init__(
        self,
        source: Source,
        axes: Sequence[Axis],
        settings: Sequence[Setting],
        seeds: Sequence[int],
        measures: Sequence[str] = (),
    ) -> None:
        self.source = source
        self.axes = tuple(axes)
        self.points = grid_of(axes)
        self.measures = tuple(measures) or SHOWN
        variants = [make_variant(source, (*settings, *point)) for point in self.points]
        self.campaign = Campaign(variants, seeds, measures)

    def to_json(self) -> dict[str, object]:
        """Return everything that is the same each time, in the order of the grid."""
        return {
            "scenario": self.source.name,
            "grid": [
                {"key": axis.key, "values": [setting.value for setting in axis.settings]}
                for axis in self.axes
            ],
            "seeds": list(self.campaign.seeds),
            "runs": self.campaign.done,
            "points": [self._point_json(place) for place in range(len(self.points))],
        }

    def _point_json(self, place: int) -> dict[str, object]:
        results = self.campaign.results(place)
        names = dict.fromkeys(name for _, result in results for name in result.measures)
        summaries: dict[str, object] = {}
        for name in names:
            found = self._values(place, name)
            summaries[name] = {
                "median": round(median(found), 6),
                "min": min(found),
                "max": max(found),
                "runs": len(found),
            }
        return {
            "settings": {setting.key: setting.value for setting in self.points[place]},
            "runs": len(results),
            "violations": sum(len(result.violations) for _, result in results),
            "failing": self.campaign.failing(place),
            "measures": summaries,
            "traces": {str(seed): result.trace for seed, result in results},
        }

    def rows(self) -> list[list[str]]:
        """Return the table by parameter, headings first."""
        keys = [axis.key for axis in self.axes]
        rows = [[*keys, "RUNS", "VIOLATIONS", *self.measures]]
        for place, point in enumerate(self.points):
            results = self.campaign.results(place)
            figures = []
            for name in self.measures:
                found = self._values(place, name)
                figures.append(f"{median(found):,.3f}" if found else "-")
            violations = sum(len(result.violations) for _, result in results)
            texts = [setting.text for setting in point]
            rows.append([*texts, str(len(results)), str(violations), *figures])
        return rows

    def failures(self) -> str:
        """Return each failing run with its first violation and the command that repeats it."""
        lines = []
        for place in range(len(self.points)):
            variant = self.campaign.variants[place]
            for seed, result in self.campaign.results(place):
                if result.violations:
                    lines.append(violation_line(result.violations[0]).strip())
                    lines.append(f"  {variant.command('run', seed)}")
        return "".join(f"{line}\n" for line in lines)

    def to_csv(self) -> str:
        """Return a line for each run: its settings, seed, trace, violations, then all measures."""
        names = self.campaign.measured()
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        keys = [axis.key for axis in self.axes]
        writer.writerow([*keys, "seed", "trace", "violations", *names])
        for place, point in enumerate(self.points):
            texts = [setting.text for setting in point]
            for seed, result in self.campaign.results(place):
                figures = [result.measures.get(name, "") for name in names]
                writer.writerow([*texts, seed, result.trace, len(result.violations), *figures])
        return out.getvalue()

    def _values(self, place: int, name: str) -> list[float]:
        return [
            result.measures[name]
            for _, result in self.campaign.results(place)
            if name in result.measures
        ]
