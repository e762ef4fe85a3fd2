"""``Inquiries``: queries of others and our own, answers and relays (gossip.md, section 17).

Here they are told apart, recognised when they come again (``queries``) and gossiped
on. What we ask is ``asking``'s, what we answer ``answering``'s; what is meant for
ourselves goes from one to the other without the network. Both, the votes about our
name and the answers to key queries are made and loaded when they are first needed:
a cluster may run for weeks without a query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING

from gossipd.address import Address
from gossipd.config.model import SerfConfig, SwimConfig
from gossipd.errors import Unavailable, WireError
from gossipd.outbox import Outbox
from gossipd.serf.effects import SendByStream, SendPayload, SerfEffect
from gossipd.serf.events import KeysAnswered, MessageIgnored, SerfEvent
from gossipd.serf.lamport import LamportClock
from gossipd.serf.queries import CONFLICT, KEY_QUERIES, QueryBuffer, QueryVerdict
from gossipd.serf.question import KeyCommand, KeyReport
from gossipd.serf.roster import Roster
from gossipd.serf.timers import SerfTimer
from gossipd.timers import Timers
from gossipd.wire.keyring import Keyring
from gossipd.wire.serf_codec import decode_serf_untrusted
from gossipd.wire.serf_messages import (
    FLAG_NO_BROADCAST,
    MemberStatus,
    Query,
    QueryResponse,
    Relay,
)

if TYPE_CHECKING:
    from gossipd.serf.answering import Answering
    from gossipd.serf.asking import Asking
    from gossipd.serf.key_queries import KeyQueries
    from gossipd.serf.name_vote import NameVoting

QUERY_TAKEN = "query"
"""Counted: queries that are new here, Serf's own included, for whomever they are."""


