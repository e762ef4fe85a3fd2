"""``Recipe``: an experiment of a paper as tasks, the work of one task, and a judgement.

A recipe is split into tasks that know nothing of each other, so that they run
on all cores and a run that was cut off goes on with those that are missing.
What a task returns is plain numbers by name.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from gossipd.value import Value
from gossipd_sim.papers.figure import Figure
from gossipd_sim.papers.reasons import with_reason
from gossipd_sim.world import split_seed

Sample: TypeAlias = Mapping[str, Sequence[float]]
"""What one task measured: lists of numbers by name."""


class Effort(enum.Enum):
    """How large a sample to take."""

    QUICK = "quick"
    """Seconds in all, for every commit; fixed seeds, few sizes."""
    FULL = "full"
    """The sample that the paper, or the recipe, asks for."""


class Task(Value, kw_only=True):
    """One piece of a recipe's work; can be sent to another process.

    ``label``: tells it from the other tasks of the recipe and effort. ``seed``: the
    root of all its chance. ``parameters``: what it is about. ``weight``: its
    share of the time, in any unit.
    """

    recipe: str
    label: str
    seed: int
    parameters: Mapping[str, float | str] = {}
    weight: float = 1.0

    def number(self, name: str) -> float:
        """Return a parameter that is a number.

        Raises:
            TypeError: it is a text.
        """
        value = self.parameters[name]
        if isinstance(value, str):
            raise TypeError(f"{name} of {self.recipe} {self.label} is the text {value!r}")
        return value

    def count(self, name: str) -> int:
        """Return a parameter that is a whole number."""
        return int(self.number(name))

    def text(self, name: str) -> str:
        """Return a parameter as text."""
        return str(self.parameters[name])


class Result(Value, kw_only=True):
    """A task and what it measured."""

    task: Task
    sample: Sample

    def numbers(self, name: str) -> list[float]:
        """Return the numbers called ``name``; none if there are none."""
        return list(self.sample.get(name, ()))

    def number(self, name: str) -> float:
        """Return the one number called ``name``.

        Raises:
            ValueError: there is not exactly one.
        """
        (value,) = self.sample[name]
        return value


class Section(Value, kw_only=True):
    """What came of a recipe.

    ``how``: the set-up, the sample and where its seeds come from, in sentences.
    ``notes``: what else was seen, a paragraph of Markdown each.
    """

    recipe: str
    title: str
    source: str
    how: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()

    @property
    def failing(self) -> tuple[Figure, ...]:
        """The figures out of their bands."""
        return tuple(figure for figure in self.figures if not figure.holds)


class Findings(Value, kw_only=True):
    """What ``Recipe.judge`` says; see ``Section``."""

    how: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()


class Split(Protocol):
    """Splits a recipe into tasks."""

    def __call__(self, effort: Effort, seed: int) -> list[Task]:
        """Return the tasks of ``effort``; ``seed`` is the root of all theirs."""


class Judge(Protocol):
    """Puts the results of all tasks of a recipe beside what was published."""

    def __call__(self, results: Sequence[Result], effort: Effort) -> Findings:
        """Return what was found; ``results`` are in the order of the tasks."""


Work: TypeAlias = Callable[[Task], Sample]
"""Runs one task; the same task gives the same sample everywhere."""


class Recipe(Value, kw_only=True):
    """One experiment.

    ``name``: its number, as ``S1``. ``source``: the paper. ``part``: the heading of
    the book that it stands under. ``version``: to be raised with every change of
    ``work`` or ``tasks``, so that kept results of before are not taken up.
    ``split``, ``work``, ``judge``: functions of a module, see there.
    """

    name: str
    title: str
    source: str
    part: str
    version: int = 1
    split: Split
    work: Work
    judge: Judge


def make_task(
    recipe: str,
    label: str,
    seed: int,
    parameters: Mapping[str, float | str],
    *,
    weight: float = 1.0,
    chance: str | None = None,
) -> Task:
    """Return a task with a seed of its own below the root ``seed``.

    Args:
        chance: what its seed is split by, ``recipe`` and ``label`` by default; tasks
            that are to meet the same fate name the same.
    """
    own = split_seed(seed, f"{recipe} {label}" if chance is None else chance) >> 64
    return Task(recipe=recipe, label=label, seed=own, parameters=parameters, weight=weight)


def section_of(recipe: Recipe, results: Sequence[Result], effort: Effort) -> Section:
    """Return the judgement of ``recipe`` on the results of all its tasks."""
    found = recipe.judge(results, effort)
    return Section(
        recipe=recipe.name,
        title=recipe.title,
        source=recipe.source,
        how=found.how,
        figures=tuple(map(with_reason, found.figures)),
        notes=found.notes,
    )
