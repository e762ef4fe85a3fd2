"""``gossipd simulate list`` and ``run``: the scenarios of the library, and one run of one."""

from __future__ import annotations

import sys
import time

import click

from gossipd_cli.exits import DONE, FAILED
from gossipd_cli.render import as_json
from gossipd_cli.simulate.shared import SEED, guarded, json_option
from gossipd_cli.simulate.spread import set_option, settings_from


@click.command("list")
@json_option
def list_command(as_json_: bool) -> None:
    """List the scenarios of the library."""
    sys.exit(guarded(lambda: _list(as_json_)))


@click.command("run")
@click.argument("scenario", metavar="SCENARIO|FILE")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Another seed, another run.")
@click.option("--nodes", type=click.IntRange(1, 10_000), help="Another number of nodes.")
@set_option
@json_option
def run_command(
    scenario: str, seed: int, nodes: int | None, settings: tuple[str, ...], as_json_: bool
) -> None:
    """Run a scenario; show measures and violations."""
    sys.exit(guarded(lambda: _run(scenario, seed, nodes, settings, as_json_)))


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


def _run(name: str, seed: int, nodes: int | None, settings: tuple[str, ...], as_json_: bool) -> int:
    from gossipd_sim.main import load, rehearse
    from gossipd_sim.progress import progress_bar
    from gossipd_sim.report import outcome_json, outcome_text

    scenario = load(name, nodes, settings_from(settings))
    started = time.monotonic()
    with progress_bar(scenario.name, 1.0) as advance:
        outcome = rehearse(scenario, seed, advance)
    took = time.monotonic() - started
    sys.stdout.write(as_json(outcome_json(outcome)) if as_json_ else outcome_text(outcome, took))
    return FAILED if outcome.violations else DONE
