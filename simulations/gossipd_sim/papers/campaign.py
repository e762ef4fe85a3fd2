"""``Campaign``: the tasks of some recipes, those done and those to do.

Tasks run on any number of processes and finish in any order; the results of a
recipe are judged in the order of its tasks, so that the book is the same.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing

from gossipd_sim.papers.keep import Keep, check_sample
from gossipd_sim.papers.recipe import Effort, Recipe, Result, Section, Task, section_of
from gossipd_sim.papers.recipes import RECIPES
from gossipd_sim.pool import run_all


class Campaign:
    """Work on ``recipes``; take it up with ``run``, look at it with ``sections``.

    Args:
        seed: the root of all chance.
        keep: where results of finished tasks are found and put.
    """

    def __init__(
        self, recipes: Sequence[Recipe], effort: Effort, seed: int, keep: Keep | None = None
    ) -> None:
        self._recipes = recipes
        self._effort = effort
        self._keep = keep
        self._tasks: dict[str, list[Task]] = {}
        self._results: dict[tuple[str, str], Result] = {}
        for recipe in recipes:
            tasks = self._tasks[recipe.name] = recipe.split(effort, seed)
            assert len({task.label for task in tasks}) == len(tasks), recipe.name
            for task in tasks:
                kept = None if keep is None else keep.find(recipe, task)
                if kept is not None:
                    self._results[recipe.name, task.label] = kept

    @property
    def done(self) -> list[Task]:
        """Tasks whose results are there."""
        return [task for task in self._all() if self._is_done(task)]

    @property
    def to_do(self) -> list[Task]:
        """Tasks still to run, the longest first, so that no core waits for them at the end."""
        missing = [task for task in self._all() if not self._is_done(task)]
        return sorted(missing, key=lambda task: -task.weight)

    @property
    def unfinished(self) -> dict[str, tuple[int, int]]:
        """By recipe with tasks still to run: how many are done, and how many there are."""
        counts = {
            name: (sum(map(self._is_done, tasks)), len(tasks))
            for name, tasks in self._tasks.items()
        }
        return {name: (done, total) for name, (done, total) in counts.items() if done < total}

    def run(self, jobs: int) -> Generator[Task, None, None]:
        """Do what is to do and yield each task when its result is there; close to end early.

        Args:
            jobs: processes to use, >= 1.
        """
        recipes = {recipe.name: recipe for recipe in self._recipes}
        to_do = self.to_do
        with closing(run_all(run_task, to_do, max(1, min(jobs, len(to_do))))) as finished:
            for task, result in finished:
                self._results[task.recipe, task.label] = result
                if self._keep is not None:
                    self._keep.add(recipes[task.recipe], result)
                yield task

    def sections(self) -> list[Section]:
        """Return the judgements on all recipes that are finished."""
        unfinished = self.unfinished
        return [
            section_of(
                recipe,
                [self._results[recipe.name, task.label] for task in self._tasks[recipe.name]],
                self._effort,
            )
            for recipe in self._recipes
            if recipe.name not in unfinished
        ]

    def _all(self) -> list[Task]:
        return [task for tasks in self._tasks.values() for task in tasks]

    def _is_done(self, task: Task) -> bool:
        return (task.recipe, task.label) in self._results


def run_task(task: Task) -> Result:
    """Run one task; what another process is given to do.

    Raises:
        KeyError: no recipe is called as it says.
    """
    sample = RECIPES[task.recipe].work(task)
    check_sample(task, sample)
    return Result(task=task, sample=sample)
