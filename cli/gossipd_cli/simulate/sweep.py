"""``gossipd simulate sweep``: one scenario over a grid of settings, on all cores or on Dask."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gossipd_cli.exits import FAILED
from gossipd_cli.render import as_json, table
from gossipd_cli.simulate.shared import guarded, json_option, refuse_unwritable, write_result
from gossipd_cli.simulate.spread import (
    measure_option,
    run_campaign,
    set_option,
    settings_from,
    spread_options,
)

if TYPE_CHECKING:
    from gossipd_sim.sweep import Sweep

SEEDS = 5


@click.command("sweep")
@click.argument("scenario", metavar="SCENARIO|FILE")
@click.option(
    "--grid",
    "axes",
    multiple=True,
    required=True,
    metavar="KEY=VALUE,...",
    help="Try these values of a key; with several --grid, each with each.",
)
@set_option
@measure_option
@spread_options(SEEDS)
@click.option(
    "--write", type=click.Path(dir_okay=False), metavar="FILE.csv", help="A line for each run."
)
@json_option
def sweep_command(
    scenario: str,
    axes: tuple[str, ...],
    settings: tuple[str, ...],
    measures: tuple[str, ...],
    seeds: int,
    base: int,
    jobs: int,
    on: str,
    write: str | None,
    as_json_: bool,
) -> None:
    """Run a scenario at every point of a grid, with the same seeds at each."""

    def run() -> int:
        from gossipd_sim.grid import parse_axis
        from gossipd_sim.main import find_source
        from gossipd_sim.sweep import Sweep

        sweep = Sweep(
            find_source(scenario),
            [parse_axis(text) for text in axes],
            settings_from(settings),
            range(base, base + seeds),
            measures,
        )
        refuse_unwritable("--write", write)
        is_written = True

        def report() -> str:
            nonlocal is_written
            if write is not None:
                is_written = write_result("--write", write, sweep.to_csv())
            return as_json(sweep.to_json()) if as_json_ else _text(sweep)

        code = run_campaign(sweep.campaign, f"sweep {scenario}", on, jobs, report)
        return code if is_written else code or FAILED

    sys.exit(guarded(run))


def _text(sweep: Sweep) -> str:
    campaign = sweep.campaign
    points, seeds = len(sweep.points), len(campaign.seeds)
    head = f"{sweep.source.name}: {points} points, {seeds} seeds at each; medians"
    if campaign.done < points * seeds:
        head += f"; {campaign.done} of {points * seeds} runs are finished"
    lines = [head, "", table(sweep.rows()).rstrip()]
    failures = sweep.failures()
    if failures:
        lines += ["", f"VIOLATIONS: {campaign.violating} runs", failures.rstrip()]
    return "\n".join(lines) + "\n"
