"""Our own open queries and who answered them (gossip.md, section 17, collector).

A query that nobody is left to answer closes early; its record stays until its
time is up, so that late and repeated answers are recognised and dropped in
silence.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from gossipd.errors import Unavailable
from gossipd.wire.serf_messages import FLAG_ACK, QueryResponse

OPEN_QUERIES_MAX = 256
"""Own queries open at the same time."""
RESPONDERS_MAX = 65536
"""Names noted for one query; a real cluster has one for each member."""


class ResponseVerdict(enum.Enum):
    """What the collector says of a response."""

    UNKNOWN = "unknown-query"
    LATE = "late"
    DUPLICATE = "duplicate"
    ACK = "ack"
    ANSWER = "answer"


class OpenQuery:
    """One query of ours; ``wanted`` are the members whose ack it still waits for."""

    __slots__ = ("acked", "answered", "closed", "deadline", "number", "wanted")

    def __init__(self, number: int, deadline: float, wanted: Iterable[str]) -> None:
        self.number = number
        self.deadline = deadline
        self.wanted = dict.fromkeys(wanted)
        self.acked: set[str] = set()
        self.answered: set[str] = set()
        self.closed = False


class Collector:
    """Open queries by Lamport time and number on the wire."""

    __slots__ = ("_keys", "_number", "_queries")

    def __init__(self) -> None:
        self._number = 0
        self._queries: dict[tuple[int, int], OpenQuery] = {}
        self._keys: dict[int, tuple[int, int]] = {}

    def open(self, ltime: int, query_id: int, deadline: float, wanted: Iterable[str]) -> int:
        """Start to collect; return the query's number, counted from 1.

        Raises:
            Unavailable: ``OPEN_QUERIES_MAX`` are open, or this one already is.
        """
        key = (ltime, query_id)
        if len(self._queries) >= OPEN_QUERIES_MAX or key in self._queries:
            raise Unavailable(f"too many queries are open: {OPEN_QUERIES_MAX}, try again later")
        self._number += 1
        self._queries[key] = OpenQuery(self._number, deadline, wanted)
        self._keys[self._number] = key
        return self._number

    def apply(
        self, response: QueryResponse, now: float
    ) -> tuple[ResponseVerdict, OpenQuery | None]:
        """Judge a response; note who sent it if it counts."""
        query = self._queries.get((response.ltime, response.id))
        if query is None:
            return ResponseVerdict.UNKNOWN, None
        if query.closed or now > query.deadline:
            return ResponseVerdict.LATE, query
        is_ack = bool(response.flags & FLAG_ACK)
        seen = query.acked if is_ack else query.answered
        if response.responder in seen or len(seen) >= RESPONDERS_MAX:
            return ResponseVerdict.DUPLICATE, query
        seen.add(response.responder)
        if is_ack:
            query.wanted.pop(response.responder, None)
        return (ResponseVerdict.ACK if is_ack else ResponseVerdict.ANSWER), query

    def without(self, node: str) -> list[OpenQuery]:
        """Stop waiting for ``node``, it is not alive; return the queries this completes."""
        completed = []
        for query in self._queries.values():
            if not query.closed and node in query.wanted:
                del query.wanted[node]
                if not query.wanted:
                    completed.append(query)
        return completed

    def end(self, number: int) -> OpenQuery | None:
        """Forget a query whose time is up."""
        key = self._keys.pop(number, None)
        return None if key is None else self._queries.pop(key)

    def __len__(self) -> int:
        return len(self._queries)
