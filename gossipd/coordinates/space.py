"""The space that coordinates lie in: distances, and forces that move a point.

Euclidean with a height (Dabek, Cox, Kaashoek, Morris: Vivaldi, SIGCOMM 2004,
section 5.4), with Serf's details (gossip.md, section 19). Functions of values;
nothing is kept here.

Sums are written out: Python's ``sum`` rounds floats differently since 3.12, and
every host must get the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite, sqrt
from random import Random

from gossipd.coordinate import Coordinate

ZERO = 1e-6
"""Seconds below which a distance or a round trip counts as none."""
NANOSECONDS = 1e9
_TOO_LONG = -(2**63) / NANOSECONDS
"""What the reference makes of a distance that its 64 bits of nanoseconds cannot hold."""


def is_finite(coordinate: Coordinate) -> bool:
    """Say whether none of its numbers is NaN or infinite."""
    return (
        all(map(isfinite, coordinate.vec))
        and isfinite(coordinate.error)
        and isfinite(coordinate.adjustment)
        and isfinite(coordinate.height)
    )


def raw_distance(a: Coordinate, b: Coordinate) -> float:
    """Return the estimated round trip in seconds, without the adjustments."""
    return norm(between(a.vec, b.vec)) + a.height + b.height


def distance(a: Coordinate, b: Coordinate) -> float:
    """Return the estimated round trip in seconds: whole nanoseconds, as peers show it.

    Both must have the same dimensions. Adjustments count unless they would make
    it negative.
    """
    return adjusted(raw_distance(a, b), a.adjustment, b.adjustment)


def adjusted(raw: float, a: float, b: float) -> float:
    """Return what ``distance`` makes of a raw distance and of two nodes' adjustments."""
    seconds = raw + a + b
    nanoseconds = (seconds if seconds > 0 else raw) * NANOSECONDS
    if not nanoseconds < 2**63:
        return _TOO_LONG
    return int(nanoseconds) / NANOSECONDS


def pushed(
    coordinate: Coordinate, force: float, other: Coordinate, height_min: float, random: Random
) -> Coordinate:
    """Return ``coordinate`` moved ``force`` seconds away from ``other``.

    The height grows or shrinks along with the distance.

    Args:
        force: negative is towards ``other``.
        height_min: seconds, the least height.
        random: gives the direction if the two points coincide.
    """
    direction = between(coordinate.vec, other.vec)
    flat, heights = norm(direction), coordinate.height + other.height
    vec = moved(coordinate.vec, force, direction, flat, random)
    height = lifted(coordinate.height, force, heights, flat, height_min)
    return Coordinate(
        vec=vec, error=coordinate.error, adjustment=coordinate.adjustment, height=height
    )


def moved(
    vec: tuple[float, ...], force: float, direction: Sequence[float], flat: float, random: Random
) -> tuple[float, ...]:
    """Return the point ``vec`` moved ``force`` seconds along ``direction``, ``flat`` long."""
    if flat > ZERO:
        share = 1.0 / flat
        return tuple(
            [place + part * share * force for place, part in zip(vec, direction, strict=True)]
        )
    unit = _any_direction(len(direction), random)
    return tuple([place + part * force for place, part in zip(vec, unit, strict=True)])


def lifted(height: float, force: float, heights: float, flat: float, height_min: float) -> float:
    """Return the height after a push; ``heights`` are both nodes', ``flat`` apart in the plane."""
    return max(height + heights * force / flat, height_min) if flat > ZERO else height


def between(vec: tuple[float, ...], origin: tuple[float, ...]) -> list[float]:
    """Return the way from ``origin`` to ``vec``."""
    return [place - start for place, start in zip(vec, origin, strict=True)]


def norm(parts: Iterable[float]) -> float:
    """Return how long a way is."""
    squares = 0.0
    for part in parts:
        squares += part * part
    return sqrt(squares)


def _any_direction(dimensions: int, random: Random) -> list[float]:
    parts = [random.random() - 0.5 for _ in range(dimensions)]
    length = norm(parts)
    if length > ZERO:
        return [part / length for part in parts]
    return [1.0] + [0.0] * (dimensions - 1)
