"""What a query gets from us: an ack, an internal answer, copies by relay.

gossip.md, sections 17 and 17.1. Pure rules: they return what to send, in
order, and what to complain about. Queries of applications are acked here;
delivering them is not this file's part.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from gossipd.address import Address
from gossipd.config.model import SerfConfig
from gossipd.errors import WireError
from gossipd.serf.conflict import answer_conflict
from gossipd.serf.filters import are_met_untrusted
from gossipd.serf.key_queries import CHANGES, LIST_KEYS, answer_key_query_untrusted
from gossipd.serf.queries import INTERNAL_PREFIX, choose_relays
from gossipd.serf.roster import Roster
from gossipd.wire.serf_codec import encode_serf
from gossipd.wire.serf_messages import FLAG_ACK, Query, QueryResponse, Relay

PING = "_serf_ping"
CONFLICT = "_serf_conflict"


class Answers:
    """Answers to the queries that reach this node."""

    __slots__ = ("_config", "_encrypted", "_name", "_random", "_roster")

    def __init__(
        self, config: SerfConfig, name: str, roster: Roster, random: Random, *, encrypted: bool
    ) -> None:
        self._config = config
        self._name = name
        self._roster = roster
        self._random = random
        self._encrypted = encrypted

    def to_query(
        self, query: Query, own_tags: Mapping[str, str]
    ) -> tuple[list[tuple[Address, bytes]], list[WireError]]:
        """Return the payloads to send, the ack first, and what was wrong with the query."""
        replies: list[tuple[Address, bytes]] = []
        try:
            if not are_met_untrusted(query.filters, self._name, own_tags):
                return [], []
            if query.flags & FLAG_ACK:
                self._respond_untrusted(query, FLAG_ACK, None, replies)
            answer = self._internal_answer_untrusted(query)
            if answer is not None and query.timeout_ns > 0:
                self._respond_untrusted(query, 0, answer, replies)
        except WireError as error:
            return replies, [error]
        return replies, []

    def _internal_answer_untrusted(self, query: Query) -> bytes | None:
        name = query.name
        if not name.startswith(INTERNAL_PREFIX) or name == PING:
            return None
        if name == CONFLICT:
            return answer_conflict(query.payload, self._name, self._roster.members)
        if name == LIST_KEYS or name in CHANGES:
            return answer_key_query_untrusted(name, query.payload, encrypted=self._encrypted)
        raise WireError("unknown-internal-query", name)

    def _respond_untrusted(
        self,
        query: Query,
        flags: int,
        payload: bytes | None,
        replies: list[tuple[Address, bytes]],
    ) -> None:
        """Add the response to ``query`` and its copies for relays to ``replies``.

        Raises:
            WireError: it is larger than a response may be; what fits was added.
        """
        limit = self._config.query_response_size_limit
        response = encode_serf(QueryResponse(query.ltime, query.id, self._name, flags, payload))
        if len(response) > limit:
            raise WireError("response-too-large", f"{query.name}: {len(response)} > {limit} bytes")
        replies.append((query.origin, response))
        relays = choose_relays(query, self._roster.members.values(), self._name, self._random)
        if not relays:
            return
        relayed = encode_serf(Relay(query.origin, query.origin_node, response))
        if len(relayed) > limit:
            raise WireError("response-too-large", f"{query.name}: the relayed copy")
        replies.extend((member.address, relayed) for member in relays)
