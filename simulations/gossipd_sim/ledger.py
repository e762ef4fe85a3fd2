"""``Ledger``: how many packets and bytes, by host and by kind or cause."""

from __future__ import annotations


class Tally:
    """So many packets (or portions of streams), and their bytes without headers."""

    __slots__ = ("bytes", "packets")

    def __init__(self) -> None:
        self.packets = 0
        self.bytes = 0

    def add(self, length: int) -> None:
        """Count one of ``length`` bytes."""
        self.packets += 1
        self.bytes += length


class Ledger:
    """Tallies by host and kind: ``ledger["n001"]["udp"].bytes``."""

    __slots__ = ("_tallies",)

    def __init__(self) -> None:
        self._tallies: dict[str, dict[str, Tally]] = {}

    def add(self, host: str, kind: str, length: int) -> None:
        """Count one packet of ``length`` bytes."""
        try:
            tally = self._tallies[host][kind]
        except KeyError:
            tally = self._tallies.setdefault(host, {}).setdefault(kind, Tally())
        tally.packets += 1
        tally.bytes += length

    def __getitem__(self, host: str) -> dict[str, Tally]:
        """Return the tallies of ``host`` by kind; empty if there are none."""
        return self._tallies.get(host, {})

    def total(self, kind: str) -> Tally:
        """Return the sum over all hosts."""
        total = Tally()
        for tallies in self._tallies.values():
            if kind in tallies:
                total.packets += tallies[kind].packets
                total.bytes += tallies[kind].bytes
        return total
