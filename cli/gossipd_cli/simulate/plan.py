"""``gossipd simulate plan``: settings that meet a wish, measured on the simulator."""

from __future__ import annotations

import os
import sys
from contextlib import closing

import click

from gossipd_cli.exits import DONE, FAILED, INTERRUPTED, complain
from gossipd_cli.render import as_json
from gossipd_cli.simulate.shared import SEED, guarded, json_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd_sim.plan.search import Search


@click.command("plan")
@click.option("--nodes", type=int, required=True, help="Members of the cluster.")
@click.option("--detect", required=True, metavar="TIME", help="When a crash is to be known by all.")
@click.option("--pause", default="0s", metavar="TIME", help="How long a member may stop unharmed.")
@click.option("--loss", default="0%", metavar="SHARE", help="Packets that links lose, as 1%.")
@click.option(
    "--false-positives",
    default="0%",
    metavar="SHARE",
    help="Pauses, and members in an hour, that may be declared failed.",
)
@click.option("--rtt", default="1ms", metavar="TIME", help="An ordinary round trip.")
@click.option(
    "--runs",
    type=click.IntRange(2, 1000),
    default=10,
    show_default=True,
    help="Rehearsals that the answer stands on.",
)
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="Processes.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="The first seed.")
@json_option
def plan_command(
    nodes: int,
    detect: str,
    pause: str,
    loss: str,
    false_positives: str,
    rtt: str,
    runs: int,
    jobs: int,
    seed: int,
    as_json_: bool,
) -> None:
    """Recommend settings; exit 1 if no settings meet the wish.

    99 of 100 crashes are to be known to everybody within --detect, while nobody is
    declared failed for a pause of --pause or for the packets that links lose.
    """

    def run() -> int:
        from gossipd_sim.plan.search import Search
        from gossipd_sim.plan.wish import Wish, check_wish, duration_from, share_from

        wish = Wish(
            nodes=nodes,
            detect=duration_from("--detect", detect),
            pause=duration_from("--pause", pause),
            loss=share_from("--loss", loss),
            false_positives=share_from("--false-positives", false_positives),
            rtt=duration_from("--rtt", rtt),
        )
        check_wish(wish)
        return _plan(Search(wish, runs, seed), jobs, as_json_)

    sys.exit(guarded(run))


def _plan(search: Search, jobs: int, as_json_: bool) -> int:
    from gossipd_sim.plan.advice import advice_json, advice_text

    is_cut_off = False
    try:
        _search(search, jobs)
    except KeyboardInterrupt:
        is_cut_off = True
        complain(f"interrupted after {search.rehearsals} rehearsals")
    if as_json_:
        sys.stdout.write(as_json(advice_json(search, is_cut_off=is_cut_off)))
    else:
        sys.stdout.write(advice_text(search, is_cut_off=is_cut_off))
    if is_cut_off:
        return INTERRUPTED
    return FAILED if search.recommended() is None else DONE


def _search(search: Search, jobs: int) -> None:
    from gossipd_sim.plan.rehearsal import rehearse_settings
    from gossipd_sim.pool import run_all
    from gossipd_sim.progress import progress_bar

    while (stage := search.next_stage()) is not None:
        workers = min(jobs, len(stage.tasks))
        with (
            progress_bar(stage.label, len(stage.tasks)) as advance,
            closing(run_all(rehearse_settings, stage.tasks, workers)) as finished,
        ):
            for task, result in finished:
                search.take(task, result)
                advance(1, "")
