"""Measures of several runs as one table: median, least and greatest of each number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gossipd.value import Value
from gossipd_sim.cluster import Outcome
from gossipd_sim.numbers import quantile
from gossipd_sim.report import violation_line

FAILING_SHOWN = 10


class PooledNumber(Value):
    """One measure over runs; ``count`` of them had it, all else is ``None`` if none had."""

    name: str
    median: float | None
    least: float | None
    greatest: float | None
    count: int


def pooled_numbers(every: Sequence[Mapping[str, object]]) -> list[PooledNumber]:
    """Return each number in the measures of runs, in their order; texts and lists are left out."""
    flat = [dict(flat_numbers(measures)) for measures in every]
    names = list(dict.fromkeys(name for row in flat for name in row))
    return [_pooled(name, [row.get(name) for row in flat]) for name in names]


def flat_numbers(
    measures: Mapping[str, object], path: str = ""
) -> Iterator[tuple[str, float | None]]:
    """Yield the numbers of one run with the path of their keys: ``detection: first: median``."""
    for key, value in measures.items():
        name = f"{path}{key.replace('_', ' ')}"
        match value:
            case Mapping():
                yield from flat_numbers(value, f"{name}: ")
            case int() | float():
                yield name, value
            case None:
                yield name, None
            case _:
                pass


def number_text(value: float | None) -> str:
    """Return a number as tables show it."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"


def outcomes_text(outcomes: Sequence[Outcome], took: float) -> str:
    """Return a table over several runs, then the seeds with violations.

    Args:
        outcomes: in the order of their seeds.
        took: seconds that the runs needed here.
    """
    virtual = sum(outcome.virtual_seconds for outcome in outcomes)
    lines = [
        f"{outcomes[0].scenario}: {len(outcomes)} seeds from {outcomes[0].seed} on,"
        f" {virtual:g} virtual s in {took:.1f} s",
        "times in virtual seconds; packets and bytes are a member a second",
    ]
    rows = [("", "median", "least", "greatest")]
    for number in pooled_numbers([outcome.measures for outcome in outcomes]):
        values = (number.median, number.least, number.greatest)
        median, least, greatest = (number_text(value) for value in values)
        rows.append((number.name, median, least, greatest))
    widths = [max(len(row[place]) for row in rows) for place in range(4)]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells]))
    return "\n".join([*lines, *_failing(outcomes)]) + "\n"


def _failing(outcomes: Sequence[Outcome]) -> Iterator[str]:
    failing = [outcome for outcome in outcomes if outcome.violations]
    if not failing:
        yield "clean: no checker complained"
        return
    yield f"VIOLATIONS with {len(failing)} of {len(outcomes)} seeds"
    for outcome in failing[:FAILING_SHOWN]:
        first, more = outcome.violations[0], len(outcome.violations) - 1
        rest = f" (and {more} more)" if more else ""
        yield f"  seed {outcome.seed}: {violation_line(first).strip()}{rest}"


def _pooled(name: str, values: Sequence[float | None]) -> PooledNumber:
    numbers = [value for value in values if value is not None]
    if not numbers:
        return PooledNumber(name, None, None, None, 0)
    low, high = min(numbers), max(numbers)
    return PooledNumber(name, quantile(numbers, 0.5), low, high, len(numbers))
