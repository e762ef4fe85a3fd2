"""``EventQueue``: what happens next, in the order of time and then of setting.

Near moments go into a ring of one-millisecond buckets, where putting one in
costs an append; far ones into a heap. A bucket is ordered when its
millisecond comes. The order is exactly that of one plain heap of
(time, order of setting).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import TypeAlias

Happening: TypeAlias = Callable[..., object]
Entry: TypeAlias = tuple[float, int, Happening, tuple[object, ...]]
"""When (seconds), order of setting, what to call, with what."""

BUCKETS_PER_SECOND = 1000
SPAN = 4096
"""Buckets of the ring; moments further ahead wait in the heap. A power of two."""


class EventQueue:
    """A priority queue of happenings; times in seconds, never below 0."""

    __slots__ = ("_bucket", "_far", "_near", "_open", "_order", "_ring")

    def __init__(self) -> None:
        self._ring: list[list[Entry]] = [[] for _ in range(SPAN)]
        self._near = 0
        """Entries in the ring."""
        self._far: list[Entry] = []
        self._open: list[Entry] = []
        """A heap of everything due in the current bucket or before."""
        self._bucket = 0
        self._order = 0

    def push(self, when: float, happening: Happening, args: tuple[object, ...] = ()) -> None:
        """Have ``happening(*args)`` come out at ``when``, after what was set for then before."""
        self._order += 1
        entry = (when, self._order, happening, args)
        ahead = int(when * BUCKETS_PER_SECOND) - self._bucket
        if ahead <= 0:
            heappush(self._open, entry)
        elif ahead < SPAN:
            self._ring[(self._bucket + ahead) % SPAN].append(entry)
            self._near += 1
        else:
            heappush(self._far, entry)

    def due(self, end: float) -> Iterator[Entry]:
        """Remove and yield what is due at ``end`` or before, also what is put in meanwhile."""
        last = int(end * BUCKETS_PER_SECOND)
        while True:
            opened = self._open
            while opened:
                if opened[0][0] > end:
                    return
                yield heappop(opened)
            if not self._open_next(last):
                return

    def __len__(self) -> int:
        return len(self._open) + self._near + len(self._far)

    def _open_next(self, last: int) -> bool:
        """Go on to the next bucket that holds something, if it is not after ``last``."""
        far = self._far
        far_bucket = int(far[0][0] * BUCKETS_PER_SECOND) if far else last + 1
        bucket = min(far_bucket, last + 1)
        if self._near:
            ring, limit, bucket = self._ring, bucket, self._bucket + 1
            while bucket < limit and not ring[bucket % SPAN]:
                bucket += 1
        if bucket > last:
            return False
        self._bucket = bucket
        opened = self._ring[bucket % SPAN]
        if opened:
            self._ring[bucket % SPAN] = []
            self._near -= len(opened)
            opened.sort()
            self._open = opened
        while far and int(far[0][0] * BUCKETS_PER_SECOND) <= bucket:
            heappush(self._open, heappop(far))
        return True
