"""``Answering``: what this node says to queries, its applications' answers included.

gossip.md, section 17. A query for applications is told with a number, by which it may
be answered once until its deadline; then it is forgotten. An answer too large for a
packet goes over a stream, to a gossipd that asked and is a member; everybody else
could not read it. Rules without state are in ``answers.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gossipd.address import Address
from gossipd.config.model import SerfConfig
from gossipd.errors import UsageError
from gossipd.outbox import Outbox
from gossipd.serf.answers import Answers, Replies, as_response
from gossipd.serf.effects import SerfEffect
from gossipd.serf.events import MessageIgnored, QueryReceived, SerfEvent
from gossipd.serf.roster import Roster
from gossipd.serf.timers import QueryExpired, SerfTimer
from gossipd.timers import Handle, Timers
from gossipd.wire.serf_messages import (
    FLAG_NO_ANSWER,
    TAKES_NO_ANSWER,
    TAKES_STREAMS,
    Query,
)

PENDING_MAX = 1024
"""Queries that wait for an application; above it the one that waits longest is forgotten."""
NOT_PENDING = "No pending queries matching ID"
ALREADY_SENT = "response already sent"
PAST_DEADLINE = "response is past the deadline"


class _Pending:
    """A query that may still be answered; without its payload, which may be large."""

    __slots__ = ("deadline", "expiry", "is_answered", "query")

    def __init__(self, query: Query, deadline: float, expiry: Handle[SerfTimer]) -> None:
        self.query = query
        self.deadline = deadline
        self.expiry = expiry
        self.is_answered = False


class Answering:
    """The queries that reach one node.

    Args:
        config: limits.
        roster: who is a member.
        answers: the rules.
        own_tags: returns our tags as they are now.
        send: sends a payload straight to an address, on behalf of a source, with ``now``.
        stream: the same over a stream.
        timers, outbox: those of the dispatcher.
    """

    def __init__(
        self,
        config: SerfConfig,
        roster: Roster,
        answers: Answers,
        own_tags: Callable[[], Mapping[str, str]],
        send: Callable[[Address, bytes, Address | None, float], None],
        stream: Callable[[Address, bytes, float], None],
        timers: Timers[SerfTimer],
        outbox: Outbox[SerfEffect, SerfEvent],
    ) -> None:
        self._config = config
        self._roster = roster
        self._answers = answers
        self._own_tags = own_tags
        self._send = send
        self._stream = stream
        self._timers = timers
        self._outbox = outbox
        self._number = 0
        self._pending: dict[int, _Pending] = {}

    def take(self, query: Query, source: Address | None, now: float) -> None:
        """Ack and answer ``query`` if it is for us, or tell it to applications."""
        replies = self._answers.to_query(query, self._own_tags())
        self._reply(replies, source, now)
        if replies.is_for_application:
            self._ask_application(query, now)

    def _reply(self, replies: Replies, source: Address | None, now: float) -> None:
        for error in replies.complaints:
            self._outbox.events.append(MessageIgnored(error.reason, error.detail, source))
        for to, payload in replies.payloads:
            self._send(to, payload, source, now)

    def _ask_application(self, query: Query, now: float) -> None:
        self._number += 1
        deadline = now + query.timeout_ns / 1e9
        if len(self._pending) >= PENDING_MAX:
            oldest = next(iter(self._pending))
            self._pending.pop(oldest).expiry.cancel()
            detail = f"query {oldest} waits for an answer while {PENDING_MAX} newer ones came"
            self._outbox.events.append(MessageIgnored("too-many-queries", detail, query.origin))
        expiry = self._timers.set(deadline, QueryExpired(self._number))
        self._pending[self._number] = _Pending(_without_payload(query), deadline, expiry)
        self._outbox.events.append(
            QueryReceived(
                self._number, query.ltime, query.name, query.payload, query.origin_node, deadline
            )
        )

    def keyring_saved(self, ticket: int, error: str, now: float) -> None:
        """Our keys were saved, or not (``error``): answer whoever changed them."""
        self._reply(self._answers.after_saving(ticket, error), None, now)

    def expire(self, number: int) -> None:
        """The deadline of the query told as ``number`` has passed."""
        self._pending.pop(number, None)

    def respond(self, number: int, payload: bytes | None, now: float) -> None:
        """Answer the query that was told as ``number``.

        Raises:
            UsageError: there was none, it was answered already, its deadline has passed,
                or the answer is too large for whoever asked; nothing was sent.
        """
        pending = self._open(number, now)
        query = pending.query
        response = as_response(query, self._answers.name, 0, payload)
        limit = self._config.query_response_size_limit
        if len(response) <= limit:
            self._reply(self._answers.to_origin(query, response), None, now)
        else:
            self._refuse_unless_streamed(query, len(response))
            self._stream(query.origin, response, now)
        pending.is_answered = True

    def _open(self, number: int, now: float) -> _Pending:
        pending = self._pending.get(number)
        if pending is None:
            raise UsageError(PAST_DEADLINE if 0 < number <= self._number else NOT_PENDING)
        if pending.is_answered:
            raise UsageError(ALREADY_SENT)
        if now > pending.deadline:
            raise UsageError(PAST_DEADLINE)
        return pending

    def _refuse_unless_streamed(self, query: Query, size: int) -> None:
        """Refuse an answer that no stream may carry to whoever asks.

        Anybody may write any address into a query, and only a member's is dialled.
        """
        limit = self._config.query_response_size_limit
        asker = self._roster.get(query.origin_node)
        if not query.features & TAKES_STREAMS or asker is None or asker.address != query.origin:
            raise UsageError(f"response exceeds limit of {limit} bytes")
        limit = self._config.query_stream_response_limit
        if size > limit:
            raise UsageError(f"response exceeds limit of {limit} bytes")

    def decline(self, number: int, now: float) -> None:
        """Tell whoever asked query ``number`` that no answer will come from us.

        Only a gossipd is told: a Serf would take it for an answer. Nothing happens when
        it has been answered, or its deadline has passed. An answer may still follow.
        """
        pending = self._pending.get(number)
        if pending is None or pending.is_answered or now > pending.deadline:
            return
        query = pending.query
        if query.features & TAKES_NO_ANSWER:
            response = as_response(query, self._answers.name, FLAG_NO_ANSWER, None)
            self._reply(self._answers.to_origin(query, response), None, now)


def _without_payload(query: Query) -> Query:
    return Query(
        ltime=query.ltime,
        id=query.id,
        origin=query.origin,
        origin_node=query.origin_node,
        filters=(),
        flags=query.flags,
        relay_factor=query.relay_factor,
        timeout_ns=query.timeout_ns,
        name=query.name,
        features=query.features,
    )
