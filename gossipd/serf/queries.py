"""Queries of others: which are new, how answers travel, how long one may take.

gossip.md, section 17. The buffer recognises repeats; the dispatcher forwards,
acks and answers. Filters are in ``filters.py``, the internal queries in
``conflict.py`` and ``key_queries.py``, our own queries in ``collector.py``.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from random import Random

from gossipd.serf.events import SerfMember
from gossipd.serf.lamport import LamportClock, is_too_old
from gossipd.serf.question import KeyCommand
from gossipd.wire.serf_messages import MemberStatus, Query

QUERY_IDS_MAX = 65536
"""Query numbers remembered at most, over all slots; above it queries are dropped."""
RELAY_PROTOCOL_MIN = 5
"""A member relays if the highest memberlist protocol it speaks is at least this."""
INTERNAL_PREFIX = "_serf_"
CONFLICT = INTERNAL_PREFIX + "conflict"
"""Asks who is known under the name in the payload."""
KEY_QUERIES = {INTERNAL_PREFIX + command.value: command for command in KeyCommand}
"""What key queries ask for, by the query's name."""


class QueryVerdict(enum.Enum):
    """What the buffer says of a received query; only ``NEW`` ones are handled."""

    NEW = "new"
    DUPLICATE = "duplicate"
    BEFORE_MINIMUM = "before-minimum"
    TOO_OLD = "query-too-old"
    FULL = "query-buffer-full"


class QueryBuffer:
    """Numbers of the queries of the last ``size`` Lamport times, and their clock.

    ``newest`` is the highest time of a query that was new.
    """

    __slots__ = ("_count", "_ids_max", "_size", "_slots", "clock", "minimum", "newest")

    def __init__(self, size: int, ids_max: int = QUERY_IDS_MAX) -> None:
        self._size = size
        self._ids_max = ids_max
        self._slots: dict[int, tuple[int, set[int]]] = {}
        self._count = 0
        self.clock = LamportClock()
        self.minimum = 0
        self.newest = 0

    def recall(self, last: int) -> None:
        """Take queries up to ``last``, seen in a former life, for old (section 20); 0 is none."""
        if last:
            self.clock.witness(last)
            self.minimum = max(self.minimum, last + 1)
            self.newest = max(self.newest, last)

    def apply(self, ltime: int, query_id: int) -> QueryVerdict:
        """Witness and judge a query; remember it if it is new."""
        self.clock.witness(ltime)
        if ltime < self.minimum:
            return QueryVerdict.BEFORE_MINIMUM
        if is_too_old(ltime, self.clock.time, self._size):
            return QueryVerdict.TOO_OLD
        index = ltime % self._size
        slot = self._slots.get(index)
        if slot is None or slot[0] != ltime:
            if slot is not None:
                self._count -= len(slot[1])
            slot = self._slots[index] = (ltime, set())
        if query_id in slot[1]:
            return QueryVerdict.DUPLICATE
        if self._count >= self._ids_max:
            return QueryVerdict.FULL
        slot[1].add(query_id)
        self.newest = max(self.newest, ltime)
        self._count += 1
        return QueryVerdict.NEW


def default_query_timeout(gossip_interval: float, multiplier: int, nodes: int) -> float:
    """Return the seconds a query stays open among ``nodes`` that are not gone."""
    return gossip_interval * multiplier * math.ceil(math.log10(nodes + 1))


def choose_relays(
    query: Query, members: Iterable[SerfMember], own_name: str, random: Random
) -> list[SerfMember]:
    """Return who should carry a copy of our answer to ``query``'s origin.

    Nobody unless at least ``relay_factor`` + 1 members are known. Chosen are
    members that are alive, able to relay and not us.
    """
    known = list(members)
    if query.relay_factor == 0 or len(known) < query.relay_factor + 1:
        return []
    able = [
        member
        for member in known
        if member.status is MemberStatus.ALIVE
        and member.versions.protocol_max >= RELAY_PROTOCOL_MIN
        and member.name != own_name
    ]
    return random.sample(able, min(query.relay_factor, len(able)))
