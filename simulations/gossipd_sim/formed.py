"""A cluster that is formed already: everybody knows everybody, and nobody has news.

Thousands of nodes cannot be joined one by one for each run, nor can each keep
thousands of entries of its own. So all begin with the same tables, shared,
and keep for themselves only what differs since.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, MutableMapping, Sequence
from random import Random
from typing import Generic, TypeVar

from gossipd.address import Address
from gossipd.config.model import NodeConfig
from gossipd.node.storage import Storage
from gossipd.serf.events import SerfMember
from gossipd.serf.tags import encode_own_tags
from gossipd.swim.member import Member, MemberState
from gossipd.swim.rotation import EXHAUSTIVE_BELOW
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import MemberStatus

V = TypeVar("V")


class Formed:
    """What every member of a formed cluster knows.

    Args:
        members: name, address and configuration of each, in any order.
    """

    def __init__(self, members: Iterable[tuple[Address, NodeConfig]]) -> None:
        versions = Versions()
        self._table: dict[str, Member] = {}
        self._roster: dict[str, SerfMember] = {}
        for address, config in members:
            name, meta = config.name, encode_own_tags(config.tags)
            self._table[name] = Member(
                name, address, meta, versions, MemberState.ALIVE, incarnation=1, changed_at=0.0
            )
            self._roster[name] = SerfMember(
                name, address, config.tags, MemberStatus.ALIVE, versions, status_ltime=0
            )
        self._names = tuple(self._table)

    def storage(self, random: Random) -> Storage:
        """Return the tables of one member, as it begins."""
        return Storage(
            SharedDict(self._table),
            LazyRotation(self._names, random),
            SharedDict(self._roster),
        )


class SharedDict(MutableMapping[str, V], Generic[V]):
    """A mapping that begins as ``base``, which many share and nobody changes.

    Iteration follows ``base``, then whatever is not in it in order of arrival.
    """

    __slots__ = ("_base", "_count", "_own")

    def __init__(self, base: dict[str, V]) -> None:
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
        own = self._own
        if not own:
            yield from self._base
            return
        for name in self._base:
            if name not in own or own[name] is not None:
                yield name
        for name, value in own.items():
            if value is not None and name not in self._base:
                yield name

    def values(self) -> Collection[V]:  # type: ignore[override]
        """Return all values, in the order of iteration."""
        if not self._own:
            return self._base.values()
        return [self[name] for name in self]

    def snapshot(self) -> SharedDict[V]:
        """Return a copy that later changes do not reach."""
        copy: SharedDict[V] = SharedDict(self._base)
        copy._own = self._own.copy()
        copy._count = self._count
        return copy

    def unlike(self, other: object) -> Iterator[tuple[str, V]]:
        """Yield the names and values here that are not the very same under that name in ``other``.

        Looks only at what either has for itself when both share a base.
        """
        if not isinstance(other, SharedDict) or other._base is not self._base:
            yield from self.items()
            return
        theirs = other._own
        if self._own or theirs:
            changed = {**dict.fromkeys(self._own), **dict.fromkeys(theirs)}
            for name in changed:
                value = self.get(name)
                if value is not None and value is not other.get(name):
                    yield name, value

    def total(self, measure: Callable[[str, V], int], cache: dict[object, int]) -> int:
        """Return the sum of ``measure`` over all entries; that of the base is kept in ``cache``."""
        base = self._base
        key = (id(base), measure)
        if key not in cache:
            cache[key] = sum(measure(name, value) for name, value in base.items())
        total = cache[key]
        for name, own in self._own.items():
            if name in base:
                total -= measure(name, base[name])
            if own is not None:
                total += measure(name, own)
        return total


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
