"""What a thing may be seen as, over time: values with the spans in which they are allowed.

A change at ``now`` is allowed to be seen at once and must be seen from ``now + bound`` on;
until then the former value is allowed, too. So news may take its way through a cluster and
an answer can still be wrong.
"""

from __future__ import annotations

import math
from typing import Generic, TypeVar

T = TypeVar("T")


class Spans(Generic[T]):
    """One thing; ``first`` is what it is from the beginning on."""

    __slots__ = ("_spans", "current")

    def __init__(self, first: T) -> None:
        self.current = first
        self._spans: list[tuple[T, float, float]] = [(first, -math.inf, math.inf)]

    def set(self, value: T, now: float, bound: float) -> None:
        """Be ``value`` from now on; what it was may be seen for ``bound`` longer."""
        self._spans = [
            (seen, since, now + bound if until == math.inf else until)
            for seen, since, until in self._spans
        ]
        self._spans.append((value, now, math.inf))
        self.current = value

    def allow(self, value: T, now: float, bound: float) -> None:
        """Let ``value`` be seen as well, for ``bound``; if that is infinite, until it changes."""
        self._spans.insert(len(self._spans) - 1, (value, now, now + bound))

    def allowed(self, begin: float, end: float) -> list[T]:
        """Return what it may be seen as by somebody who looked in between, each once."""
        found: list[T] = []
        for value, since, until in self._spans:
            if since <= end and until >= begin and value not in found:
                found.append(value)
        return found

    def settled_at(self) -> float:
        """Return from when on it can only be seen as what it is now."""
        ends = [until for _, _, until in self._spans[:-1] if until < math.inf]
        return max(ends, default=-math.inf)

    def forget(self, before: float) -> None:
        """Forget what nobody can have seen since."""
        if len(self._spans) > 1:
            self._spans = [span for span in self._spans if span[2] >= before]
