"""Measurements into a table of medians and ratios, for the terminal and for the documentation."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import TypeAlias

from bench.commands import CROWD, CommandTimes
from bench.messaging import Messaging, MessagingPlan
from bench.reality import Reality, reality_section, reality_text
from bench.sweeping import SweepTimes
from bench.trials import Plan, Trial
from gossipd.value import Value
from support.agents import GOSSIPD, SERF

_Pick: TypeAlias = Callable[[Trial], Iterable[float]]


class Row(Value):
    """One line: what gossipd needs, what it is compared with, and the bar if there is one."""

    what: str
    unit: str
    ours: float
    theirs: float
    compared_with: str = "serf"
    bar: float = 0.0
    """Greatest allowed ratio; 0 is none."""

    @property
    def ratio(self) -> float:
        """Ours divided by theirs."""
        return self.ours / self.theirs if self.theirs else float("nan")

    @property
    def is_met(self) -> bool:
        """Whether the bar, if any, is kept."""
        return not self.bar or self.ratio <= self.bar

    def cells(self) -> tuple[str, ...]:
        """Return the table's cells as text."""
        bar = f"≤ {self.bar:.3g}{'' if self.is_met else ' (missed)'}" if self.bar else ""
        return (
            self.what,
            _number(self.ours, self.unit),
            _number(self.theirs, self.unit),
            self.compared_with,
            f"{self.ratio:.2f}",
            bar,
        )


HEADINGS = ("what", "gossipd", "compared", "with", "ratio", "bar")


Joins: TypeAlias = Sequence[tuple[str, tuple[float, ...]]]
"""Kind, and when each of its agents listed all as alive, for each join that was tried."""


def join_rows(joins: Joins) -> list[Row]:
    """Return the lines about joining: medians over all joins of a kind."""

    def row(what: str, pick: Callable[[Sequence[float]], float], bar: float = 0.0) -> Row:
        ours, theirs = (
            median(pick(times) for name, times in joins if name == kind.name)
            for kind in (GOSSIPD, SERF)
        )
        return Row(what, "s", ours, theirs, bar=bar)

    return [
        row("all join one: until half of them list all", median),
        row("all join one: until each lists all as alive", max, 1.5),
    ]


def trial_rows(trials: Sequence[Trial]) -> list[Row]:
    """Return the lines of the fleets: medians over all trials of a kind."""
    ours = [trial for trial in trials if trial.kind == GOSSIPD.name]
    theirs = [trial for trial in trials if trial.kind == SERF.name]

    def row(what: str, unit: str, pick: _Pick, bar: float = 0.0) -> Row:
        return Row(what, unit, _median(ours, pick), _median(theirs, pick), bar=bar)

    return [
        row("kill: until the first shows it as failed", "s", lambda t: t.first_detection, 1.1),
        row("kill: until everyone shows it as failed", "s", lambda t: t.full_detection, 1.1),
        row("processor time of an agent at rest, per second", "ms",
            lambda t: [t.idle_cpu_ms], 1.5),
        row("memory of an agent at rest", "MB", lambda t: [t.idle_rss_mb]),
        row("packets per node and second at rest", "", lambda t: [t.idle.per_node(t.nodes)[0]]),
        row("bytes per node and second at rest", "B",
            lambda t: [t.idle.per_node(t.nodes)[1]], 1.05),
        row("packets per node and second around a failure", "",
            lambda t: [t.failure.per_node(t.survivors)[0]]),
        row("bytes per node and second around a failure", "B",
            lambda t: [t.failure.per_node(t.survivors)[1]]),
    ]  # fmt: skip


def fleet_rows(joins: Joins, trials: Sequence[Trial], times: CommandTimes) -> list[Row]:
    """Return all lines of the fleets."""
    return [*join_rows(joins), *trial_rows(trials), memory_row(trials, times)]


