"""``gossipd simulate papers``: published results beside ours."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

import click

from gossipd_cli.exits import DONE, FAILED, INTERRUPTED, complain
from gossipd_cli.render import as_json, table
from gossipd_cli.simulate.shared import SEED, guarded, json_option, refuse_unwritable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd_sim.papers.campaign import Campaign


@click.command("papers")
@click.argument("recipes", metavar="[RECIPE]...", nargs=-1)
@click.option("--quick/--full", default=True, help="A sample of seconds, or the whole (quick).")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="Processes.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="The root of all chance.")
@click.option("--write", type=click.Path(dir_okay=False), help="Write the book to this file.")
@click.option(
    "--keep",
    type=click.Path(dir_okay=False),
    help="Keep finished results in this file, and go on from those that are there.",
)
@json_option
def papers_command(
    recipes: tuple[str, ...],
    quick: bool,
    jobs: int,
    seed: int,
    write: str | None,
    keep: str | None,
    as_json_: bool,
) -> None:
    """Reproduce published results; exit 1 if a figure is out of its band."""
    sys.exit(guarded(lambda: _papers(recipes, quick, jobs, seed, write, keep, as_json_)))


def _papers(
    names: tuple[str, ...],
    quick: bool,
    jobs: int,
    seed: int,
    write: str | None,
    keep: str | None,
    as_json_: bool,
) -> int:
    from gossipd_sim.papers.book import book_text, figure_rows, section_json
    from gossipd_sim.papers.campaign import Campaign
    from gossipd_sim.papers.keep import Keep
    from gossipd_sim.papers.recipe import Effort
    from gossipd_sim.papers.recipes import RECIPES, chosen

    refuse_unwritable("--write", write)
    refuse_unwritable("--keep", keep)
    effort = Effort.QUICK if quick else Effort.FULL
    recipes = chosen(names)
    campaign = Campaign(recipes, effort, seed, None if keep is None else Keep(Path(keep)))
    interrupted = _run(campaign, jobs)
    sections = campaign.sections()
    failing = sum(len(section.failing) for section in sections)
    if as_json_:
        found: dict[str, object] = {
            "effort": effort.value,
            "seed": seed,
            "failing": failing,
            "unfinished": sorted(campaign.unfinished),
            "recipes": [section_json(section) for section in sections],
        }
        sys.stdout.write(as_json(found))
    else:
        sys.stdout.write(table(figure_rows(sections)))
    if interrupted:
        _complain_of_interrupt(campaign, keep)
        return INTERRUPTED
    if write is not None:
        Path(write).write_text(book_text(sections, RECIPES, effort, seed), encoding="utf-8")
    if failing:
        complain(f"{failing} figures are out of their bands")
    return FAILED if failing else DONE


def _run(campaign: Campaign, jobs: int) -> bool:
    """Do all tasks that are to do; returns whether Ctrl-C cut that off."""
    from gossipd_sim.progress import progress_bar

    total = sum(task.weight for task in (*campaign.done, *campaign.to_do))
    try:
        with progress_bar("papers", total) as advance, closing(campaign.run(jobs)) as finished:
            advance(sum(task.weight for task in campaign.done), "")
            for task in finished:
                advance(task.weight, f"{task.recipe} {task.label}")
    except KeyboardInterrupt:
        return True
    return False


def _complain_of_interrupt(campaign: Campaign, keep: str | None) -> None:
    missing = ", ".join(
        f"{name} ({done} of {total} tasks)" for name, (done, total) in campaign.unfinished.items()
    )
    hint = "the same command goes on" if keep else "with --keep FILE it could go on"
    complain(f"interrupted; unfinished: {missing}; {hint}")
