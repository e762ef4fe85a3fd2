"""``Answering``: the bytes of a query in, the bytes of a reply out.

What joins the reader, the zone, the cache and the limits; no sockets here, and nothing
is waited for: a name of others comes back as the ``Query`` that is to be forwarded.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from gossipd.config.faces import DnsConfig
from gossipd.dns.cache import Cache, Known
from gossipd.dns.kinds import (
    ANY,
    AXFR,
    BADVERS,
    IXFR,
    KIND_NAMES,
    NOTIMP,
    RA,
    RCODE_NAMES,
    RD,
    REFUSED,
    TC,
    TCP_BYTES_MAX,
)
from gossipd.dns.limits import Rates, is_proven, room_of
from gossipd.dns.message import BadQuery, Query, read_query_untrusted
from gossipd.dns.reply import Reply, bare_message, opt_record, refusal
from gossipd.dns.zone import Zone
from gossipd.ledger import Ledger

if TYPE_CHECKING:
    from gossipd.dns.records import Answer

QUERY, REPLY, DROPPED = "gossipd.dns.query.", "gossipd.dns.reply.", "gossipd.dns.dropped."
CACHE_HIT, TRUNCATED = "gossipd.dns.cache.hit", "gossipd.dns.truncated"
LATENCY = "gossipd.dns.latency"
"""Milliseconds from a query's being read to its reply, forwarded ones included."""
SORTED_FOR = 5.0
"""Seconds for which an order by distance is used."""
_REPLIES = {rcode: REPLY + name for rcode, name in RCODE_NAMES.items()}
_QUERIES = {kind: QUERY + name for kind, name in KIND_NAMES.items()}
_OTHER = QUERY + "other"


class Answering:
    """Answers of one face.

    Args:
        zone: knows the answers.
        config: of the face.
        ledger: where queries are counted.
        random: decides the order of records.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        zone: Zone,
        config: DnsConfig,
        ledger: Ledger,
        random: Random,
        clock: Callable[[], float],
    ) -> None:
        self._zone = zone
        self._config = config
        self._ledger = ledger
        self._random = random
        self._clock = clock
        self._rates = Rates(config.rate_limit)
        self.cache = Cache()
        self._recurses = bool(config.recursors)
        self._keeps_for = SORTED_FOR if config.sort == "rtt" else float("inf")

    def datagram(self, data: bytes, host: str) -> bytes | Query | None:
        """Return the reply to a datagram from ``host``.

        ``None`` is silence; a ``Query`` is one to forward, whose reply may have
        ``room(query, host)`` bytes.
        """
        proven = is_proven(host)
        if not proven and not self._rates.allows(host, self._clock()):
            return self._above_the_rate(data)
        return self._reply(data, proven=proven, by_udp=True)

    def message(self, data: bytes) -> bytes | Query | None:
        """Return the reply to a message that came by TCP; ``None`` ends the connection."""
        return self._reply(data, proven=True, by_udp=False)

    def room(self, query: Query, host: str) -> int:
        """Return how many bytes a reply to ``host`` by UDP may have."""
        payload = query.edns.payload if query.edns else 0
        return room_of(payload, self._config.payload_max, is_proven=is_proven(host))

    def _reply(self, data: bytes, *, proven: bool, by_udp: bool) -> bytes | Query | None:
        known = self.cache.known(data[2:])
        if known is not None:
            if self._is_current(known.reply):
                self._count_query(known.kind)
                self._ledger.count(CACHE_HIT)
                return self._send(int.from_bytes(data[:2]), known, proven=proven, by_udp=by_udp)
            self.cache.unknow(data[2:])
        try:
            query = read_query_untrusted(data)
        except BadQuery as bad:
            return self._complain(bad)
        self._count_query(query.kind)
        refused = self._refused(query, proven=proven, by_udp=by_udp)
        if refused is not None:
            return refused
        reply = self.cache.reply(query.question)
        if reply is not None and self._is_current(reply):
            self._ledger.count(CACHE_HIT)
        else:
            answer = self._zone.answer(query)
            if answer is None:
                return self._foreign(query)
            reply = self._made(query, answer)
        edns = query.edns
        known = Known(
            reply,
            query.kind,
            query.flags,
            edns.payload if edns else 0,
            self._opt(query),
        )
        if reply.view is not None and not query.has_options:
            self.cache.know(data[2:], known)
        return self._send(query.id, known, proven=proven, by_udp=by_udp)

    def _made(self, query: Query, answer: Answer) -> Reply:
        reply = Reply(query.question, self._zone.apex_at(query), answer)
        if reply.view is not None:
            reply.made_at = self._clock()
            self.cache.keep(query.question, reply)
        return reply

    def _is_current(self, reply: Reply) -> bool:
        view = reply.view
        return (
            view is not None
            and self._zone.directory.is_current(view)
            and self._clock() - reply.made_at < self._keeps_for
        )

    def _send(self, id: int, known: Known, *, proven: bool, by_udp: bool) -> bytes:
        config, reply = self._config, known.reply
        room = TCP_BYTES_MAX
        if by_udp:
            room = room_of(known.payload, config.payload_max, is_proven=proven)
        self._ledger.count(_REPLIES[reply.rcode])
        message = reply.send(
            id,
            known.flags,
            room,
            self._random,
            opt=known.opt,
            says_truncated=config.enable_truncate,
            can_recurse=self._recurses,
        )
        if message[2] & 0x02:
            self._ledger.count(TRUNCATED)
        return message

    def _opt(self, query: Query, extended: int = 0) -> bytes:
        if query.edns is None:
            return b""
        return opt_record(self._config.payload_max, query.edns.subnet, extended)

    # -- what is not answered -----------------------------------------------------

    def _refused(self, query: Query, *, proven: bool, by_udp: bool) -> bytes | None:
        if query.edns is not None and query.edns.version:
            return self._refusal(query, BADVERS)
        if query.kind in (AXFR, IXFR):
            return self._refusal(query, NOTIMP)
        if query.kind == ANY and by_udp and not proven:
            self._ledger.count(TRUNCATED)
            self._ledger.count(_REPLIES[0])
            return refusal(query, 0, self._opt(query), flags=TC)
        return None

    def _foreign(self, query: Query) -> bytes | Query:
        if self._recurses and query.flags & RD:
            return query
        return self._refusal(query, REFUSED)

    def refuse(self, query: Query, rcode: int) -> bytes:
        """Return a reply that says nothing but ``rcode``."""
        return self._refusal(query, rcode)

    def _refusal(self, query: Query, rcode: int) -> bytes:
        self._ledger.count(_REPLIES[rcode])
        flags = RA if self._recurses else 0
        return refusal(query, rcode & 0xF, self._opt(query, rcode >> 4), flags=flags)

    def _complain(self, bad: BadQuery) -> bytes | None:
        self._ledger.count(DROPPED + bad.reason.removeprefix("dns-"))
        if bad.rcode is None:
            return None
        self._ledger.count(_REPLIES[bad.rcode])
        return bare_message(bad.head, bad.rcode)

    def _above_the_rate(self, data: bytes) -> bytes | None:
        self._ledger.count(DROPPED + "rate")
        if not self._rates.slips():
            return None
        try:
            query = read_query_untrusted(data)
        except BadQuery:
            return None
        return refusal(query, 0, flags=TC)

    def _count_query(self, kind: int) -> None:
        self._ledger.count(_QUERIES.get(kind, _OTHER))