def memory_row(trials: Sequence[Trial], times: CommandTimes) -> Row:
    """Return the line of an agent among its fleet, beside what only its imports take."""
    ours = [trial for trial in trials if trial.kind == GOSSIPD.name]
    return Row(
        "memory of an agent at rest", "MB",
        _median(ours, lambda t: [t.idle_rss_mb]), times.imports_rss_mb,
        "import trio, msgpack", 1.15,
    )  # fmt: skip


def command_rows(times: CommandTimes) -> list[Row]:
    """Return the lines of the commands and of one daemon alone."""

    def both(what: str, values: dict[str, float]) -> Row:
        return Row(what, "ms", values["gossipd"] * 1000, values["serf"] * 1000)

    return [
        both("start of an agent until it answers", times.start_to_answer),
        Row(
            "start of the daemon until its socket answers", "ms",
            times.start_to_answer["gossipd"] * 1000, times.python_import_trio * 1000,
            "python -c 'import trio'", 2.0,
        ),
        Row(
            "memory of a lone daemon", "MB", times.lone_rss_mb, times.imports_rss_mb,
            "import trio, msgpack", 1.15,
        ),
        both("`members`, one member: whole command", times.members_command),
        both("`members`, one member: round trip", times.members_round_trip),
        both(f"`members`, {CROWD} members: whole command", times.members_command_1000),
        both(f"`members`, {CROWD} members: round trip", times.members_round_trip_1000),
        Row(
            f"`members`, {CROWD} members: whole command", "ms",
            times.members_command_1000["gossipd"] * 1000, times.python_nothing * 1000,
            "python -c ''", 5.0,
        ),
    ]  # fmt: skip


SWEEP_SPEED_UP = 1.7
"""Two cores must be at least so many times as fast as one."""


def simulator_rows(sweep: SweepTimes) -> list[Row]:
    """Return the lines of the simulator."""
    return [
        Row(
            f"`simulate sweep`, {sweep.runs} runs on two cores", "s",
            sweep.two_cores, sweep.one_core, "one core", 1 / SWEEP_SPEED_UP,
        )
    ]  # fmt: skip


def messaging_rows(plan: MessagingPlan, results: Sequence[Messaging]) -> list[Row]:
    """Return the lines of user events and queries."""
    ours, theirs = (
        next(result for result in results if result.kind == kind.name) for kind in (GOSSIPD, SERF)
    )
    event = f"user event: until an agent of {plan.event_nodes} tells of it"
    query = f"query that all {plan.query_nodes} answer"
    took = median(ours.queries)
    return [
        Row(f"{event}, median", "s", median(ours.reached), median(theirs.reached), bar=1.0),
        Row(f"{event}, 99 of 100", "s", ours.p99, theirs.p99, bar=1.0),
        Row(query, "s", took, median(theirs.queries)),
        Row(query, "s", took, 1.0, "a second", 1.0),
    ]


def messaging_misses(plan: MessagingPlan, results: Sequence[Messaging]) -> list[str]:
    """Return a line for each kind that an event or an answer of somebody did not reach."""
    lines = []
    for result in results:
        short = sum(count < plan.query_nodes for count in result.answers)
        if result.missed or short:
            lines.append(
                f"{result.kind}: {result.missed} of {plan.events * plan.event_nodes} events"
                f" missed, {short} of {plan.queries} queries without all answers"
            )
    return lines


def messaging_section(plan: MessagingPlan, results: Sequence[Messaging]) -> str:
    """Return the part of the page about user events and queries."""
    misses = messaging_misses(plan, results)
    everything = "Every event reached every agent, and everybody answered every query."
    return f"""## Events and queries

{as_markdown(messaging_rows(plan, results))}
{plan.events} events of 64 bytes from agents in turn, not coalesced, seen by streams on
all agents at once; {plan.queries} queries with acks, answered by a shell command of each.
{chr(10).join(misses) or everything}
"""


