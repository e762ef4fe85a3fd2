"""``SharedDict``: a table that shares with those of other nodes what is equal.

Ten thousand nodes in one process that all know each other cannot keep ten
thousand entries each. They begin with one base and keep for themselves what
differs since; two of them can tell cheaply in what they differ. Values are
never changed, only replaced, so the very same value says the very same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping
from typing import Generic, TypeVar

TOTALS_KEPT = 8
"""Sums over a base that are kept; some are asked for again and again, some once."""

V = TypeVar("V")


class Base(dict[str, V], Generic[V]):
    """What many ``SharedDict`` begin with."""

    __slots__ = ("_places", "totals")

    def __init__(self) -> None:
        super().__init__()
        self.totals: dict[Callable[[str, V], int], int] = {}
        """Sums over all entries, by what is summed up."""
        self._places: dict[str, int] = {}

    def places(self) -> Mapping[str, int]:
        """Return the place of each name in the order of iteration."""
        if len(self._places) != len(self):
            self._places = {name: place for place, name in enumerate(self)}
        return self._places


class SharedDict(MutableMapping[str, V], Generic[V]):
    """A mapping that begins as ``base``, which many share and nobody changes.

    Iteration follows ``base``, then whatever is not in it in order of arrival.
    """

    __slots__ = ("_base", "_count", "_own")

    def __init__(self, base: Base[V]) -> None:
        self._base = base
        self._own: dict[str, V | None] = {}
        """What differs; ``None`` is gone."""
        self._count = len(base)

    def get(self, name: str, default: V | None = None) -> V | None:  # type: ignore[override]
        """Return the value under ``name``."""
        if name in self._own:
            value = self._own[name]
            return default if value is None else value
        return self._base.get(name, default)

    def __getitem__(self, name: str) -> V:
        value = self._own[name] if name in self._own else self._base[name]
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: V) -> None:
        if self.get(name) is None:
            self._count += 1
        self._own[name] = value

    def __delitem__(self, name: str) -> None:
        if self.get(name) is None:
            raise KeyError(name)
        self._count -= 1
        if name in self._base:
            self._own[name] = None
        else:
            del self._own[name]

    def __len__(self) -> int:
        return self._count

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._merged())

    def values(self) -> Collection[V]:  # type: ignore[override]
        """Return all values, in the order of iteration."""
        return self._merged().values()

    def _merged(self) -> dict[str, V]:
        """Return a plain mapping of the same; it may be the base itself."""
        if not self._own:
            return self._base
        merged: dict[str, V | None] = {**self._base, **self._own}
        if len(merged) == self._count:
            return merged  # type: ignore[return-value]  # then none of them is gone
        return {name: value for name, value in merged.items() if value is not None}

    def snapshot(self) -> SharedDict[V]:
        """Return a copy that later changes do not reach."""
        copy: SharedDict[V] = SharedDict(self._base)
        copy._own = self._own.copy()
        copy._count = self._count
        return copy

    def unlike(self, other: object) -> Iterator[tuple[str, V]]:
        """Yield the names and values here that are not the very same under that name in ``other``.

        In the order of iteration. Looks only at what either has for itself when both
        share a base.
        """
        if not isinstance(other, SharedDict) or other._base is not self._base:
            yield from self.items()
            return
        theirs = other._own
        if self._own or theirs:
            places = self._base.places()
            changed = [*self._own, *(name for name in theirs if name not in self._own)]
            # stable: whoever is not in the base keeps the order of arrival
            changed.sort(key=lambda name: places.get(name, len(places)))
            for name in changed:
                value = self.get(name)
                if value is not None and value is not other.get(name):
                    yield name, value

    def total(self, measure: Callable[[str, V], int]) -> int:
        """Return the sum of ``measure`` over all entries; that over the base is kept."""
        base = self._base
        total = base.totals.get(measure)
        if total is None:
            if len(base.totals) >= TOTALS_KEPT:
                base.totals.clear()
            total = base.totals[measure] = sum(measure(name, value) for name, value in base.items())
        for name, own in self._own.items():
            if name in base:
                total -= measure(name, base[name])
            if own is not None:
                total += measure(name, own)
        return total
