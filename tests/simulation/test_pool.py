"""Tasks on several processes: all are done, and an early end leaves nobody behind."""

from __future__ import annotations

import multiprocessing
import os
from contextlib import closing

import pytest

from gossipd_sim.pool import run_all
from support.pool_tasks import square, work_for_ever


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_task_comes_back_with_its_result(jobs: int) -> None:
    tasks = list(range(25))
    assert sorted(run_all(square, tasks, jobs)) == [(task, task * task) for task in tasks]


def test_closing_early_ends_the_workers_that_are_still_busy() -> None:
    before = multiprocessing.active_children()
    with closing(run_all(work_for_ever, [0, 1, 2, 3], 2)) as results:
        task, worker = next(results)
    assert task == 0
    assert worker != os.getpid()
    assert multiprocessing.active_children() == before