def as_markdown(rows: Sequence[Row]) -> str:
    """Return the lines as a Markdown table."""
    lines = [HEADINGS, tuple("---" if i in (0, 3) else "---:" for i in range(len(HEADINGS)))]
    lines += [row.cells() for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def as_text(rows: Sequence[Row]) -> str:
    """Return the lines as columns for a terminal."""
    return columns([HEADINGS, *(row.cells() for row in rows)], left=(0, 3, 5))


def columns(table: Sequence[tuple[str, ...]], left: Sequence[int] = (0, 6)) -> str:
    """Return lines of cells as columns; those in ``left`` begin at their left edge."""
    widths = [max(len(cells[i]) for cells in table) for i in range(len(table[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in table
    )


def document(
    plan: Plan,
    joins: Joins,
    trials: Sequence[Trial],
    times: CommandTimes,
    sweep: SweepTimes,
    messaging: tuple[MessagingPlan, Sequence[Messaging]],
    reality: Reality | None,
    serf_version: str,
) -> str:
    """Return the whole page ``docs/benchmarks.md``."""
    rounds = sum(trial.kind == GOSSIPD.name for trial in trials)
    return f"""# Benchmarks

Written by `make bench`; do not edit. gossipd and Serf run one after the other
in the same run, in alternating order, with the same settings (profile `lan`,
plaintext, log level INFO, `members` against agents that log warnings only).
All agents share one machine, so times under load say more about the ratio
than about a real network. The bars are meant for 48 agents of a kind.

- Date: {datetime.now(UTC):%Y-%m-%d}
- Machine: {os.cpu_count()} cores, Linux {platform.machine()}, Python {platform.python_version()}
- Peer: serf {serf_version}
- {plan.nodes} agents of a kind, {rounds} trial(s) each; {plan.idle_seconds:g} s at rest;
  {plan.kills} kills a trial; {len(joins) // 2} joins of a kind

## A cluster of {plan.nodes}

{as_markdown(fleet_rows(joins, trials, times))}
Live nodes shown as failed, over all trials: {_wrong(trials)}.

Packets and bytes are gossip alone (UDP datagrams; payload of UDP and TCP), what
all agents sent divided by their number. A failure is counted from the kill until
everyone shows it, at least 15 s.

{messaging_section(*messaging)}
## One daemon and its commands

{as_markdown(command_rows(times))}
A round trip is `members` on an open connection, with the decoding of the answer
by the same small client for both kinds. The {CROWD} members are told to one
daemon by one push/pull; they do not exist.

## The simulator

{as_markdown(simulator_rows(sweep))}
The same sweep on one process and on two, in turn, the start of the processes
included; medians of three.
{"" if reality is None else chr(10) + reality_section(reality)}"""


def summary(
    joins: Joins,
    trials: Sequence[Trial],
    times: CommandTimes,
    sweep: SweepTimes,
    messaging: tuple[MessagingPlan, Sequence[Messaging]],
    reality: Reality | None,
) -> str:
    """Return all tables for the terminal."""
    against = "" if reality is None else f"{reality_text(reality, columns)}\n\n"
    return (
        f"{against}{as_text(fleet_rows(joins, trials, times))}\n\n"
        f"{as_text(messaging_rows(*messaging))}\n\n"
        f"{as_text(command_rows(times))}\n\n"
        f"{as_text(simulator_rows(sweep))}\n\n"
        f"live nodes shown as failed: {_wrong(trials)}"
    )


def _wrong(trials: Sequence[Trial]) -> str:
    totals = {
        kind.name: sum(trial.wrongly_failed for trial in trials if trial.kind == kind.name)
        for kind in (GOSSIPD, SERF)
    }
    return ", ".join(f"{kind} {total}" for kind, total in totals.items())


def _median(trials: Sequence[Trial], pick: _Pick) -> float:
    return median(value for trial in trials for value in pick(trial))


def _number(value: float, unit: str) -> str:
    digits = 0 if value >= 1000 else 1 if value >= 100 else 2
    return f"{value:.{digits}f} {unit}".rstrip()
