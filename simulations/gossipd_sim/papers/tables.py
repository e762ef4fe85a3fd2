"""Member tables and a probe order for colonies: shared by many cores, or deaf to deaths."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from random import Random

from gossipd.swim.member import Member, MemberState
from gossipd.swim.membership import MemberTable


class LayeredTable:
    """What everybody knew at first, shared by all, and below it what one core learnt since."""

    __slots__ = ("_common", "_gone", "_own")

    def __init__(self, common: Mapping[str, Member]) -> None:
        self._common = common
        self._own: dict[str, Member] = {}
        self._gone: dict[str, None] = {}

    def get(self, name: str) -> Member | None:
        """Return the entry of ``name``."""
        own = self._own.get(name)
        if own is not None:
            return own
        return None if name in self._gone else self._common.get(name)

    def __setitem__(self, name: str, member: Member) -> None:
        self._gone.pop(name, None)
        self._own[name] = member

    def __delitem__(self, name: str) -> None:
        self._own.pop(name, None)
        self._gone[name] = None

    def __len__(self) -> int:
        new = sum(name not in self._common for name in self._own)
        gone = sum(name in self._common for name in self._gone)
        return len(self._common) + new - gone

    def values(self) -> Collection[Member]:
        """Return all entries, those of the beginning first."""
        if not self._own and not self._gone:
            return self._common.values()
        kept = {name: one for name, one in self._common.items() if name not in self._gone}
        return (kept | self._own).values()


class FirmTable:
    """A table in which nobody ever becomes suspect or dead: verdicts change nothing."""

    __slots__ = ("_table",)

    def __init__(self, table: MemberTable) -> None:
        self._table = table

    def get(self, name: str) -> Member | None:
        """Return the entry of ``name``."""
        return self._table.get(name)

    def __setitem__(self, name: str, member: Member) -> None:
        if member.state is MemberState.ALIVE:
            self._table[name] = member

    def __delitem__(self, name: str) -> None:
        del self._table[name]

    def __len__(self) -> int:
        return len(self._table)

    def values(self) -> Collection[Member]:
        """Return all entries, oldest first."""
        return self._table.values()


class CommonRotation:
    """The probe order of one core over names that all share.

    The same law as ``ShuffledRotation``, dealt one by one: a pass is a uniformly
    random order, of which only the places that differ from the shared list are
    kept. Members neither come nor go.
    """

    __slots__ = ("_dealt", "_moved", "_names", "_random")

    def __init__(self, random: Random, names: Sequence[str]) -> None:
        self._random = random
        self._names = names
        self._dealt = 0
        self._moved: dict[int, int] = {}

    def insert(self, name: str) -> None:
        """Take a newcomer: there are none, everybody is known from the start."""
        raise AssertionError(f"{name} came to a colony of which all members are known")

    def next_target(
        self, may_probe: Callable[[str], bool], forget_expired: Callable[[], Collection[str]]
    ) -> str | None:
        """Return the next of this pass that may be probed."""
        for _ in range(2 * len(self._names)):
            name = self._deal()
            if may_probe(name):
                return name
        return None

    def choose(self, wanted: int, accept: Callable[[str], bool]) -> list[str]:
        """Return up to ``wanted`` distinct random names that ``accept`` agrees with."""
        names = self._names
        chosen: list[str] = []
        for _ in range(3 * len(names)):
            if len(chosen) == wanted:
                break
            name = names[self._random.randrange(len(names))]
            if name not in chosen and accept(name):
                chosen.append(name)
        return chosen

    def _deal(self) -> str:
        total = len(self._names)
        if self._dealt == total:
            self._dealt = 0
            self._moved.clear()
        place = self._random.randrange(self._dealt, total)
        moved = self._moved
        index = moved.get(place, place)
        moved[place] = moved.pop(self._dealt, self._dealt)
        self._dealt += 1
        return self._names[index]
