"""Durations as people write them: a number of seconds, or Go's form (``1h30m``, ``200ms``)."""

from __future__ import annotations

import math

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_DIGITS = "0123456789."


def read_duration(value: object) -> float:
    """Return seconds from a number of seconds or a Go duration (``1h30m``, ``200ms``).

    Raises:
        ValueError: it is neither, below 0 or not finite; the text says what would be taken.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is not a duration such as 30s or 200ms")
    try:
        seconds = _go_duration(value) if isinstance(value, str) else float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{value!r} is not a duration from 0 on")
    return seconds


def _go_duration(text: str) -> float:
    rest, total = text.strip(), 0.0
    try:
        return float(rest)
    except ValueError:
        pass
    if not rest:
        raise ValueError("empty: write a duration such as 30s or 200ms")
    while rest:
        number = rest[: len(rest) - len(rest.lstrip(_DIGITS))]
        rest = rest[len(number) :]
        unit = rest[: len(rest) - len(rest.lstrip("abcdefghijklmnopqrstuvwxyzµμ"))]
        rest = rest[len(unit) :]
        if unit not in _UNITS or number.count(".") > 1 or not number.strip("."):
            raise ValueError(f"{text!r} is not a duration such as 30s, 200ms or 1h30m")
        total += float(number) * _UNITS[unit]
    return total
