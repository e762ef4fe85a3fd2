"""Many runs at once, as ``compare`` and ``sweep`` make them: options, bar, Ctrl-C."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from gossipd_cli.exits import DONE, FAILED, INTERRUPTED, complain
from gossipd_cli.simulate.shared import SEED

if TYPE_CHECKING:
    from gossipd_sim.campaign import Campaign
    from gossipd_sim.grid import Setting

Command = TypeVar("Command", bound=Callable[..., None])
SEEDS_MAX = 100_000

set_option = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a key of the scenario."
)
measure_option = click.option(
    "--measure",
    "measures",
    multiple=True,
    metavar="NAME",
    help="Show this measure (detection.first.median, ...) instead of the usual ones.",
)


def spread_options(seeds: int) -> Callable[[Command], Command]:
    """Return the options that say how many runs there are and where they are made."""

    def add(command: Command) -> Command:
        for option in (
            click.option(
                "--on",
                default="",
                metavar="dask|dask://HOST:PORT",
                help="Use a Dask cluster: one started here, or the one of that scheduler.",
            ),
            click.option(
                "--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="Processes."
            ),
            click.option(
                "--seed",
                "base",
                type=SEED,
                default=0,
                show_default=True,
                help="The first seed.",
            ),
            click.option(
                "--seeds",
                type=click.IntRange(1, SEEDS_MAX),
                default=seeds,
                show_default=True,
                help="How many seeds.",
            ),
        ):
            command = option(command)
        return command

    return add


def settings_from(texts: tuple[str, ...]) -> tuple[Setting, ...]:
    """Return the settings that stand behind ``--set`` and its kin."""
    from gossipd_sim.grid import parse_setting

    return tuple(parse_setting(text) for text in texts)


def run_campaign(
    campaign: Campaign, label: str, on: str, jobs: int, report: Callable[[], str]
) -> int:
    """Make all runs, write what ``report`` returns of those that finished; returns the exit code.

    Raises:
        ConfigError, Unavailable: nothing could be run at all.
    """
    from gossipd.errors import Unavailable
    from gossipd_sim.progress import progress_bar
    from gossipd_sim.workers import open_workers

    total = len(campaign.trials)
    code = DONE
    try:
        with progress_bar(label, total) as advance, open_workers(on, min(jobs, total)) as workers:
            campaign.run(workers, advance)
    except KeyboardInterrupt:
        code = INTERRUPTED
        complain(f"interrupted after {campaign.done} of {total} runs")
    except Unavailable as error:
        if not campaign.done:
            raise
        code = FAILED
        complain(f"{error}; shown are {campaign.done} of {total} runs")
    sys.stdout.write(report())
    return code or (FAILED if campaign.violating else DONE)
