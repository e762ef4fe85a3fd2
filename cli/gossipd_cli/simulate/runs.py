"""``gossipd simulate list`` and ``run``: the scenarios of the library, and runs of one."""

from __future__ import annotations

import os
import shlex
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gossipd_cli.exits import DONE, FAILED, INTERRUPTED, complain
from gossipd_cli.render import as_json
from gossipd_cli.simulate.real import SEEDS, run_against_reality
from gossipd_cli.simulate.shared import SEED, guarded, json_option, wire_option
from gossipd_cli.simulate.spread import set_option, settings_from

if TYPE_CHECKING:
    from gossipd_sim.grid import Variant
    from gossipd_sim.rehearsal import Rehearsal, RehearsalTask


@click.command("list")
@json_option
def list_command(as_json_: bool) -> None:
    """List the scenarios of the library."""
    sys.exit(guarded(lambda: _list(as_json_)))


@click.command("run")
@click.argument("scenario", metavar="SCENARIO|FILE")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Another seed, another run.")
@click.option("--nodes", type=click.IntRange(1, 10_000), help="Another number of nodes.")
@click.option("--seeds", type=click.IntRange(1, 10_000), help="So many seeds, from --seed on.")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="Processes.")
@set_option
@wire_option
@click.option("--report", metavar="DIR", help="Write a report with plots into this folder.")
@click.option(
    "--real",
    "program",
    type=click.Choice(["gossipd", "serf"]),
    help="Also run it on real processes here, in real time, and show both side by side.",
)
@json_option
def run_command(
    scenario: str,
    seed: int,
    nodes: int | None,
    seeds: int | None,
    jobs: int,
    settings: tuple[str, ...],
    wire: bool,
    report: str | None,
    program: str | None,
    as_json_: bool,
) -> None:
    """Run a scenario; show measures and violations."""
    if program is not None and report is not None:
        raise click.UsageError("--report is of simulated runs; leave out --real")

    def run() -> int:
        ways = ("by_wire=true",) if wire else ()
        variant = _variant(scenario, nodes, (*settings, *ways))
        if program is not None:
            count = seeds or SEEDS
            return run_against_reality(variant.scenario, seed, count, jobs, program, as_json_)
        if report is not None or (seeds is not None and seeds > 1):
            return _report(variant, seed, seeds or 1, jobs, report, as_json_)
        return _run(variant, seed, as_json_)

    sys.exit(guarded(run))


def _variant(name: str, nodes: int | None, settings: tuple[str, ...]) -> Variant:
    from gossipd_sim.grid import Setting, make_variant
    from gossipd_sim.main import find_source

    size = () if nodes is None else (Setting("nodes", str(nodes), nodes),)
    return make_variant(find_source(name), (*size, *settings_from(settings)))


def _list(as_json_: bool) -> int:
    from gossipd.value import fields_of
    from gossipd_cli.render import table
    from gossipd_sim.main import listing

    found = listing()
    if as_json_:
        rows = [{key: getattr(one, key) for key in fields_of(one)} for one in found]
        sys.stdout.write(as_json(rows))
        return DONE
    lines = [["SCENARIO", "COST", "NODES", "SECONDS", "REHEARSES"]]
    for one in found:
        first = (one.description.splitlines() or [""])[0]
        lines.append([one.name, one.cost, str(one.nodes), f"{one.horizon:g}", first])
    sys.stdout.write(table(lines))
    return DONE


def _run(variant: Variant, seed: int, as_json_: bool) -> int:
    from gossipd_sim.main import rehearse
    from gossipd_sim.progress import progress_bar
    from gossipd_sim.report import outcome_json, outcome_text

    scenario = variant.scenario
    started = time.monotonic()
    with progress_bar(scenario.name, 1.0) as advance:
        outcome = rehearse(scenario, seed, advance)
    took = time.monotonic() - started
    sys.stdout.write(as_json(outcome_json(outcome)) if as_json_ else outcome_text(outcome, took))
    return FAILED if outcome.violations else DONE


def _report(
    variant: Variant, seed: int, seeds: int, jobs: int, report: str | None, as_json_: bool
) -> int:
    """Run one or several seeds, show them, and write the report if one is wanted."""
    from gossipd_sim.pooled import outcomes_text
    from gossipd_sim.rehearsal import RehearsalTask
    from gossipd_sim.report import outcome_text
    from gossipd_sim.report_folder import check_folder, outcomes_json, write_report

    folder = None if report is None else Path(report)
    is_written = False
    if folder is not None:
        check_folder(folder)
    started = time.monotonic()
    tasks = [
        RehearsalTask(variant.text, variant.source.file, number)
        for number in range(seed, seed + seeds)
    ]
    rehearsals, interrupted = _rehearse_all(tasks, min(jobs, seeds))
    took = time.monotonic() - started
    if not rehearsals:
        return INTERRUPTED
    outcomes = [rehearsal.outcome for rehearsal in rehearsals]
    if folder is not None:
        more = f" --seeds {seeds}" if seeds > 1 else ""
        command = f"{variant.command('run', seed)}{more} --report {shlex.quote(str(folder))}"
        try:
            missing = write_report(folder, variant.scenario, variant.text, rehearsals, command)
        except OSError as error:
            # what was found is shown all the same
            complain(f"--report {folder}: cannot be written: {error.strerror or error}")
            is_written = False
        else:
            is_written = True
            if missing:
                complain(f"no plots: {missing}")
    if as_json_:
        sys.stdout.write(as_json(outcomes_json(rehearsals)))
    elif len(outcomes) > 1:
        sys.stdout.write(outcomes_text(outcomes, took))
    else:
        sys.stdout.write(outcome_text(outcomes[0], took))
    if folder is not None and is_written and not as_json_:
        sys.stdout.write(f"wrote {folder / 'report.md'}\n")
    if interrupted:
        return INTERRUPTED
    is_lost = folder is not None and not is_written
    return FAILED if is_lost or any(outcome.violations for outcome in outcomes) else DONE


def _rehearse_all(tasks: list[RehearsalTask], jobs: int) -> tuple[list[Rehearsal], bool]:
    """Return what was finished, in the order of the tasks, and whether Ctrl-C ended it."""
    from gossipd_sim.progress import progress_bar
    from gossipd_sim.rehearsal import rehearse_recorded, rehearse_seeds
    from gossipd_sim.scenario import read_scenario

    finished: list[Rehearsal] = []
    with progress_bar(tasks[0].file.removesuffix(".toml"), len(tasks)) as advance:
        if len(tasks) == 1:
            only = read_scenario(tasks[0].text, tasks[0].file)
            return [rehearse_recorded(only, tasks[0].seed, advance)], False
        try:
            with closing(rehearse_seeds(tasks, jobs)) as rehearsals:
                for rehearsal in rehearsals:
                    finished.append(rehearsal)
                    advance(1, "")
        except KeyboardInterrupt:
            complain(f"interrupted after {len(finished)} of {len(tasks)} seeds")
        return (
            sorted(finished, key=lambda rehearsal: rehearsal.outcome.seed),
            len(finished) < len(tasks),
        )
