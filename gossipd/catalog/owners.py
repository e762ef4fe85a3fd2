"""Who may own records: the members as the catalog needs to know them.

Membership says which life of an owner holds: its node meta, guarded by its
incarnation, announces the epoch of its records. A member without one is none of
ours, and is never told anything.
"""

from __future__ import annotations

from random import Random

from gossipd.address import Address
from gossipd.services.instance import OWNER_ALIVE, OWNER_SUSPECT
from gossipd.value import Value


class Standing(Value):
    """A member that has not left: ``status`` is one of ``services.instance``'s.

    ``epoch`` is what its meta announces; ``None`` for one of Serf's.
    """

    name: str
    address: Address
    status: str
    suspected_at: float | None
    epoch: int | None


class Owners:
    """Members by name, and those of them that can be told something."""

    __slots__ = ("_name", "_peers", "_places", "_standings")

    def __init__(self, name: str) -> None:
        self._name = name
        self._standings: dict[str, Standing] = {}
        self._peers: list[str] = []
        self._places: dict[str, int] = {}

    def get(self, name: str) -> Standing | None:
        """Return the standing of ``name``; ``None`` if it is unknown or has left."""
        return self._standings.get(name)

    def put(self, standing: Standing) -> Standing | None:
        """Take in how a member stands now; return how it stood."""
        before = self._standings.get(standing.name)
        self._standings[standing.name] = standing
        is_peer = (
            standing.epoch is not None
            and standing.status in (OWNER_ALIVE, OWNER_SUSPECT)
            and standing.name != self._name
        )
        if is_peer != (standing.name in self._places):
            if is_peer:
                self._places[standing.name] = len(self._peers)
                self._peers.append(standing.name)
            else:
                self._drop_peer(standing.name)
        return before

    def remove(self, name: str) -> Standing | None:
        """Forget a member that left or was reaped; return how it stood."""
        if name in self._places:
            self._drop_peer(name)
        return self._standings.pop(name, None)

    @property
    def count(self) -> int:
        """How many members there are."""
        return len(self._standings)

    @property
    def peers(self) -> int:
        """How many gossipd nodes can be told something."""
        return len(self._peers)

    def choose(self, wanted: int, random: Random, besides: str = "") -> list[Standing]:
        """Return up to ``wanted`` distinct random gossipd nodes that run, none ``besides``."""
        peers = self._peers
        if len(peers) <= wanted + 1:
            names = [name for name in peers if name != besides]
            random.shuffle(names)
            names = names[:wanted]
        else:
            names = []
            for _ in range(4 * wanted + 8):
                name = peers[int(random.random() * len(peers))]
                if name != besides and name not in names:
                    names.append(name)
                    if len(names) == wanted:
                        break
        return [self._standings[name] for name in names]

    def _drop_peer(self, name: str) -> None:
        place = self._places.pop(name)
        last = self._peers.pop()
        if last != name:
            self._peers[place] = last
            self._places[last] = place
