"""The changes of one service that are remembered, so that watches go on where they were.

A watcher that was away says the index of the last change it was told and gets
those after it, or learns that they are forgotten and begins anew with the set.
Every instance has changed at least once, and most of them only so: a change is
kept as its parts, in lists beside each other, and made when it is asked for.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

from gossipd.services.instance import CHANGED, DOWN, UP, Instance, ServiceChange

_KINDS = (UP, CHANGED, DOWN)

CHANGES_KEPT = 128
"""Of one service, at least."""
CHANGES_SLACK = 32
"""So many more are there before the oldest go, all at once."""


class Journal:
    """Changes of one service, oldest first.

    Args:
        since: all changes above this index will be added.
    """

    __slots__ = ("_indexes", "_instances", "_kinds", "since")

    def __init__(self, since: int) -> None:
        self._indexes = array("Q")
        self._kinds = bytearray()
        self._instances: list[Instance] = []
        self.since = since
        """Every change above this index is still here."""

    def add(self, index: int, kind: str, instance: Instance) -> None:
        """Remember a change (see ``ServiceChange``); ``index`` is above all that came before."""
        self._indexes.append(index)
        self._kinds.append(_KINDS.index(kind))
        self._instances.append(instance)
        if len(self._indexes) > CHANGES_KEPT + CHANGES_SLACK:
            self.since = self._indexes[CHANGES_SLACK]
            gone = slice(CHANGES_SLACK + 1)
            del self._indexes[gone], self._kinds[gone], self._instances[gone]

    def after(self, index: int) -> tuple[ServiceChange, ...] | None:
        """Return the changes above ``index``, or ``None`` if some of them are forgotten."""
        if index < self.since:
            return None
        first = bisect_right(self._indexes, index)
        parts = zip(
            self._indexes[first:], self._kinds[first:], self._instances[first:], strict=True
        )
        return tuple(
            ServiceChange(index=at, kind=_KINDS[kind], instance=instance)
            for at, kind, instance in parts
        )
