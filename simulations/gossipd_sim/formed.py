"""A cluster that is formed already: everybody knows everybody, and nobody has news.

Thousands of nodes cannot be joined one by one for each run, nor can each keep
thousands of entries of its own. So all begin with the same tables, shared,
and keep for themselves only what differs since.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from random import Random

from gossipd.address import Address
from gossipd.config.model import NodeConfig
from gossipd.node.storage import Storage
from gossipd.serf.events import SerfMember
from gossipd.serf.tags import encode_own_tags
from gossipd.shared import Base, SharedDict
from gossipd.swim.member import Member, MemberState
from gossipd.swim.rotation import EXHAUSTIVE_BELOW, RandomRotation
from gossipd.wire.catalog_parts import definitions
from gossipd.wire.messages import Versions
from gossipd.wire.meta_tail import meta_tail
from gossipd.wire.serf_messages import MemberStatus

definitions.limit = 65_536  # nodes of one process share what they decode, too

EPOCH_BEFORE = 1_700_000_000_000
"""Milliseconds since 1970 when a run begins, as hosts without a disk know them."""


def epoch_of(now: float, life: int) -> int:
    """Return the epoch of what a life that begins at ``now`` registers: above those before."""
    return EPOCH_BEFORE + round(now * 1000) + life


class Formed:
    """What every member of a formed cluster knows.

    Args:
        members: name, address and configuration of each, in any order.
    """

    def __init__(self, members: Iterable[tuple[Address, NodeConfig]]) -> None:
        self.epoch = epoch_of(0.0, 1)
        """Of what each of them registers."""
        versions = Versions()
        self._table: Base[Member] = Base()
        self._roster: Base[SerfMember] = Base()
        for address, config in members:
            name = config.name
            tail = meta_tail(self.epoch) if config.catalog.enabled else b""
            meta = encode_own_tags(config.tags, tail)
            self._table[name] = Member(
                name, address, meta, versions, MemberState.ALIVE, incarnation=1, changed_at=0.0
            )
            self._roster[name] = SerfMember(
                name, address, config.tags, MemberStatus.ALIVE, versions, status_ltime=0
            )
        self.names = tuple(self._table)
        """The names of all members."""

    def storage(self, random: Random, *, round_robin: bool = True) -> Storage:
        """Return the tables of one member, as it begins."""
        names = LazyRotation(self.names, random)
        return Storage(
            SharedDict(self._table),
            names if round_robin else RandomRotation(names),
            SharedDict(self._roster),
        )


class LazyRotation:
    """The probe order of a node: a shared list of names, shuffled as far as it was walked.

    The same chances as a list shuffled at once have (``gossipd.swim.rotation``): a
    position is drawn when it is reached (Fisher and Yates), and what was displaced is
    remembered.

    Args:
        names: shared, never changed.
    """

    __slots__ = ("_extra", "_length", "_moved", "_names", "_position", "_random")

    def __init__(self, names: Sequence[str], random: Random) -> None:
        self._names = names
        self._extra: list[str] = []
        """Newcomers since."""
        self._moved: dict[int, str] = {}
        """What stands at a position where the shared list has something else."""
        self._length = len(names)
        self._position = 0
        self._random = random

    def __len__(self) -> int:
        return self._length

    def insert(self, name: str) -> None:
        """Add a newcomer at a random place."""
        self._extra.append(name)
        last = self._length
        self._length += 1
        self._moved[last] = name
        self._swap(int(self._random.random() * self._length), last)

    def next_target(
        self, may_probe: Callable[[str], bool], forget_expired: Callable[[], Collection[str]]
    ) -> str | None:
        """Walk on to the next name to probe; see ``ShuffledRotation.next_target``."""
        looked_at = 0
        while looked_at < self._length:
            position = self._position
            if position >= self._length:
                self._restart(forget_expired())
                looked_at += 1
                continue
            drawn = position + int(self._random.random() * (self._length - position))
            self._swap(drawn, position)
            name = self._at(position)
            self._position = position + 1
            if may_probe(name):
                return name
            looked_at += 1
        return None

    def choose(self, wanted: int, accept: Callable[[str], bool]) -> list[str]:
        """Return up to ``wanted`` distinct random names; see ``ShuffledRotation.choose``."""
        total = self._length
        if wanted <= 0:
            return []
        if total < EXHAUSTIVE_BELOW * wanted:
            shuffled = [self._at(position) for position in range(total)]
            self._random.shuffle(shuffled)
            return [name for name in shuffled if accept(name)][:wanted]
        chosen: list[str] = []
        for _ in range(3 * total):
            name = self._at(int(self._random.random() * total))
            if name not in chosen and accept(name):
                chosen.append(name)
                if len(chosen) == wanted:
                    break
        return chosen

    def _at(self, position: int) -> str:
        moved = self._moved.get(position)
        return self._names[position] if moved is None else moved

    def _swap(self, one: int, other: int) -> None:
        if one != other:
            moved = self._moved
            moved[one], moved[other] = self._at(other), self._at(one)

    def forget(self, names: Collection[str]) -> None:
        """Take ``names`` out of the list, and begin a new pass if there are any."""
        if names:
            self._restart(names)

    def _restart(self, forgotten: Collection[str]) -> None:
        if forgotten:
            gone = frozenset(forgotten)
            every = (self._at(position) for position in range(self._length))
            self._names = [name for name in every if name not in gone]
            self._extra = []
        shared = len(self._names)
        self._moved = {shared + number: name for number, name in enumerate(self._extra)}
        self._length = shared + len(self._extra)
        self._position = 0
