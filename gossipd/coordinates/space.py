"""The space that coordinates lie in: distances, and forces that move a point.

Euclidean with a height (Dabek, Cox, Kaashoek, Morris: Vivaldi, SIGCOMM 2004,
section 5.4), with Serf's details (gossip.md, section 19). Functions of values;
nothing is kept here.

Sums are written out: Python's ``sum`` rounds floats differently since 3.12, and
every host must get the same numbers.
"""

from __future__ import annotations

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
    return _norm(_between(a.vec, b.vec)) + a.height + b.height


def distance(a: Coordinate, b: Coordinate) -> float:
    """Return the estimated round trip in seconds: whole nanoseconds, as peers show it.

    Both must have the same dimensions. Adjustments count unless they would make
    it negative.
    """
    raw = raw_distance(a, b)
    adjusted = raw + a.adjustment + b.adjustment
    nanoseconds = (adjusted if adjusted > 0 else raw) * NANOSECONDS
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
    direction = _between(coordinate.vec, other.vec)
    apart = _norm(direction)
    if apart > ZERO:
        share = 1.0 / apart
        unit = [part * share for part in direction]
        growth = (coordinate.height + other.height) * force / apart
        height = max(coordinate.height + growth, height_min)
    else:
        unit = _any_direction(len(direction), random)
        height = coordinate.height
    moved = [place + part * force for place, part in zip(coordinate.vec, unit, strict=True)]
    return Coordinate(
        vec=tuple(moved), error=coordinate.error, adjustment=coordinate.adjustment, height=height
    )


def _between(vec: tuple[float, ...], origin: tuple[float, ...]) -> list[float]:
    return [place - start for place, start in zip(vec, origin, strict=True)]


def _norm(parts: list[float]) -> float:
    squares = 0.0
    for part in parts:
        squares += part * part
    return sqrt(squares)


def _any_direction(dimensions: int, random: Random) -> list[float]:
    parts = [random.random() - 0.5 for _ in range(dimensions)]
    length = _norm(parts)
    if length > ZERO:
        return [part / length for part in parts]
    return [1.0] + [0.0] * (dimensions - 1)
