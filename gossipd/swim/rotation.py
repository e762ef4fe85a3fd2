"""Who is probed next, and who is chosen at random (SWIM section 4.3; gossip.md, section 9).

Every node is probed once before any is probed again: a shuffled list is
walked, newcomers enter at a random place. Order comes from lists and the
injected random stream alone, so equal seeds give equal runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from random import Random
from typing import Protocol

EXHAUSTIVE_BELOW = 3
"""Below this many times the wanted number a shuffled copy is searched, not random draws."""


class Rotation(Protocol):
    """What the failure detector needs of a probe order."""

    def insert(self, name: str) -> None:
        """Add a newcomer at a random place."""

    def next_target(
        self, may_probe: Callable[[str], bool], forget_expired: Callable[[], Collection[str]]
    ) -> str | None:
        """Return who is to be probed now, or ``None`` if a whole pass found nobody.

        ``forget_expired`` is called when the list wraps and says which names leave it.
        """

    def choose(self, wanted: int, accept: Callable[[str], bool]) -> list[str]:
        """Return up to ``wanted`` distinct random names that ``accept`` agrees with."""


class ProbeList(Rotation, Protocol):
    """A probe order that can be used as a mere list of names."""

    def __len__(self) -> int: ...

    def forget(self, names: Collection[str]) -> None:
        """Take ``names`` out of the list."""


class ShuffledRotation:
    """The probe order of one node that knows its own table: a list and a position."""

    __slots__ = ("_names", "_position", "_random")

    def __init__(self, random: Random) -> None:
        self._names: list[str] = []
        self._position = 0
        self._random = random

    def __len__(self) -> int:
        return len(self._names)

    def insert(self, name: str) -> None:
        """Add a newcomer at a random place (append, then swap with a random entry)."""
        names = self._names
        names.append(name)
        other = self._random.randrange(len(names))
        names[other], names[-1] = names[-1], names[other]

    def next_target(
        self, may_probe: Callable[[str], bool], forget_expired: Callable[[], Collection[str]]
    ) -> str | None:
        """Walk on to the next name to probe; wrap, forget and shuffle at the end.

        Every skip and every wrap counts, so one call looks at no more entries
        than the list has: a tick may find nobody although the next one will.
        """
        looked_at = 0
        while looked_at < len(self._names):
            if self._position >= len(self._names):
                self._restart(forget_expired())
                looked_at += 1
                continue
            name = self._names[self._position]
            self._position += 1
            if may_probe(name):
                return name
            looked_at += 1
        return None

    def choose(self, wanted: int, accept: Callable[[str], bool]) -> list[str]:
        """Return up to ``wanted`` distinct random names that ``accept`` agrees with.

        In a large table up to three draws per entry are made, so a rare
        acceptable name may be missed; the next tick tries again.
        """
        names = self._names
        total = len(names)
        if wanted <= 0:
            return []
        if total < EXHAUSTIVE_BELOW * wanted:
            shuffled = names.copy()
            self._random.shuffle(shuffled)
            return [name for name in shuffled if accept(name)][:wanted]
        chosen: list[str] = []
        for _ in range(3 * total):
            name = names[self._random.randrange(total)]
            if name not in chosen and accept(name):
                chosen.append(name)
                if len(chosen) == wanted:
                    break
        return chosen

    def forget(self, names: Collection[str]) -> None:
        """Take ``names`` out of the list."""
        if names:
            gone = frozenset(names)
            self._names = [name for name in self._names if name not in gone]

    def _restart(self, forgotten: Collection[str]) -> None:
        self.forget(forgotten)
        self._random.shuffle(self._names)
        self._position = 0


class RandomRotation:
    """Anybody, each time anew (SWIM section 3.1): what round robin is measured against.

    The dead are forgotten once in as many probes as there are names.

    Args:
        names: where they are kept; its own order does not matter.
    """

    __slots__ = ("_list", "_until_forgetting")

    def __init__(self, names: ProbeList) -> None:
        self._list = names
        self._until_forgetting = 0

    def __len__(self) -> int:
        return len(self._list)

    def insert(self, name: str) -> None:
        """Add a newcomer."""
        self._list.insert(name)

    def next_target(
        self, may_probe: Callable[[str], bool], forget_expired: Callable[[], Collection[str]]
    ) -> str | None:
        """Return a random name to probe, or ``None`` if none was found."""
        if self._until_forgetting <= 0:
            self._list.forget(forget_expired())
            self._until_forgetting = len(self._list)
        self._until_forgetting -= 1
        chosen = self.choose(1, may_probe)
        return chosen[0] if chosen else None

    def choose(self, wanted: int, accept: Callable[[str], bool]) -> list[str]:
        """Return up to ``wanted`` distinct random names that ``accept`` agrees with."""
        return self._list.choose(wanted, accept)


def make_rotation(random: Random, round_robin: bool) -> Rotation:
    """Return the probe order of one node, round robin or random."""
    return ShuffledRotation(random) if round_robin else RandomRotation(ShuffledRotation(random))
