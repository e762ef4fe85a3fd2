"""``Rehearsal``: one run of a scenario with its course over time, and many on several cores."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from gossipd.value import Value
from gossipd_sim.cluster import Cluster, Outcome
from gossipd_sim.curves import Course, Curves
from gossipd_sim.pool import Workers, run_all
from gossipd_sim.scenario import read_scenario
from gossipd_sim.script import Scenario

PROGRESS_STEPS = 200


class Rehearsal(Value):
    """What came of a run, and how it went."""

    outcome: Outcome
    course: Course


class RehearsalTask(Value):
    """A run to do, in any process: the scenario as text, the file it is from, the seed."""

    text: str
    file: str
    seed: int


def rehearse_recorded(
    scenario: Scenario, seed: int, advance: Callable[[float, str], None] | None = None
) -> Rehearsal:
    """Run a scenario once and record its course; the outcome is the same as without.

    Args:
        advance: told the share of the way that was done since the last call, all sum up to 1.
    """
    cluster = Cluster(scenario, seed)
    curves = Curves(cluster)
    outcome = run_telling(cluster, advance)
    return Rehearsal(outcome, curves.course())


def run_telling(cluster: Cluster, advance: Callable[[float, str], None] | None) -> Outcome:
    """Run ``cluster`` to its end, as ``Cluster.run`` does, and tell how far it is."""
    if advance is not None:
        for number in range(1, PROGRESS_STEPS):
            cluster.world.run_until(cluster.scenario.horizon * number / PROGRESS_STEPS)
            advance(1 / PROGRESS_STEPS, "")
    return cluster.run()


def rehearse_seeds(
    tasks: Sequence[RehearsalTask], workers: Workers
) -> Generator[Rehearsal, None, None]:
    """Yield the rehearsal of each task as it is finished; close to end early.

    Args:
        workers: processes to use, >= 1, or an executor.
    """
    for _, rehearsal in run_all(run_rehearsal_task, tasks, workers):
        yield rehearsal


def run_rehearsal_task(task: RehearsalTask) -> Rehearsal:
    """Do one task; for another process to call."""
    return rehearse_recorded(read_scenario(task.text, task.file), task.seed)
