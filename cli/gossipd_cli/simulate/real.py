"""``gossipd simulate run SCENARIO --real gossipd|serf``: processes beside the simulator."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

from gossipd_cli.exits import DONE, FAILED, INTERRUPTED, complain
from gossipd_cli.render import as_json

if TYPE_CHECKING:
    from gossipd_sim.news import Spread
    from gossipd_sim.real.plan import RealPlan
    from gossipd_sim.script import Scenario

SEEDS = 10
"""Simulated runs, unless ``--seeds`` says otherwise."""


def run_against_reality(
    scenario: Scenario, seed: int, seeds: int, jobs: int, program: str, as_json_: bool
) -> int:
    """Run the scenario on both sides and show the medians; returns the exit code."""
    from gossipd_sim.progress import progress_bar
    from gossipd_sim.real.comparison import comparison_json, comparison_text
    from gossipd_sim.real.plan import make_plan
    from gossipd_sim.real.programs import KINDS
    from gossipd_sim.real.run import check_program, run_real

    kind = KINDS[program]
    plan = make_plan(scenario, seed, kind)
    check_program(kind)
    virtual, interrupted = _simulate(plan, range(seed, seed + seeds), min(jobs, seeds))
    if interrupted:
        complain(f"interrupted after {len(virtual)} of {seeds} simulated runs; no process ran")
        return INTERRUPTED
    # the processors are theirs alone now
    with progress_bar(f"{program} × {plan.scenario.nodes}", plan.scenario.horizon) as advance:
        real = run_real(kind, plan, advance)
    shown = (
        as_json(comparison_json(plan, virtual, real))
        if as_json_
        else comparison_text(plan, virtual, real)
    )
    sys.stdout.write(shown)
    for trouble in real.troubles:
        complain(trouble)
    if not real.finished:
        complain(f"interrupted after {real.seconds:.0f} s; every process was ended")
        return INTERRUPTED
    return FAILED if real.troubles else DONE


def _simulate(plan: RealPlan, seeds: range, jobs: int) -> tuple[list[tuple[Spread, ...]], bool]:
    from gossipd_sim.progress import progress_bar
    from gossipd_sim.real.comparison import run_virtual

    finished: list[tuple[Spread, ...]] = []
    with progress_bar(f"simulate {len(seeds)}", len(seeds)) as advance:
        try:
            with closing(run_virtual(plan, seeds, jobs)) as runs:
                for spreads in runs:
                    finished.append(spreads)
                    advance(1, "")
        except KeyboardInterrupt:
            return finished, True
    return finished, False
