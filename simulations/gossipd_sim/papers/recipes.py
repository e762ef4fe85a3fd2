"""All recipes by name, in the order of the book. A new one is a line in ``MODULES``."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from gossipd_sim.errors import ScenarioError
from gossipd_sim.papers import (
    attrition,
    completeness,
    detection,
    infection,
    lifeguard_breaks,
    lifeguard_exhaustion,
    lifeguard_interval,
    lifeguard_mass_crash,
    lifeguard_threshold,
    load,
    rapid,
    rapid_links,
    rumours,
    vivaldi,
)
from gossipd_sim.papers.recipe import Recipe

MODULES: tuple[ModuleType, ...] = (
    detection,
    load,
    completeness,
    infection,
    attrition,
    lifeguard_threshold,
    lifeguard_interval,
    lifeguard_breaks,
    lifeguard_exhaustion,
    lifeguard_mass_crash,
    rapid,
    rapid_links,
    rumours,
    vivaldi,
)
"""Each has ``RECIPES``, a tuple of them."""


def _in_order(recipes: Iterable[Recipe]) -> list[Recipe]:
    """Return ``recipes`` by part, parts as they first appear, and then by name."""
    found = list(recipes)
    parts = list(dict.fromkeys(recipe.part for recipe in found))
    return sorted(found, key=lambda recipe: (parts.index(recipe.part), recipe.name))


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in _in_order(recipe for module in MODULES for recipe in module.RECIPES)
}
"""Recipes by name."""


def chosen(names: Iterable[str]) -> list[Recipe]:
    """Return the recipes of those names in the order of the book, or all if there are none.

    Raises:
        ScenarioError: nothing is called so.
    """
    wanted = {name.upper() for name in names}
    for name in sorted(wanted):
        if name not in RECIPES:
            raise ScenarioError(f"no recipe is called {name!r}; known are {', '.join(RECIPES)}")
    return [recipe for recipe in RECIPES.values() if not wanted or recipe.name in wanted]
