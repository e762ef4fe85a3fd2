"""``Asking``: our own queries, from the question to the last answer (gossip.md, section 17).

A query ends as soon as everybody whom it is for has answered, or has said that no
answer comes; what is noted of it is ``collector.py``'s. Its bytes go to everybody
and its copy to ourselves through ``Inquiries``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from random import Random

from gossipd.address import Address
from gossipd.config.model import SerfConfig, SwimConfig
from gossipd.errors import UsageError
from gossipd.outbox import Outbox
from gossipd.serf.collector import ACK, ANSWER, Collector, OpenQuery, ResponseVerdict
from gossipd.serf.effects import SendPayload, SerfEffect
from gossipd.serf.events import (
    MessageIgnored,
    QueryAcked,
    QueryAnswered,
    QueryClosed,
    SerfEvent,
)
from gossipd.serf.filters import Audience
from gossipd.serf.lamport import LamportClock
from gossipd.serf.queries import INTERNAL_PREFIX, default_query_timeout
from gossipd.serf.question import PING_ALL, Listener, Question
from gossipd.serf.roster import Roster
from gossipd.serf.timers import QueryRetold, QueryTimeout, SerfTimer
from gossipd.timers import Timers
from gossipd.value import replace
from gossipd.wire.serf_codec import encode_serf
from gossipd.wire.serf_messages import (
    FLAG_ACK,
    TAKES_CLAIMS,
    TAKES_NO_ANSWER,
    TAKES_STREAMS,
    MemberStatus,
    Query,
    QueryResponse,
)

TIMEOUT_MAX = 1e9
"""Seconds that fit a query's nanoseconds (some 31 years)."""
RELAY_FACTOR_MAX = 255
RETOLD_AFTER = 4
"""Gossip intervals in which a query has reached nearly everybody, in clusters of any size."""
RETOLD_MAX = 64
"""Members told again; more of them are not out of luck but slow."""
RESERVED = f"Queries cannot contain the '{INTERNAL_PREFIX}' prefix"
_COUNTED = (ResponseVerdict.UNKNOWN, ResponseVerdict.TOO_MANY)
_NOTHING_NEW = (ResponseVerdict.LATE, ResponseVerdict.DUPLICATE)
QUERY_ANSWER, QUERY_ACK = "query-answer", "query-ack"
DUPLICATE_ANSWER, DUPLICATE_ACK = "query-answer-duplicate", "query-ack-duplicate"
_TALLIED = {
    ResponseVerdict.ANSWER: (QUERY_ANSWER, QUERY_ACK),
    ResponseVerdict.ACK: (QUERY_ANSWER, QUERY_ACK),
    ResponseVerdict.DUPLICATE: (DUPLICATE_ANSWER, DUPLICATE_ACK),
}
"""What is counted of responses to our own queries: answers and acks."""


