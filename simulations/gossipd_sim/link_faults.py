"""Faults of links: partitions, other laws, and the end of all faults.

As in ``faults.py``: fields hold selectors when written, and plain names when
applied.
"""

from __future__ import annotations

from collections.abc import Mapping

from gossipd_sim.faults import Fault, Stage
from gossipd_sim.selectors import plain_names


class Partition(Fault, kw_only=True):
    """Nothing passes between the ``groups``, either way; within them all is well.

    Hosts in none of them reach everybody: that is a partial partition.
    """

    groups: tuple[str, ...]

    do = "partition"

    def apply(self, stage: Stage) -> None:
        parts = [plain_names(group) for group in self.groups]
        for part in parts:
            for other in parts:
                if part is not other:
                    stage.network.cut(part, other)

    def undo(self, at: float) -> Fault:
        return Heal(at=at, groups=self.groups)

    def describe(self) -> str:
        return f"partition {' | '.join(self.groups)}"


class Heal(Fault, kw_only=True):
    """The cuts between the ``groups`` are mended; without groups, every cut."""

    groups: tuple[str, ...] = ()

    do = "heal"

    def apply(self, stage: Stage) -> None:
        parts = [plain_names(group) for group in self.groups]
        if not parts:
            stage.network.heal()
        for part in parts:
            for other in parts:
                if part is not other:
                    stage.network.heal(part, other)

    def describe(self) -> str:
        return f"heal {' | '.join(self.groups) or 'everything'}"


class OneWay(Fault, kw_only=True):
    """Nothing passes from ``sources`` to ``targets``; the way back stays open."""

    sources: str
    targets: str

    do = "one_way"

    def apply(self, stage: Stage) -> None:
        stage.network.cut(plain_names(self.sources), plain_names(self.targets))

    def undo(self, at: float) -> Fault:
        return Open(at=at, sources=self.sources, targets=self.targets)

    def describe(self) -> str:
        return f"cut {self.sources} -> {self.targets}"


class Open(Fault, kw_only=True):
    """The way from ``sources`` to ``targets`` is open again."""

    sources: str
    targets: str

    do = "open"

    def apply(self, stage: Stage) -> None:
        stage.network.heal(plain_names(self.sources), plain_names(self.targets))

    def describe(self) -> str:
        return f"open {self.sources} -> {self.targets}"


class LinkLaws(Fault, kw_only=True):
    """Links follow other ``laws`` than usual (by name; those not named stay as usual).

    ``both``: also in the other direction. No ``laws``: as usual again.
    """

    sources: str
    targets: str
    both: bool = True
    laws: Mapping[str, object] = {}

    do = "links"

    def apply(self, stage: Stage) -> None:
        sources, targets = plain_names(self.sources), plain_names(self.targets)
        stage.law_book.change(stage.network, sources, targets, self.laws)
        if self.both:
            stage.law_book.change(stage.network, targets, sources, self.laws)

    def undo(self, at: float) -> Fault:
        return LinkLaws(at=at, sources=self.sources, targets=self.targets, both=self.both)

    def describe(self) -> str:
        arrow = "<->" if self.both else "->"
        words = " ".join(f"{law}={value}" for law, value in self.laws.items())
        return f"links {self.sources} {arrow} {self.targets} {words or 'as usual'}"


class Calm(Fault, kw_only=True):
    """Whatever still lasts is undone: links, frozen, slow, blocked and drifting hosts.

    Those that are down stay down.
    """

    do = "calm"

    def apply(self, stage: Stage) -> None:
        everybody = list(stage.hosts)
        stage.network.heal()
        stage.law_book.change(stage.network, everybody, everybody, {})
        for host in stage.hosts.values():
            if host.is_up:
                host.thaw()
                host.slow(0.0)
                host.unblock_sending()
                host.unblock_receiving()
            host.clock_drift(0.0)

    def describe(self) -> str:
        return "faults are over"


FAULTS_OF_LINKS: tuple[type[Fault], ...] = (Partition, Heal, OneWay, Open, LinkLaws)
