"""``Cache``: prepared replies by their question, and by the very bytes of a query.

Nothing is ever too old in it: an entry counts as long as the instances it was made
from are the same object (``ServiceView``), so nobody has to clear it. Only answers
that name instances are kept: names that do not exist are endless, and cost little.
"""

from __future__ import annotations

from gossipd.dns.reply import Reply
from gossipd.value import Value

RECORDS_MAX = 8192
"""Records in all kept replies, each reply counted as eight more; at most about 2 MB."""
QUERIES_MAX = 1024
"""Queries known by their very bytes."""


class Known(Value):
    """What was read in a query that may come again, byte for byte but for its id."""

    reply: Reply
    question: bytes
    kind: int
    flags: int
    payload: int
    """0 without EDNS."""
    opt: bytes


class Cache:
    """Both tables. What is kept longest goes first."""

    def __init__(self) -> None:
        self._replies: dict[bytes, Reply] = {}
        self._records = 0
        self._queries: dict[bytes, Known] = {}

    def __len__(self) -> int:
        return len(self._replies)

    def known(self, query: bytes) -> Known | None:
        """Return what is known of a query, given without its id."""
        return self._queries.get(query)

    def reply(self, question: bytes) -> Reply | None:
        """Return the reply to a question; it may be out of date."""
        return self._replies.get(question)

    def keep(self, question: bytes, reply: Reply) -> None:
        """Keep a reply instead of the one there was."""
        self.forget(question)
        if reply.weight > RECORDS_MAX:
            return
        self._replies[question] = reply
        self._records += reply.weight
        while self._records > RECORDS_MAX:
            self.forget(next(iter(self._replies)))

    def forget(self, question: bytes) -> None:
        """Drop the reply to a question, if there is one."""
        reply = self._replies.pop(question, None)
        if reply is not None:
            self._records -= reply.weight

    def know(self, query: bytes, known: Known) -> None:
        """Remember what a query (without id) means."""
        if len(self._queries) >= QUERIES_MAX:
            del self._queries[next(iter(self._queries))]
        self._queries[query] = known

    def unknow(self, query: bytes) -> None:
        """Forget a query whose reply is out of date."""
        self._queries.pop(query, None)
