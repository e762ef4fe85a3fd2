"""``gossipd simulate fuzz``, ``replay`` and ``shrink``: random scenarios, one for each seed."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gossipd_cli.exits import DONE, FAILED, INTERRUPTED, complain
from gossipd_cli.render import as_json
from gossipd_cli.simulate.shared import (
    NODES_MAX,
    SEED,
    guarded,
    json_option,
    refuse_unwritable,
    wire_option,
    write_result,
)

if TYPE_CHECKING:
    from gossipd_sim.fuzz import FuzzResult, FuzzTask

SHRINK_RUNS = 300

_nodes_max = click.option(
    "--nodes-max",
    type=click.IntRange(3, NODES_MAX),
    default=NODES_MAX,
    show_default=True,
    help="Largest cluster to make; part of what a seed means.",
)


@click.command("fuzz")
@click.option("--runs", type=click.IntRange(1), default=50, show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="Processes.")
@click.option("--seed", "base", type=SEED, default=0, show_default=True, help="The first seed.")
@click.option("--services", is_flag=True, help="Only seeds whose runs have services.")
@_nodes_max
@json_option
def fuzz_command(
    runs: int, jobs: int, base: int, services: bool, nodes_max: int, as_json_: bool
) -> None:
    """Run random scenarios and list the seeds that fail."""
    sys.exit(guarded(lambda: _fuzz(runs, jobs, base, services, nodes_max, as_json_)))


@click.command("replay")
@click.argument("seed", type=SEED)
@_nodes_max
@click.option("--save", type=click.Path(dir_okay=False), help="Write the scenario to this file.")
@wire_option
@json_option
def replay_command(seed: int, nodes_max: int, save: str | None, wire: bool, as_json_: bool) -> None:
    """Run the random scenario of a seed again."""
    sys.exit(guarded(lambda: _replay(seed, nodes_max, save, wire, as_json_)))


@click.command("shrink")
@click.argument("seed", type=SEED)
@_nodes_max
@click.option("--runs", type=click.IntRange(1), default=SHRINK_RUNS, show_default=True)
@click.option("--save", type=click.Path(dir_okay=False), help="Write the scenario to this file.")
@json_option
def shrink_command(seed: int, nodes_max: int, runs: int, save: str | None, as_json_: bool) -> None:
    """Make the scenario of a failing seed smaller."""
    sys.exit(guarded(lambda: _shrink(seed, nodes_max, runs, save, as_json_)))


def _fuzz(
    runs: int, jobs: int, base: int, with_services: bool, nodes_max: int, as_json_: bool
) -> int:
    from gossipd_sim.fuzz import FuzzTask, seeds_from
    from gossipd_sim.main import fuzz
    from gossipd_sim.progress import progress_bar
    from gossipd_sim.report import fuzz_json, fuzz_text

    seeds = seeds_from(base, runs, nodes_max, with_services=with_services)
    tasks = [FuzzTask(seed, nodes_max) for seed in seeds]
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


def _replay(seed: int, nodes_max: int, save: str | None, wire: bool, as_json_: bool) -> int:
    from gossipd_sim.document import write_toml
    from gossipd_sim.fuzz import random_document
    from gossipd_sim.main import rehearse
    from gossipd_sim.progress import progress_bar
    from gossipd_sim.report import outcome_json, outcome_text
    from gossipd_sim.scenario import read_scenario

    refuse_unwritable("--save", save)
    document = random_document(seed, nodes_max)
    text = write_toml({**document, "by_wire": True} if wire else document)
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

    refuse_unwritable("--save", save)
    prepared = shrinker(FuzzTask(seed, nodes_max), runs)
    if prepared is None:
        if as_json_:
            found: dict[str, object] = {"checker": None, "seed": seed, "runs": 1, "toml": None}
            sys.stdout.write(as_json(found))
        complain(f"seed {seed} is clean: there is nothing to shrink")
        return DONE
    shrinking, checker = prepared
    interrupted = False
    with progress_bar(f"shrink {seed}", runs) as advance:
        try:
            shrinking.shrink(lambda note: advance(1, note))
        except KeyboardInterrupt:
            interrupted = True
            complain(f"interrupted after {shrinking.runs} of {runs} runs")
    best = shrinking.best
    text = write_toml(best.document)
    if save is not None:
        write_result("--save", save, text)
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