class Asking:
    """The queries of one node.

    Args:
        config, swim_config: limits, and the gossip interval of the default timeout.
        name, address: ours; answers come to ``address``.
        roster: who is a member.
        own_tags: returns our tags as they are now.
        random: query numbers.
        clock: the query clock.
        payload_bytes_max: the largest message gossip can carry.
        spread: gives a new query, also as its bytes, to everybody and to ourselves.
        timers, outbox: those of the dispatcher.
    """

    def __init__(
        self,
        config: SerfConfig,
        swim_config: SwimConfig,
        name: str,
        address: Address,
        roster: Roster,
        own_tags: Callable[[], Mapping[str, str]],
        random: Random,
        clock: LamportClock,
        payload_bytes_max: int,
        spread: Callable[[Query, bytes, float], None],
        timers: Timers[SerfTimer],
        outbox: Outbox[SerfEffect, SerfEvent],
    ) -> None:
        self._config = config
        self._swim_config = swim_config
        self._name = name
        self._address = address
        self._roster = roster
        self._own_tags = own_tags
        self._random = random
        self._clock = clock
        self._payload_bytes_max = payload_bytes_max
        self._spread = spread
        self._timers = timers
        self._outbox = outbox
        self._collector = Collector()
        self._payloads: dict[int, bytes] = {}
        """Queries that are to be told again."""

    def ask(
        self,
        question: Question,
        now: float,
        listener: Listener | None = None,
        straight_to: Address | None = None,
    ) -> int:
        """Ask the cluster; return the number of the query.

        Without a listener ``QueryAcked`` and ``QueryAnswered`` follow, and ``QueryClosed``
        when everybody whom it is for has answered or the time is up. Serf's own
        queries may only be asked for a ``listener``, which is told instead, from within
        this call where that is possible; ``PING_ALL`` may be asked by anybody.
        Who is at ``straight_to`` gets a copy of its own, member or not.

        Raises:
            UsageError: it is reserved or too large, or a tag's expression is none.
            Unavailable: too many queries are open.
        """
        is_ping = question.name == PING_ALL.name and not question.payload
        if question.name.startswith(INTERNAL_PREFIX) and listener is None and not is_ping:
            raise UsageError(RESERVED)
        audience = Audience(question.nodes, question.tags)
        timeout = self._timeout(question)
        query = self._query(question, audience, timeout, wants_answers=not is_ping)
        payload = self._encoded(query)
        wanted = self._expected(audience)
        if (over := self._collector.make_room()) is not None and over.expiry is not None:
            over.expiry.cancel()
        what = (ACK if question.wants_acks else 0) | (0 if is_ping else ANSWER)
        opened = self._collector.open(
            query.ltime,
            query.id,
            now + timeout,
            wanted,
            what,
            listener,
            full_time=question.full_time,
        )
        opened.expiry = self._timers.set(now + timeout, QueryTimeout(opened.number))
        retold_after = RETOLD_AFTER * self._swim_config.gossip_interval
        if wanted and what and retold_after < timeout:
            self._payloads[opened.number] = payload
            opened.retelling = self._timers.set(now + retold_after, QueryRetold(opened.number))
        self._spread(query, payload, now)
        if straight_to is not None and straight_to.is_reachable:
            self._outbox.effects.append(SendPayload(straight_to, payload))
        if opened.is_complete:
            self._close(opened)
        return opened.number

    def _timeout(self, question: Question) -> float:
        timeout = question.timeout
        if timeout is None:
            return default_query_timeout(
                self._swim_config.gossip_interval,
                self._config.query_timeout_mult,
                self._roster.running,
            )
        if not math.isfinite(timeout) or abs(timeout) > TIMEOUT_MAX:
            raise UsageError(f"a query's timeout of {timeout:g}s: at most {TIMEOUT_MAX:g}s")
        return timeout

    def _query(
        self, question: Question, audience: Audience, timeout: float, *, wants_answers: bool
    ) -> Query:
        if not 0 <= question.relay_factor <= RELAY_FACTOR_MAX:
            raise UsageError(
                f"relay factor {question.relay_factor}: it must be within 0..{RELAY_FACTOR_MAX}"
            )
        return Query(
            ltime=self._clock.time,
            id=self._random.getrandbits(31),
            origin=self._address,
            origin_node=self._name,
            filters=audience.filters(),
            flags=FLAG_ACK if question.wants_acks else 0,
            relay_factor=question.relay_factor,
            timeout_ns=round(timeout * 1e9),
            name=question.name,
            payload=question.payload,
            features=TAKES_NO_ANSWER | TAKES_STREAMS | TAKES_CLAIMS if wants_answers else 0,
        )

    def _encoded(self, query: Query) -> bytes:
        """Return the query's bytes; the limit is on what Serf would send.

        Raises:
            UsageError: it is too large.
        """
        limit = self._config.query_size_limit
        if len(encode_serf(replace(query, features=0))) > limit:
            raise UsageError(f"query exceeds limit of {limit} bytes")
        payload = encode_serf(query)
        if len(payload) > self._payload_bytes_max:
            raise UsageError(
                f"query of {len(payload)} bytes exceeds limit of {self._payload_bytes_max} bytes"
                " that fit into a gossip packet"
            )
        return payload

    def _expected(self, audience: Audience) -> list[str]:
        return [
            member.name
            for member in self._roster.members.values()
            if member.status is MemberStatus.ALIVE
            and audience.has(
                member.name, self._own_tags() if member.name == self._name else member.tags
            )
        ]

    def take_response(self, response: QueryResponse, source: Address | None, now: float) -> None:
        """Take an ack of, or an answer to, a query of ours."""
        verdict, query = self._collector.apply(response, now, self._roster.members)
        if query is None or verdict in _COUNTED:
            detail = f"{response.responder} answered query {response.id} at {response.ltime}"
            self._outbox.events.append(MessageIgnored(verdict.value, detail, source))
            return
        if verdict in _TALLIED:
            is_ack = bool(response.flags & FLAG_ACK)
            self._outbox.ledger.count(_TALLIED[verdict][is_ack])
        if verdict not in _NOTHING_NEW:
            self._tell(query, verdict, response)
            if query.is_complete:
                self._close(query)

    def _tell(self, query: OpenQuery, verdict: ResponseVerdict, response: QueryResponse) -> None:
        node, listener = response.responder, query.listener
        if verdict is ResponseVerdict.ACK:
            if listener is None:
                self._outbox.events.append(QueryAcked(query.number, node))
        elif verdict is ResponseVerdict.ANSWER:
            if listener is None:
                answer = QueryAnswered(query.number, node, response.payload)
                self._outbox.events.append(answer)
            else:
                listener.answered(node, response.payload)

    def retell(self, number: int) -> None:
        """Tell our query ``number`` straight to those who may have missed it.

        Gossip misses one of 48 members in one of fifty queries, and nobody else would
        notice. Who knows it already takes no notice of a copy.
        """
        payload = self._payloads.pop(number, None)
        query = self._collector.get(number)
        if payload is None or query is None:
            return
        silent = query.silent()
        if len(silent) > RETOLD_MAX:  # they are slow, not out of luck
            return
        for node in silent:
            member = self._roster.get(node)
            if member is not None and node != self._name and member.address.is_reachable:
                self._outbox.effects.append(SendPayload(member.address, payload))

    def stop_waiting_for(self, node: str) -> None:
        """Expect no answer of ``node`` any more; it failed or left."""
        for query in self._collector.without(node):
            self._close(query)

    def stop(self, number: int) -> None:
        """Wait no longer for answers to query ``number``: whoever asked has gone.

        It goes on for those who are asked; nothing more is told of it here.
        """
        query = self._collector.get(number)
        if query is not None and not query.closed:
            self._finish(query)

    def _finish(self, query: OpenQuery) -> None:
        query.closed = True
        if query.retelling is not None:
            query.retelling.cancel()
            self._payloads.pop(query.number, None)

    def _close(self, query: OpenQuery) -> None:
        if query.closed:  # by a listener that was told of another
            return
        self._finish(query)
        if query.listener is None:
            self._outbox.events.append(QueryClosed(query.number))
        else:
            query.listener.closed()

    def end(self, number: int) -> None:
        """The time of our query ``number`` is up."""
        query = self._collector.end(number)
        if query is not None:
            self._close(query)
