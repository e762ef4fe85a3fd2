"""The report of a rehearsal as Markdown; equal runs give equal text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from gossipd_sim.pooled import number_text, pooled_numbers
from gossipd_sim.rehearsal import Rehearsal
from gossipd_sim.report import violation_line
from gossipd_sim.script import Scenario

FIRST_LINE = "<!-- written by gossipd simulate run --report; do not edit -->"
"""How a folder of ours is known."""
FAULTS_SHOWN = 200
VIOLATIONS_SHOWN = 50
PLOTS = {
    "detection": "How long until a crash is noticed",
    "infection": "How news spreads",
    "views": "How many members the views show as alive",
    "traffic": "What members send, by cause",
}
"""Name of the files and heading, in the order of the report."""


def report_markdown(
    scenario: Scenario,
    text: str,
    rehearsals: Sequence[Rehearsal],
    command: str,
    *,
    missing: str = "",
) -> str:
    """Return the report.

    Args:
        text: the scenario as TOML.
        rehearsals: one for each seed, in their order; at least one.
        command: repeats the run.
        missing: why there are no plots; empty if there are.
    """
    outcomes = [rehearsal.outcome for rehearsal in rehearsals]
    lines = [FIRST_LINE, "", f"# {scenario.name}", ""]
    if scenario.description:
        lines += [scenario.description.strip(), ""]
    seeds = ", ".join(str(outcome.seed) for outcome in outcomes)
    found = sum(len(outcome.violations) for outcome in outcomes)
    lines += [
        f"- {scenario.nodes} members, {scenario.horizon:g} virtual seconds,"
        f" seed{'s' if len(outcomes) > 1 else ''} {seeds}",
        f"- Verdict: {f'**{found} violations**' if found else 'clean, no checker complained'}",
        "",
        "To repeat it:",
        "",
        *_fenced("sh", command),
    ]
    lines += _plots(missing)
    lines += ["## Measures", "", *_measures([outcome.measures for outcome in outcomes])]
    lines += ["## Faults", "", *_faults(rehearsals)]
    lines += ["## Violations", "", *_violations(rehearsals)]
    lines += ["## Scenario", "", *_fenced("toml", text.strip())]
    lines += [
        "## Runs",
        "",
        "| seed | trace | events | violations |",
        "| ---: | --- | ---: | ---: |",
    ]
    lines += [
        f"| {one.seed} | `{one.trace}` | {one.events_done:,} | {len(one.violations)} |"
        for one in outcomes
    ]
    return "\n".join(lines) + "\n"


def _fenced(language: str, text: str) -> list[str]:
    ticks = "```"
    while ticks in text:
        ticks += "`"
    return [f"{ticks}{language}", text, ticks, ""]


def _plots(missing: str) -> Iterator[str]:
    if missing:
        yield from (f"No plots ({', '.join(PLOTS)}): {missing}", "")
        return
    for name, heading in PLOTS.items():
        yield from (f"![{heading}]({name}.svg)", "")


# -- measures ----------------------------------------------------------------------


def _measures(every: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """Yield a table: one value for one seed; median, least and greatest for several."""
    yield "Times are virtual seconds; packets and bytes are a member a second."
    yield ""
    numbers = pooled_numbers(every)
    if len(every) == 1:
        yield from ("| measure | value |", "| --- | ---: |")
        yield from (f"| {one.name} | {number_text(one.median)} |" for one in numbers)
    else:
        yield "| measure | median | least | greatest | seeds |"
        yield "| --- | ---: | ---: | ---: | ---: |"
        for one in numbers:
            cells = [number_text(value) for value in (one.median, one.least, one.greatest)]
            yield f"| {one.name} | {' | '.join(cells)} | {one.count} |"
    yield ""


# -- faults and violations ------------------------------------------------------------


def _faults(rehearsals: Sequence[Rehearsal]) -> Iterator[str]:
    """Yield the timeline; what chance decides is that of the first seed."""
    first = rehearsals[0]
    told = first.course.faults
    if not told:
        yield from ("None.", "")
        return
    if len({rehearsal.course.faults for rehearsal in rehearsals}) > 1:
        yield from (f"Those of seed {first.outcome.seed}; other seeds chose otherwise.", "")
    yield from ("| virtual s | fault |", "| ---: | --- |")
    for at, fault in told[:FAULTS_SHOWN]:
        yield f"| {at:,.3f} | {_escaped(fault)} |"
    yield ""
    if len(told) > FAULTS_SHOWN:
        yield from (f"... and {len(told) - FAULTS_SHOWN} more (`curves.json`).", "")


def _violations(rehearsals: Iterable[Rehearsal]) -> Iterator[str]:
    clean = True
    for rehearsal in rehearsals:
        found = rehearsal.outcome.violations
        if not found:
            continue
        clean = False
        shown = [violation_line(one).strip() for one in found[:VIOLATIONS_SHOWN]]
        if len(found) > VIOLATIONS_SHOWN:
            shown.append(f"... and {len(found) - VIOLATIONS_SHOWN} more (outcome.json)")
        yield from (f"Seed {rehearsal.outcome.seed}: {len(found)}", "")
        yield from _fenced("text", "\n".join(shown))
    if clean:
        yield from ("None: no checker complained.", "")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
