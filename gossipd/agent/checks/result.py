"""What one run of a check says, cut to what travels; and the load that it may tell of."""

from __future__ import annotations

import math

from gossipd.services.definition import CRITICAL, OUTPUT_BYTES_MAX
from gossipd.value import Value

LOAD_LINE = "load="
"""How the last line of a script's output begins when it tells of load."""
_NUMBER_MAX = 32


class Result(Value):
    """``status`` of one run, what it said, and the load of the service if it told that."""

    status: str
    output: str = ""
    load: float | None = None


def critical(text: str) -> Result:
    """Return the result of a run that failed; ``text`` says why."""
    return Result(CRITICAL, beginning(text))


def beginning(text: str) -> str:
    """Return what fits of ``text``, from its beginning."""
    return _cut(text.encode("utf-8", "replace")[:OUTPUT_BYTES_MAX])


def end(text: str) -> str:
    """Return what fits of ``text``, from its end: there a script says what it found."""
    return _cut(text.encode("utf-8", "replace")[-OUTPUT_BYTES_MAX:])


def _cut(data: bytes) -> str:
    """Return ``data`` without the pieces of letters that the cut left at either end."""
    return data.decode("utf-8", "ignore")


def load_from(text: str) -> float | None:
    """Return a load, 0 idle to 1 full, or ``None`` if ``text`` is no number from 0 on.

    More than full is full: a service that counts its requests may well say 1.2.
    """
    try:
        load = float(text) if len(text) <= _NUMBER_MAX else -1.0
    except ValueError:
        return None
    return min(load, 1.0) if math.isfinite(load) and load >= 0 else None


def load_in(output: str) -> float | None:
    """Return the load that the last line of a script's output tells, ``load=0.73``."""
    last = output.rstrip()[-_NUMBER_MAX:].rpartition("\n")[2].strip()
    return load_from(last[len(LOAD_LINE) :]) if last.startswith(LOAD_LINE) else None