class Inquiries:
    """Everything about queries of one node; ``asking`` and ``answering`` are its two sides.

    Args:
        config, swim_config: limits, and the gossip interval of the default timeout.
        name, address: ours; answers to our queries come to ``address``.
        roster: who is a member.
        own_tags: returns our tags as they are now.
        random: query numbers and relays.
        gossip: queues a query's bytes for everybody, with ``now``.
        payload_bytes_max: the largest message gossip can carry.
        timers, outbox: those of the dispatcher.
        started_ms: when we started, in milliseconds since 1970, if our name is contested.
        keyring, saves_keys, is_exposed: of key queries, see ``KeyQueries``.
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
        gossip: Callable[[bytes, float], None],
        payload_bytes_max: int,
        timers: Timers[SerfTimer],
        outbox: Outbox[SerfEffect, SerfEvent],
        started_ms: int,
        *,
        keyring: Keyring | None,
        saves_keys: bool,
        is_exposed: Callable[[], bool],
    ) -> None:
        self._config = config
        self._swim_config = swim_config
        self._name = name
        self._roster = roster
        self._address = address
        self._gossip = gossip
        self._outbox = outbox
        self._own_tags = own_tags
        self._random = random
        self._payload_bytes_max = payload_bytes_max
        self._timers = timers
        self._started_ms = started_ms
        self._keyring = keyring
        self._saves_keys = saves_keys
        self._is_exposed = is_exposed
        self._queries = QueryBuffer(config.query_buffer)
        self._asking: Asking | None = None
        self._answering: Answering | None = None
        self._naming: NameVoting | None = None
        self._keys: KeyQueries | None = None

    @property
    def asking(self) -> Asking:
        """Our own queries."""
        if self._asking is None:
            from gossipd.serf.asking import Asking

            self._asking = Asking(
                self._config,
                self._swim_config,
                self._name,
                self._address,
                self._roster,
                self._own_tags,
                self._random,
                self._queries.clock,
                self._payload_bytes_max,
                self._spread,
                self._timers,
                self._outbox,
            )
        return self._asking

    @property
    def answering(self) -> Answering:
        """What we say to queries."""
        if self._answering is None:
            from gossipd.serf.answering import Answering
            from gossipd.serf.answers import Answers

            self._answering = Answering(
                self._config,
                self._roster,
                Answers(
                    self._config,
                    self._name,
                    self._roster,
                    self._random,
                    self._made_keys,
                    self._started_ms,
                ),
                self._own_tags,
                self._send,
                self._stream,
                self._timers,
                self._outbox,
            )
        return self._answering

    def _made_keys(self) -> KeyQueries:
        if self._keys is None:
            from gossipd.serf.key_queries import KeyQueries

            self._keys = KeyQueries(
                self._keyring, self._outbox, saves=self._saves_keys, is_exposed=self._is_exposed
            )
        return self._keys

    @property
    def clock(self) -> LamportClock:
        """The query clock."""
        return self._queries.clock

    @property
    def newest(self) -> int:
        """Highest Lamport time of a query that was handled; 0 is none."""
        return self._queries.newest

    def recall(self, last: int) -> None:
        """Take queries up to ``last`` for old; see ``QueryBuffer.recall``."""
        self._queries.recall(last)

    def stop_waiting_for(self, node: str) -> None:
        """Expect no answer of ``node`` any more; it failed or left."""
        if self._asking is not None:
            self._asking.stop_waiting_for(node)

    def name_claimed(self, node: str, rival: Address, now: float) -> None:
        """``rival`` calls itself ``node``: ask whose name that is, if it is ours."""
        if self._naming is None:
            if node != self._name or rival == self._address:
                return
            from gossipd.serf.name_vote import NameVoting

            self._naming = NameVoting(
                self._name,
                self._address,
                self._started_ms,
                self.asking,
                self._outbox,
                resolves=self._config.resolve_name_conflicts,
            )
        self._naming.claimed(node, rival, now)

    def manage_keys(
        self, command: KeyCommand, key: bytes | None, operation: int, now: float
    ) -> None:
        """Do ``command`` with ``key`` on all members; ``KeysAnswered(operation, ...)`` follows.

        Where there is no encryption everybody says so; the key is not told to anybody then.

        Raises:
            UsageError: no query can hold the key.
            Unavailable: too many queries are open, or anybody could read the key.
        """
        from gossipd.serf.key_queries import EXPOSED
        from gossipd.serf.key_round import KeyRound, key_question

        if self._is_exposed():
            raise Unavailable(EXPOSED)
        if not self._keyring:
            key = None
        alive = [
            member.name
            for member in self._roster.members.values()
            if member.status is MemberStatus.ALIVE
        ]

        def tell(report: KeyReport) -> None:
            self._outbox.events.append(KeysAnswered(operation, report))

        self.asking.ask(key_question(command, key), now, KeyRound(alive, tell))

    def _spread(self, query: Query, payload: bytes, now: float) -> None:
        """Give a query of ours to everybody and to ourselves."""
        self._queries.apply(query.ltime, query.id)
        self._outbox.ledger.count(QUERY_TAKEN)
        self._gossip(payload, now)
        self.answering.take(query, None, now)

    def take_query(self, query: Query, payload: bytes, source: Address, now: float) -> None:
        """Take a query of somebody: gossip it on as ``payload``, answer if it is for us."""
        verdict = self._queries.apply(query.ltime, query.id)
        if verdict is QueryVerdict.TOO_OLD or verdict is QueryVerdict.FULL:
            self._ignore(verdict.value, f"{query.name} at {query.ltime}", source)
        if verdict is not QueryVerdict.NEW:
            return
        self._outbox.ledger.count(QUERY_TAKEN)
        # Decided before the filters: a query not meant for us travels on too.
        is_unsafe = query.name in KEY_QUERIES and self._is_exposed()
        if is_unsafe:  # passed on it would be sealed, as if a member had asked
            self._ignore("exposed-key-query", f"{query.name} of {query.origin_node}", source)
        elif not query.flags & FLAG_NO_BROADCAST:
            self._gossip(payload, now)
        self.answering.take(query, source, now)
        if query.name == CONFLICT:  # who asks about our name bears it
            self.name_claimed(query.origin_node, query.origin, now)

    def take_relay(self, relay: Relay, source: Address, now: float) -> None:
        """Send on what somebody asks us to relay, unchanged."""
        if relay.payload:
            self._send(relay.destination, relay.payload, source, now)
        else:
            self._ignore("bad-relay", "nothing to relay", source)

    def _send(self, to: Address, payload: bytes, source: Address | None, now: float) -> None:
        """Send straight to ``to``; what is for ourselves takes no detour by the network."""
        if to == self._address:
            self._take_own(payload, source, now)
        elif to.is_reachable:
            self._outbox.effects.append(SendPayload(to, payload))
        else:
            self._ignore("bad-destination", str(to), source)

    def _stream(self, to: Address, payload: bytes, now: float) -> None:
        """Send what is too large for a packet to the member at ``to``."""
        if to == self._address:
            self._take_own(payload, None, now)
        else:
            self._outbox.effects.append(SendByStream(to, payload))

    def _take_own(self, payload: bytes, source: Address | None, now: float) -> None:
        try:
            message = decode_serf_untrusted(payload)
        except WireError as error:
            self._ignore(error.reason, error.detail, source)
            return
        # Nothing but answers is sent to a query's origin, and a relay inside
        # a relay could be nested without end.
        if isinstance(message, QueryResponse):
            self.asking.take_response(message, source, now)
        else:
            self._ignore("bad-relay", type(message).__name__, source)

    def _ignore(self, reason: str, detail: str, source: Address | None) -> None:
        self._outbox.events.append(MessageIgnored(reason, detail, source))
