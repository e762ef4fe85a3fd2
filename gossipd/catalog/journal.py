"""The changes of one service that are remembered, so that watches go on where they were.

A watcher that was away says the index of the last change it was told and gets
those after it, or learns that they are forgotten and begins anew with the set.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter

from gossipd.services.instance import ServiceChange

CHANGES_KEPT = 128
"""Of one service, at least; up to twice as many are there before the older half goes."""

_index_of = attrgetter("index")


class Journal:
    """Changes of one service, oldest first.

    Args:
        since: all changes above this index will be added.
    """

    __slots__ = ("_changes", "since")

    def __init__(self, since: int) -> None:
        self._changes: list[ServiceChange] = []
        self.since = since
        """Every change above this index is still here."""

    def add(self, change: ServiceChange) -> None:
        """Remember ``change``; its index is above all that came before."""
        self._changes.append(change)
        if len(self._changes) > 2 * CHANGES_KEPT:
            self.since = self._changes[CHANGES_KEPT].index
            del self._changes[: CHANGES_KEPT + 1]

    def after(self, index: int) -> tuple[ServiceChange, ...] | None:
        """Return the changes above ``index``, or ``None`` if some of them are forgotten."""
        if index < self.since:
            return None
        return tuple(self._changes[bisect_right(self._changes, index, key=_index_of) :])
