"""``Ledger``: what a room counts and measures, as plain numbers that only grow.

Nobody resets them, so any number of readers may each look at the differences
between two moments of their own. Of a measured quantity the latest values are
kept too, because dashboards want extremes and not only means.
"""

from __future__ import annotations

from gossipd.value import Value

KEPT = 32
"""Latest values kept of each quantity."""


class Tallied(Value):
    """A quantity at one moment: how often it was measured, the sum, the ``latest`` values.

    ``latest`` are the last ``KEPT`` ones or all there were, oldest first.
    """

    count: int
    total: float
    latest: tuple[float, ...]


NOTHING = Tallied(0, 0.0, ())


class Tally:
    """One quantity while it is measured."""

    __slots__ = ("_ring", "count", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self._ring: list[float] = []

    def add(self, value: float) -> None:
        """Take one value; its unit is the quantity's."""
        if len(self._ring) < KEPT:
            self._ring.append(value)
        else:
            self._ring[self.count % KEPT] = value
        self.count += 1
        self.total += value

    def read(self) -> Tallied:
        """Return how things stand now."""
        oldest = self.count % KEPT if self.count > KEPT else 0
        latest = (*self._ring[oldest:], *self._ring[:oldest])
        return Tallied(self.count, self.total, latest)


class Ledger:
    """Counts and tallies by name; names are few and never come from peers unbounded."""

    __slots__ = ("counts", "tallies")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.tallies: dict[str, Tally] = {}

    def count(self, name: str, by: int = 1) -> None:
        """Count something that happened ``by`` times."""
        self.counts[name] = self.counts.get(name, 0) + by

    def measure(self, name: str, value: float) -> None:
        """Take one value of the quantity ``name``."""
        tally = self.tallies.get(name)
        if tally is None:
            tally = self.tallies[name] = Tally()
        tally.add(value)

    def read(self) -> dict[str, Tallied]:
        """Return the tallies as they stand now."""
        return {name: tally.read() for name, tally in self.tallies.items()}
