"""``Inquiries``: queries of others and our own, answers and relays (gossip.md, section 17).

The rules are in the leaves (``queries`` recognises duplicates, ``filters``
whom a query is for, ``answers`` what is replied, ``collector`` who has
answered ours); here they are put in order and their effects written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from gossipd.address import Address
from gossipd.config.model import SerfConfig, SwimConfig
from gossipd.errors import WireError
from gossipd.outbox import Outbox
from gossipd.serf.answers import PING, Answers
from gossipd.serf.collector import Collector, OpenQuery, ResponseVerdict
from gossipd.serf.effects import SendPayload, SerfEffect
from gossipd.serf.events import MessageIgnored, QueryAcked, QueryClosed, SerfEvent
from gossipd.serf.lamport import LamportClock
from gossipd.serf.queries import QueryBuffer, QueryVerdict, default_query_timeout
from gossipd.serf.roster import Roster
from gossipd.serf.timers import QueryTimeout, SerfTimer
from gossipd.timers import Timers
from gossipd.wire.serf_codec import decode_serf_untrusted, encode_serf
from gossipd.wire.serf_messages import (
    FLAG_ACK,
    FLAG_NO_BROADCAST,
    MemberStatus,
    Query,
    QueryResponse,
    Relay,
)


class Inquiries:
    """Everything about queries of one node.

    Args:
        config, swim_config: limits, and the gossip interval of the default timeout.
        name, address: ours; answers to our queries come to ``address``.
        roster: who is a member.
        own_tags: returns our tags as they are now.
        random: query numbers and relays.
        gossip: queues a query's bytes for everybody, with ``now``.
        timers, outbox: those of the dispatcher.
        encrypted: words the answers to key queries.
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
        timers: Timers[SerfTimer],
        outbox: Outbox[SerfEffect, SerfEvent],
        *,
        encrypted: bool,
    ) -> None:
        self._config = config
        self._swim_config = swim_config
        self._name = name
        self._address = address
        self._roster = roster
        self._own_tags = own_tags
        self._random = random
        self._gossip = gossip
        self._timers = timers
        self._outbox = outbox
        self._queries = QueryBuffer(config.query_buffer)
        self._answers = Answers(config, name, roster, random, encrypted=encrypted)
        self._collector = Collector()

    @property
    def clock(self) -> LamportClock:
        """The query clock."""
        return self._queries.clock

    def ping_all(self, now: float) -> int:
        """Ask every member for an ack; return the number of the query.

        ``QueryAcked`` follows for each node, and ``QueryClosed`` when every
        member alive has acked or the default timeout passed (section 17).

        Raises:
            Unavailable: too many queries are open.
        """
        timeout = default_query_timeout(
            self._swim_config.gossip_interval,
            self._config.query_timeout_mult,
            self._roster.running,
        )
        query = Query(
            ltime=self._queries.clock.time,
            id=self._random.getrandbits(31),
            origin=self._address,
            origin_node=self._name,
            filters=(),
            flags=FLAG_ACK,
            relay_factor=0,
            timeout_ns=round(timeout * 1e9),
            name=PING,
        )
        alive = [
            member.name
            for member in self._roster.members.values()
            if member.status is MemberStatus.ALIVE
        ]
        number = self._collector.open(query.ltime, query.id, now + timeout, alive)
        self._timers.set(now + timeout, QueryTimeout(number))
        self._queries.apply(query.ltime, query.id)
        self._gossip(encode_serf(query), now)
        self._answer(query, None, now)
        return number

    def take_query(self, query: Query, payload: bytes, source: Address, now: float) -> None:
        """Take a query of somebody: gossip it on as ``payload``, answer if it is for us."""
        verdict = self._queries.apply(query.ltime, query.id)
        if verdict is QueryVerdict.TOO_OLD or verdict is QueryVerdict.FULL:
            self._ignore(verdict.value, f"{query.name} at {query.ltime}", source)
        if verdict is not QueryVerdict.NEW:
            return
        # Decided before the filters: a query not meant for us travels on too.
        if not query.flags & FLAG_NO_BROADCAST:
            self._gossip(payload, now)
        self._answer(query, source, now)

    def _answer(self, query: Query, source: Address | None, now: float) -> None:
        replies, complaints = self._answers.to_query(query, self._own_tags())
        for error in complaints:
            self._ignore(error.reason, error.detail, source)
        for to, payload in replies:
            self._send(to, payload, source, now)

    def _send(self, to: Address, payload: bytes, source: Address | None, now: float) -> None:
        """Send straight to ``to``; what is for ourselves takes no detour by the network."""
        if to == self._address:
            self._take_own(payload, source, now)
        elif to.is_reachable:
            self._outbox.effects.append(SendPayload(to, payload))
        else:
            self._ignore("bad-destination", str(to), source)

    def _take_own(self, payload: bytes, source: Address | None, now: float) -> None:
        try:
            message = decode_serf_untrusted(payload)
        except WireError as error:
            self._ignore(error.reason, error.detail, source)
            return
        # Nothing but answers is sent to a query's origin, and a relay inside
        # a relay could be nested without end.
        if isinstance(message, QueryResponse):
            self.take_response(message, source, now)
        else:
            self._ignore("bad-relay", type(message).__name__, source)

    def take_relay(self, relay: Relay, source: Address, now: float) -> None:
        """Send on what somebody asks us to relay, unchanged."""
        if relay.payload:
            self._send(relay.destination, relay.payload, source, now)
        else:
            self._ignore("bad-relay", "nothing to relay", source)

    def take_response(self, response: QueryResponse, source: Address | None, now: float) -> None:
        """Take an ack of, or an answer to, a query of ours."""
        verdict, query = self._collector.apply(response, now)
        if verdict is ResponseVerdict.UNKNOWN:
            detail = f"{response.responder} answered query {response.id} at {response.ltime}"
            self._ignore(verdict.value, detail, source)
        elif verdict is ResponseVerdict.ACK and query is not None:
            self._outbox.events.append(QueryAcked(query.number, response.responder))
            if not query.wanted:
                self._close(query)

    def stop_waiting_for(self, node: str) -> None:
        """Expect no answer of ``node`` any more; it failed or left."""
        for query in self._collector.without(node):
            self._close(query)

    def _close(self, query: OpenQuery) -> None:
        query.closed = True
        self._outbox.events.append(QueryClosed(query.number))

    def end(self, number: int) -> None:
        """The time of our query ``number`` is up."""
        query = self._collector.end(number)
        if query is not None and not query.closed:
            self._close(query)

    def _ignore(self, reason: str, detail: str, source: Address | None) -> None:
        self._outbox.events.append(MessageIgnored(reason, detail, source))
