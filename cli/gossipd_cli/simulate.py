"""``gossipd simulate``: rehearse failures of whole clusters on a virtual clock and network.

Exit codes: 0 no checker complained, 1 violations, 2 usage or a scenario that
makes no sense, 130 cut off by Ctrl-C (what was finished is shown).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gossipd_cli.exits import DONE, FAILED, INTERRUPTED, USAGE, complain, run_guarded
from gossipd_cli.render import as_json

if TYPE_CHECKING:
    from gossipd_sim.fuzz import FuzzResult, FuzzTask

NODES_MAX = 64
SHRINK_RUNS = 300

_json = click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
_nodes_max = click.option(
    "--nodes-max",
    type=click.IntRange(3, NODES_MAX),
    default=NODES_MAX,
    show_default=True,
    help="Largest cluster to make; part of what a seed means.",
)
_seed = click.IntRange(0, 2**63 - 1)


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.pass_context
def command(context: click.Context) -> None:
    """Rehearse failures: whole clusters of the real protocol code on a virtual network."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@command.command("list")
@_json
def list_command(as_json_: bool) -> None:
    """List the scenarios of the library."""
    sys.exit(_guarded(lambda: _list(as_json_)))


@command.command("run")
@click.argument("scenario", metavar="SCENARIO|FILE")
@click.option("--seed", type=_seed, default=0, show_default=True, help="Another seed, another run.")
@click.option("--nodes", type=click.IntRange(1, 10_000), help="Another number of nodes.")
@_json
def run_command(scenario: str, seed: int, nodes: int | None, as_json_: bool) -> None:
    """Run a scenario; show measures and violations."""
    sys.exit(_guarded(lambda: _run(scenario, seed, nodes, as_json_)))


@command.command("fuzz")
@click.option("--runs", type=click.IntRange(1), default=50, show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="Processes.")
@click.option("--seed", "base", type=_seed, default=0, show_default=True, help="The first seed.")
@_nodes_max
@_json
def fuzz_command(runs: int, jobs: int, base: int, nodes_max: int, as_json_: bool) -> None:
    """Run random scenarios and list the seeds that fail."""
    sys.exit(_guarded(lambda: _fuzz(runs, jobs, base, nodes_max, as_json_)))


@command.command("replay")
@click.argument("seed", type=_seed)
@_nodes_max
@click.option("--save", type=click.Path(dir_okay=False), help="Write the scenario to this file.")
@_json
def replay_command(seed: int, nodes_max: int, save: str | None, as_json_: bool) -> None:
    """Run the random scenario of a seed again."""
    sys.exit(_guarded(lambda: _replay(seed, nodes_max, save, as_json_)))


@command.command("shrink")
@click.argument("seed", type=_seed)
@_nodes_max
@click.option("--runs", type=click.IntRange(1), default=SHRINK_RUNS, show_default=True)
@click.option("--save", type=click.Path(dir_okay=False), help="Write the scenario to this file.")
@_json
def shrink_command(seed: int, nodes_max: int, runs: int, save: str | None, as_json_: bool) -> None:
    """Make the scenario of a failing seed smaller."""
    sys.exit(_guarded(lambda: _shrink(seed, nodes_max, runs, save, as_json_)))


def _guarded(run: Callable[[], int]) -> int:
    """Return the exit code of ``run``; a scenario that makes no sense is the operator's."""

    def guarded() -> int:
        from gossipd_sim.errors import ScenarioError

        try:
            return run()
        except ScenarioError as error:
            complain(str(error))
            return USAGE

    return run_guarded(guarded)


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


def _run(name: str, seed: int, nodes: int | None, as_json_: bool) -> int:
    from gossipd_sim.main import load, rehearse
    from gossipd_sim.progress import progress_bar
    from gossipd_sim.report import outcome_json, outcome_text

    scenario = load(name, nodes)
    started = time.monotonic()
    with progress_bar(scenario.name, 1.0) as advance:
        outcome = rehearse(scenario, seed, advance)
    took = time.monotonic() - started
    sys.stdout.write(as_json(outcome_json(outcome)) if as_json_ else outcome_text(outcome, took))
    return FAILED if outcome.violations else DONE


