"""Typed timers behind one deadline.

A core keeps its own ``Timers``; its owner asks for ``next_deadline`` and
later pops what is due. Timers set for the same moment come out in the order
in which they were set, so equal inputs give equal runs.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")

COMPACT_FROM = 64
"""Heap length from which cancelled timers are swept out when they are half of it."""


class Handle(Generic[T]):
    """One armed timer; ``cancelled`` ones are skipped, not searched for."""

    __slots__ = ("cancelled", "deadline", "timer")

    def __init__(self, deadline: float, timer: T) -> None:
        self.deadline = deadline
        self.timer = timer
        self.cancelled = False

    def cancel(self) -> None:
        """Make sure this timer does not fire; harmless when it already has."""
        self.cancelled = True


class Timers(Generic[T]):
    """A heap of (deadline, order, timer).

    Cancelled timers are swept out before they outnumber the live ones, so
    arming and cancelling in turn, as a hostile peer may make us do, costs no memory.
    """

    __slots__ = ("_compact_at", "_order", "heap")

    def __init__(self) -> None:
        self._compact_at = COMPACT_FROM
        self.heap: list[tuple[float, int, Handle[T]]] = []
        """Always the same list; while it is empty nothing is armed."""
        self._order = 0

    def set(self, deadline: float, timer: T) -> Handle[T]:
        """Arm ``timer`` for ``deadline`` (seconds, monotonic) and return its handle."""
        if len(self.heap) >= self._compact_at:
            self._compact()
        handle = Handle(deadline, timer)
        self._order += 1
        heappush(self.heap, (deadline, self._order, handle))
        return handle

    def next_deadline(self) -> float | None:
        """Return when the earliest live timer is due, or ``None`` without one."""
        heap = self.heap
        while heap:
            deadline, _, handle = heap[0]
            if not handle.cancelled:
                return deadline
            heappop(heap)
        return None

    def pop_due(self, now: float) -> T | None:
        """Remove and return the earliest timer due at ``now``, or ``None``.

        One at a time, because handling a timer may set or cancel others.
        """
        heap = self.heap
        while heap:
            deadline, _, handle = heap[0]
            if handle.cancelled:
                heappop(heap)
            elif deadline > now:
                return None
            else:
                heappop(heap)
                return handle.timer
        return None

    def __len__(self) -> int:
        return sum(not handle.cancelled for _, _, handle in self.heap)

    def _compact(self) -> None:
        self.heap[:] = [entry for entry in self.heap if not entry[2].cancelled]
        heapify(self.heap)
        self._compact_at = max(COMPACT_FROM, 2 * len(self.heap))
