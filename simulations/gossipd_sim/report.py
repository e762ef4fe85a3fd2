"""What a run found, as text for people and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import fsum

from gossipd_sim.cluster import Outcome
from gossipd_sim.fuzz import FuzzResult
from gossipd_sim.observer import Violation

VIOLATIONS_SHOWN = 10
LIST_SHOWN = 8


def outcome_json(outcome: Outcome) -> dict[str, object]:
    """Return everything about a run but the time it took here: equal runs give equal values."""
    return {
        "scenario": outcome.scenario,
        "seed": outcome.seed,
        "trace": outcome.trace,
        "virtual_seconds": outcome.virtual_seconds,
        "events_done": outcome.events_done,
        "clean": not outcome.violations,
        "violations": [violation_json(violation) for violation in outcome.violations],
        "measures": dict(outcome.measures),
        "sealed_bytes": outcome.sealed_bytes or None,
    }


def violation_json(violation: Violation) -> dict[str, object]:
    """Return one complaint of a checker; ``at`` in virtual seconds."""
    return {
        "checker": violation.checker,
        "host": violation.host,
        "at": round(violation.now, 6),
        "text": violation.text,
    }


def outcome_text(outcome: Outcome, took: float) -> str:
    """Return a table of the measures, then the violations.

    Args:
        took: seconds that the run needed here.
    """
    speed = outcome.virtual_seconds / took if took > 0 else 0.0
    rows = [
        ("scenario", outcome.scenario),
        ("seed", str(outcome.seed)),
        ("trace", outcome.trace[:16]),
        ("virtual time", f"{outcome.virtual_seconds:g} s in {took:.1f} s ({speed:.0f} times real)"),
        ("events", f"{outcome.events_done:,}"),
        *([("sealed bytes", f"{outcome.sealed_bytes:,}")] if outcome.sealed_bytes else []),
        ("units", "virtual seconds; packets and bytes are a node a second"),
        *_measure_rows(outcome.measures),
    ]
    return columns(rows) + violations_text(outcome.violations)


def violations_text(violations: Iterable[Violation]) -> str:
    """Return one line for each complaint, the first ones, or that there are none."""
    found = list(violations)
    if not found:
        return "clean: no checker complained\n"
    lines = [f"VIOLATIONS: {len(found)}"]
    lines += [f"  {violation_line(violation)}" for violation in found[:VIOLATIONS_SHOWN]]
    if len(found) > VIOLATIONS_SHOWN:
        lines.append(f"  ... and {len(found) - VIOLATIONS_SHOWN} more (--json shows all)")
    return "\n".join(lines) + "\n"


def violation_line(violation: Violation) -> str:
    """Return one complaint on one line."""
    host = f" at {violation.host}" if violation.host else ""
    return f"{violation.now:10.3f} s  {violation.checker}{host}: {violation.text}"


def fuzz_json(results: Iterable[FuzzResult], replay: Mapping[int, str]) -> dict[str, object]:
    """Return the runs of a fuzz in the order of their seeds.

    Args:
        replay: by seed, the command that repeats a failing run.
    """
    ordered = sorted(results, key=lambda result: result.seed)
    return {
        "runs": len(ordered),
        "failing": [
            {
                "seed": result.seed,
                "replay": replay[result.seed],
                "violations": [violation_json(violation) for violation in result.violations],
            }
            for result in ordered
            if result.violations
        ],
        "virtual_seconds": round(fsum(result.virtual_seconds for result in ordered), 3),
        "events_done": sum(result.events_done for result in ordered),
        "traces": {str(result.seed): result.trace for result in ordered},
    }


def fuzz_text(results: Iterable[FuzzResult], replay: Mapping[int, str], took: float) -> str:
    """Return a line on all runs, then each failing seed with the command that replays it."""
    ordered = sorted(results, key=lambda result: result.seed)
    failing = [result for result in ordered if result.violations]
    virtual = fsum(result.virtual_seconds for result in ordered)
    lines = [
        f"{len(ordered)} runs, {len(failing)} failing, {virtual / 3600:.1f} virtual hours"
        f" in {took:.1f} s"
    ]
    for result in failing:
        first = result.violations[0]
        more = len(result.violations) - 1
        lines.append(f"seed {result.seed} ({result.nodes} nodes): {violation_line(first).strip()}")
        if more:
            lines.append(f"  ... and {more} more")
        lines.append(f"  {replay[result.seed]}")
    return "\n".join(lines) + "\n"


def columns(rows: Iterable[tuple[str, str]]) -> str:
    """Return two columns, the first as wide as it must be."""
    told = list(rows)
    width = max((len(name) for name, _ in told), default=0)
    return "".join(f"{name:<{width}}  {value}".rstrip() + "\n" for name, value in told)


def _measure_rows(measures: Mapping[str, object], depth: int = 0) -> Iterator[tuple[str, str]]:
    for key, value in measures.items():
        name = "  " * depth + key.replace("_", " ")
        match value:
            case Mapping():
                yield name, ""
                yield from _measure_rows(value, depth + 1)
            case float():
                yield name, f"{value:,.3f}"
            case int():
                yield name, f"{value:,}"
            case list() | tuple() if len(value) > LIST_SHOWN:
                yield name, f"{len(value)} values (--json)"
            case None:
                yield name, "-"
            case _:
                yield name, str(value)
