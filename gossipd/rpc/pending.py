"""``PendingQueries``: which queries a client may still answer, under its own numbers.

Numbers count from 1 for each connection over all its streams (rpc.md, section
6, respond); one query that two of its streams show has two of them. They are
forgotten at the query's deadline and with the connection.
"""

from __future__ import annotations

from collections import OrderedDict

from gossipd.serf.events import QueryReceived

PENDING_MAX = 4096
"""Queries kept for a client at a time; the oldest is forgotten before its deadline."""


class PendingQueries:
    """The queries that one client was shown and that are still open."""

    __slots__ = ("_last", "_queries")

    def __init__(self) -> None:
        self._last = 0
        self._queries: OrderedDict[int, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._queries)

    def register(self, query: QueryReceived, now: float) -> int:
        """Return the number under which the client may answer ``query``."""
        self._forget_past(now)
        if len(self._queries) >= PENDING_MAX:
            self._queries.popitem(last=False)
        self._last += 1
        self._queries[self._last] = query.number, query.deadline
        return self._last

    def find(self, number: int, now: float) -> int | None:
        """Return the node's number of the query that the client calls ``number``.

        ``None`` if it was never shown, or its deadline has passed.
        """
        found = self._queries.get(number)
        if found is None or now > found[1]:
            return None
        return found[0]

    def _forget_past(self, now: float) -> None:
        """Forget queries whose deadline is over, from the oldest on.

        One with a long time behind it keeps shorter ones for a while; they are not
        found any more, and ``PENDING_MAX`` bounds them.
        """
        while self._queries:
            number = next(iter(self._queries))
            if now <= self._queries[number][1]:
                return
            del self._queries[number]
