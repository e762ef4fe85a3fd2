"""Our own open queries, who is waited for and who answered (gossip.md, section 17, collector).

A query that nobody is left to answer closes early; its record stays until its
time is up or its room is needed, so that late and repeated answers are recognised
and dropped in silence. A gossipd that will not answer says so, a Serf never does: that one is
waited for until the time is up.
"""

from __future__ import annotations

import enum
from collections.abc import Container, Iterable

from gossipd.config.model import NAME_BYTES_MAX
from gossipd.errors import Unavailable
from gossipd.serf.question import STRANGERS_MAX, Listener
from gossipd.serf.timers import SerfTimer
from gossipd.timers import Handle
from gossipd.wire.serf_messages import FLAG_ACK, FLAG_NO_ANSWER, QueryResponse

OPEN_QUERIES_MAX = 256
"""Own queries remembered; what is over gives way to what is asked."""
ANSWER_BYTES_MAX = 64 * 2**20
"""Bytes of all answers to one query; members may send large ones over streams."""

ACK, ANSWER = 1, 2
"""What a query may wait for of one node."""


class ResponseVerdict(enum.Enum):
    """What the collector says of a response."""

    UNKNOWN = "unknown-query"
    LATE = "late"
    DUPLICATE = "duplicate"
    TOO_MANY = "too-many-answers"
    ACK = "ack"
    ANSWER = "answer"
    NO_ANSWER = "no answer"


class OpenQuery:
    """One query of ours; ``wanted`` is what it still waits for, by member."""

    __slots__ = (
        "acked", "answer_bytes", "answered", "closed", "deadline", "expiry", "full_time",
        "listener", "number", "retelling", "strangers", "wanted",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        deadline: float,
        wanted: Iterable[str],
        what: int,
        listener: Listener | None,
        *,
        full_time: bool,
    ) -> None:
        self.number = number
        self.deadline = deadline
        self.wanted = dict.fromkeys(wanted, what) if what else {}
        self.listener = listener
        self.full_time = full_time
        self.acked: set[str] = set()
        self.answered: set[str] = set()
        self.strangers = 0
        self.answer_bytes = 0
        self.closed = False
        self.expiry: Handle[SerfTimer] | None = None
        """When its time is up."""
        self.retelling: Handle[SerfTimer] | None = None
        """When those who may have missed the query are told again."""

    @property
    def is_complete(self) -> bool:
        """Whether nobody is left to wait for."""
        return not self.wanted and not self.full_time

    def silent(self) -> list[str]:
        """Return the members waited for who have given no sign that they know the query."""
        heard = self.acked | self.answered
        return [node for node in self.wanted if node not in heard]

    def got(self, node: str, what: int) -> None:
        """Wait no longer for ``what`` of ``node``."""
        missing = self.wanted.get(node)
        if missing is None:
            return
        if missing & ~what:
            self.wanted[node] = missing & ~what
        else:
            del self.wanted[node]

    def apply(self, response: QueryResponse, members: Container[str]) -> ResponseVerdict:
        """Judge a response to this query, which is open; note who sent it if it counts."""
        responder, flags = response.responder, response.flags
        if flags & FLAG_NO_ANSWER:
            self.got(responder, ANSWER)
            if not flags & FLAG_ACK:
                return ResponseVerdict.NO_ANSWER
        seen = self.acked if flags & FLAG_ACK else self.answered
        if responder in seen:
            return ResponseVerdict.DUPLICATE
        size = 0 if flags & FLAG_ACK or response.payload is None else len(response.payload)
        if self.answer_bytes + size > ANSWER_BYTES_MAX:
            return ResponseVerdict.TOO_MANY
        if responder not in members:
            if self.strangers >= STRANGERS_MAX or len(responder) > NAME_BYTES_MAX:
                return ResponseVerdict.TOO_MANY
            self.strangers += 1
        self.answer_bytes += size
        seen.add(responder)
        self.got(responder, ACK if flags & FLAG_ACK else ANSWER)
        return ResponseVerdict.ACK if flags & FLAG_ACK else ResponseVerdict.ANSWER


class Collector:
    """Open queries by Lamport time and number on the wire."""

    __slots__ = ("_keys", "_number", "_queries")

    def __init__(self) -> None:
        self._number = 0
        self._queries: dict[tuple[int, int], OpenQuery] = {}
        self._keys: dict[int, tuple[int, int]] = {}

    def make_room(self) -> OpenQuery | None:
        """Forget the oldest query that is over if no other can be opened; return it.

        Quick queries with a long timeout would shut out all others until then.
        """
        if len(self._queries) >= OPEN_QUERIES_MAX:
            for number, key in self._keys.items():
                if self._queries[key].closed:
                    return self.end(number)
        return None

    def open(
        self,
        ltime: int,
        query_id: int,
        deadline: float,
        wanted: Iterable[str],
        what: int = ACK,
        listener: Listener | None = None,
        *,
        full_time: bool = False,
    ) -> OpenQuery:
        """Start to collect; queries are numbered from 1.

        Args:
            ltime, query_id: of the query on the wire.
            deadline: when its time is up (seconds, monotonic).
            wanted: members that are waited for.
            what: what of them: ``ACK``, ``ANSWER`` or both; 0 is nothing.
            listener: told instead of the application.
            full_time: wait until ``deadline`` even when nothing is left to wait for.

        Raises:
            Unavailable: ``OPEN_QUERIES_MAX`` are open, or this one already is.
        """
        key = (ltime, query_id)
        if len(self._queries) >= OPEN_QUERIES_MAX or key in self._queries:
            raise Unavailable(f"too many queries are open: {OPEN_QUERIES_MAX}, try again later")
        self._number += 1
        query = OpenQuery(self._number, deadline, wanted, what, listener, full_time=full_time)
        self._queries[key] = query
        self._keys[self._number] = key
        return query

    def apply(
        self, response: QueryResponse, now: float, members: Container[str]
    ) -> tuple[ResponseVerdict, OpenQuery | None]:
        """Judge a response; note who sent it if it counts.

        Args:
            response: as it came.
            now: seconds, monotonic.
            members: names of the members; few others are listened to.
        """
        query = self._queries.get((response.ltime, response.id))
        if query is None:
            return ResponseVerdict.UNKNOWN, None
        if query.closed or now > query.deadline:
            return ResponseVerdict.LATE, query
        return query.apply(response, members), query

    def without(self, node: str) -> list[OpenQuery]:
        """Stop waiting for ``node``, it is not alive; return the queries this completes."""
        completed = []
        for query in self._queries.values():
            if not query.closed and node in query.wanted:
                del query.wanted[node]
                if query.is_complete:
                    completed.append(query)
        return completed

    def get(self, number: int) -> OpenQuery | None:
        """Return the query of that number, ``None`` when its time is up."""
        key = self._keys.get(number)
        return None if key is None else self._queries[key]

    def end(self, number: int) -> OpenQuery | None:
        """Forget a query whose time is up."""
        key = self._keys.pop(number, None)
        return None if key is None else self._queries.pop(key)

    def __len__(self) -> int:
        return len(self._queries)
