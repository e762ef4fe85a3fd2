"""What a query gets from us: an ack, an internal answer, copies by relay.

gossip.md, sections 17 and 17.1. Pure rules: they return what to send, in
order, and what to complain about. Queries of applications are acked here;
what becomes of them then is ``answering.py``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING

from gossipd.address import Address
from gossipd.config.model import SerfConfig
from gossipd.errors import WireError
from gossipd.serf.filters import are_met_untrusted
from gossipd.serf.queries import CONFLICT, INTERNAL_PREFIX, KEY_QUERIES, choose_relays
from gossipd.serf.question import PING_ALL
from gossipd.serf.roster import Roster
from gossipd.wire.serf_codec import encode_serf
from gossipd.wire.serf_messages import (
    FLAG_ACK,
    FLAG_NO_ANSWER,
    TAKES_NO_ANSWER,
    Query,
    QueryResponse,
    Relay,
)

if TYPE_CHECKING:
    from gossipd.serf.key_queries import KeyQueries


class Replies:
    """What to send, the ack first, and what was wrong; filled while a query is looked at."""

    __slots__ = ("comes_later", "complaints", "is_for_application", "payloads")

    def __init__(self) -> None:
        self.payloads: list[tuple[Address, bytes]] = []
        self.complaints: list[WireError] = []
        self.is_for_application = False
        self.comes_later = False
        """Whether the answer waits for our keys to be saved."""


def as_response(query: Query, responder: str, flags: int, payload: bytes | None) -> bytes:
    """Return the bytes of a response to ``query``."""
    return encode_serf(QueryResponse(query.ltime, query.id, responder, flags, payload))


class Answers:
    """Answers to the queries that reach the node ``name``.

    ``keys`` returns what answers key queries, which is made for the first one.
    """

    __slots__ = ("_config", "_keys", "_random", "_roster", "_started_ms", "name")

    def __init__(
        self,
        config: SerfConfig,
        name: str,
        roster: Roster,
        random: Random,
        keys: Callable[[], KeyQueries],
        started_ms: int,
    ) -> None:
        self._config = config
        self.name = name
        self._roster = roster
        self._random = random
        self._keys = keys
        self._started_ms = started_ms

    def to_query(self, query: Query, own_tags: Mapping[str, str]) -> Replies:
        """Return what ``query`` gets at once."""
        replies = Replies()
        try:
            if are_met_untrusted(query.filters, self.name, own_tags):
                self._answer_untrusted(query, replies)
        except WireError as error:
            replies.complaints.append(error)
        return replies

    def to_origin(self, query: Query, response: bytes) -> Replies:
        """Return ``response`` to ``query`` and its copies for relays."""
        replies = Replies()
        try:
            self._send_untrusted(query, response, replies)
        except WireError as error:
            replies.complaints.append(error)
        return replies

    def _answer_untrusted(self, query: Query, replies: Replies) -> None:
        is_internal = query.name.startswith(INTERNAL_PREFIX)
        replies.is_for_application = not is_internal
        answer = self._internal_answer(query, replies) if is_internal else None
        if query.timeout_ns <= 0:
            answer = None
        flags = query.flags & FLAG_ACK
        is_all = is_internal and answer is None and not replies.comes_later
        if is_all and query.features & TAKES_NO_ANSWER:
            flags |= FLAG_NO_ANSWER  # the ack says it; without one, this alone
        if flags:
            self._send_untrusted(query, as_response(query, self.name, flags, None), replies)
        if answer is not None:
            self._send_untrusted(query, as_response(query, self.name, 0, answer), replies)

    def _internal_answer(self, query: Query, replies: Replies) -> bytes | None:
        name = query.name
        if name == CONFLICT:
            from gossipd.serf.conflict import answer_conflict  # names seldom clash

            return answer_conflict(query, self.name, self._roster.members, self._started_ms)
        if name in KEY_QUERIES:
            return self._key_answer(query, replies)
        if name != PING_ALL.name:
            replies.complaints.append(WireError("unknown-internal-query", name))
        return None

    def _key_answer(self, query: Query, replies: Replies) -> bytes | None:
        limit = self._config.query_response_size_limit

        def fits(answer: bytes) -> bool:
            return len(as_response(query, self.name, 0, answer)) <= limit

        try:
            answer = self._keys().answer_untrusted(query, fits)
        except WireError as error:
            replies.complaints.append(error)
            return None
        replies.comes_later = answer is None
        return answer

    def after_saving(self, ticket: int, error: str) -> Replies:
        """Return what waited for the ``SaveKeyring`` of that ticket; nothing if nothing did."""
        saved = self._keys().saved(ticket, error)
        if saved is None:
            return Replies()
        query, answer = saved
        return self.to_origin(query, as_response(query, self.name, 0, answer))

    def _send_untrusted(self, query: Query, response: bytes, replies: Replies) -> None:
        """Add ``response`` and its copies for relays to ``replies``.

        Raises:
            WireError: it is larger than a response may be; what fits was added.
        """
        limit = self._config.query_response_size_limit
        if len(response) > limit:
            raise WireError("response-too-large", f"{query.name}: {len(response)} > {limit} bytes")
        replies.payloads.append((query.origin, response))
        relays = choose_relays(query, self._roster.members.values(), self.name, self._random)
        if not relays:
            return
        relayed = encode_serf(Relay(query.origin, query.origin_node, response))
        if len(relayed) > limit:
            raise WireError("response-too-large", f"{query.name}: the relayed copy")
        replies.payloads.extend((member.address, relayed) for member in relays)