def _fuzz(runs: int, jobs: int, base: int, nodes_max: int, as_json_: bool) -> int:
    from gossipd_sim.fuzz import FuzzTask
    from gossipd_sim.main import fuzz
    from gossipd_sim.progress import progress_bar
    from gossipd_sim.report import fuzz_json, fuzz_text

    tasks = [FuzzTask(seed, nodes_max) for seed in range(base, base + runs)]
    results: list[FuzzResult] = []
    failing = 0
    interrupted = False
    started = time.monotonic()
    try:
        with (
            progress_bar(f"fuzz {runs}", runs) as advance,
            closing(fuzz(tasks, min(jobs, runs))) as finished,
        ):
            for result in finished:
                results.append(result)
                failing += bool(result.violations)
                advance(1, f"{failing} failing" if failing else "")
    except KeyboardInterrupt:
        interrupted = True
        complain(f"interrupted after {len(results)} of {runs} runs")
    took = time.monotonic() - started
    replay = {result.seed: replay_line(FuzzTask(result.seed, nodes_max)) for result in results}
    sys.stdout.write(
        as_json(fuzz_json(results, replay)) if as_json_ else fuzz_text(results, replay, took)
    )
    if interrupted:
        return INTERRUPTED
    return FAILED if failing else DONE


def replay_line(task: FuzzTask) -> str:
    """Return the command that repeats a run."""
    size = "" if task.nodes_max == NODES_MAX else f" --nodes-max {task.nodes_max}"
    return f"gossipd simulate replay {task.seed}{size}"


def _replay(seed: int, nodes_max: int, save: str | None, as_json_: bool) -> int:
    from gossipd_sim.document import write_toml
    from gossipd_sim.fuzz import random_document
    from gossipd_sim.main import rehearse
    from gossipd_sim.progress import progress_bar
    from gossipd_sim.report import outcome_json, outcome_text
    from gossipd_sim.scenario import read_scenario

    text = write_toml(random_document(seed, nodes_max))
    if save is not None:
        Path(save).write_text(text, encoding="utf-8")
    scenario = read_scenario(text, f"fuzz-{seed}.toml")
    started = time.monotonic()
    with progress_bar(scenario.name, 1.0) as advance:
        outcome = rehearse(scenario, seed, advance)
    took = time.monotonic() - started
    if as_json_:
        sys.stdout.write(as_json(outcome_json(outcome) | {"toml": text}))
    else:
        sys.stdout.write(f"{text}\n{outcome_text(outcome, took)}")
    return FAILED if outcome.violations else DONE


def _shrink(seed: int, nodes_max: int, runs: int, save: str | None, as_json_: bool) -> int:
    from gossipd_sim.document import write_toml
    from gossipd_sim.fuzz import FuzzTask
    from gossipd_sim.main import shrinker
    from gossipd_sim.progress import progress_bar

    prepared = shrinker(FuzzTask(seed, nodes_max), runs)
    if prepared is None:
        complain(f"seed {seed} is clean: there is nothing to shrink")
        return DONE
    shrinking, checker = prepared
    interrupted = False
    with progress_bar(f"shrink {seed}", runs) as advance:
        try:
            shrinking.shrink(lambda note: advance(1, note))
        except KeyboardInterrupt:
            interrupted = True
    best = shrinking.best
    text = write_toml(best.document)
    if save is not None:
        Path(save).write_text(text, encoding="utf-8")
    if as_json_:
        found = {"checker": checker, "seed": best.seed, "runs": shrinking.runs, "toml": text}
        sys.stdout.write(as_json(found))
    else:
        file = save or "FILE.toml"
        sys.stdout.write(
            f"# {checker} still complains; found in {shrinking.runs} runs\n"
            f"# gossipd simulate run {file} --seed {best.seed}\n{text}"
        )
    return INTERRUPTED if interrupted else FAILED
