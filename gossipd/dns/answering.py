"""``Answering``: the bytes of a query in, the bytes of a reply out.

What joins the reader, the zone, the cache and the limits; no sockets here, and nothing
is waited for: what takes other resolvers comes back as ``Pending``.
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
    SERVFAIL,
    TC,
    TCP_BYTES_MAX,
)
from gossipd.dns.limits import Rates, is_proven, may_recurse, room_of
from gossipd.dns.message import BadQuery, Query, read_query_untrusted
from gossipd.dns.reply import Reply, bare_message, opt_record, refusal
from gossipd.dns.zone import Zone
from gossipd.ledger import Ledger
from gossipd.value import Value

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


class Pending(Value):
    """A query that others must be asked for; its reply may have ``room`` bytes.

    Without ``answer`` it is forwarded; with it, the addresses behind ``answer.external`` are
    looked up and added.
    """

    query: Query
    room: int
    answer: Answer | None = None


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
        self._count = ledger.count
        self._random = random
        self._clock = clock
        self._rates = Rates(config.rate_limit)
        self.cache = Cache()
        self._recurses = bool(config.recursors)
        self._keeps_for = SORTED_FOR if config.sort == "rtt" else float("inf")

    def datagram(self, data: bytes, host: str) -> bytes | Pending | None:
        """Return the reply to a datagram from ``host``.

        ``None`` is silence.
        """
        proven = is_proven(host)
        if not proven and not self._rates.allows(host, self._clock()):
            return self._above_the_rate(data)
        return self._reply(data, host, proven=proven, by_udp=True)

    def message(self, data: bytes, host: str) -> bytes | Pending | None:
        """Return the reply to a message that came by TCP; ``None`` ends the connection."""
        return self._reply(data, host, proven=True, by_udp=False)

    def _reply(
        self, data: bytes, host: str, *, proven: bool, by_udp: bool
    ) -> bytes | Pending | None:
        known = self.cache.known(data[2:])
        if known is not None:
            if self._is_current(known.reply):
                self._count(_QUERIES.get(known.kind, _OTHER))
                self._count(CACHE_HIT)
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
        # spellings share one reply: who invents them does not make us work each time
        key = query.question[:-4].lower() + query.question[-4:]
        reply = self.cache.reply(key)
        if reply is not None and self._is_current(reply):
            self._count(CACHE_HIT)
        else:
            answer = self._zone.answer(query)
            if answer is None or (answer.external and self._recurses):
                room = self._room(query, proven=proven, by_udp=by_udp)
                return self._foreign(Pending(query, room, answer), host)
            reply = Reply(query.question, self._zone.apex_at(query), answer)
            if reply.view is not None:
                reply.made_at = self._clock()
                self.cache.keep(key, reply)
        known = self._read(query, reply)
        # what is known by its bytes is answered to everybody, and strangers get no ANY
        if reply.view is not None and not query.has_options and query.kind != ANY:
            self.cache.know(data[2:], known)
        return self._send(query.id, known, proven=proven, by_udp=by_udp)

    def _room(self, query: Query, *, proven: bool, by_udp: bool) -> int:
        payload = query.edns.payload if query.edns else 0
        if not by_udp:
            return TCP_BYTES_MAX
        return room_of(payload, self._config.payload_max, is_proven=proven)

    def _read(self, query: Query, reply: Reply) -> Known:
        payload = query.edns.payload if query.edns else 0
        return Known(reply, query.question, query.kind, query.flags, payload, self._opt(query))

    def _is_current(self, reply: Reply) -> bool:
        view = reply.view
        return (
            view is not None
            and self._zone.directory.is_current(view)
            and self._clock() - reply.made_at < self._keeps_for
        )

    def _send(self, id: int, known: Known, *, proven: bool, by_udp: bool) -> bytes:
        room = TCP_BYTES_MAX
        if by_udp:
            room = room_of(known.payload, self._config.payload_max, is_proven=proven)
        return self._sent(id, known, room)

    def _sent(self, id: int, known: Known, room: int) -> bytes:
        config, reply = self._config, known.reply
        self._count(_REPLIES[reply.rcode])
        message = reply.send(
            id,
            known.flags,
            known.question,
            room,
            self._random,
            opt=known.opt,
            says_truncated=config.enable_truncate,
            can_recurse=self._recurses,
        )
        if message[2] & 0x02:
            self._count(TRUNCATED)
        return message

    def _opt(self, query: Query, extended: int = 0) -> bytes:
        if query.edns is None:
            return b""
        edns = query.edns
        return opt_record(
            self._config.payload_max, edns.subnet, extended=extended, dnssec=edns.wants_dnssec
        )

    # -- what is not answered -----------------------------------------------------

    def _refused(self, query: Query, *, proven: bool, by_udp: bool) -> bytes | None:
        if query.edns is not None and query.edns.version:
            return self._refusal(query, BADVERS)
        if query.kind in (AXFR, IXFR):
            return self._refusal(query, NOTIMP)
        if query.kind == ANY and by_udp and not proven:
            self._count(TRUNCATED)
            self._count(_REPLIES[0])
            return refusal(query, 0, self._opt(query), flags=TC)
        return None

    def _foreign(self, pending: Pending, host: str) -> bytes | Pending:
        query = pending.query
        if self._recurses and query.flags & RD and may_recurse(host):
            return pending
        if pending.answer is not None:
            return self.completed(pending, pending.answer)
        return self._refusal(query, REFUSED)

    # -- what was asked of others ---------------------------------------------------

    def completed(self, pending: Pending, answer: Answer) -> bytes:
        """Return the reply with all that could be learned."""
        query = pending.query
        reply = Reply(query.question, self._zone.apex_at(query), answer)
        return self._sent(query.id, self._read(query, reply), pending.room)

    def forwarded(self, reply: bytes) -> bytes:
        """Count the reply of another resolver, and return it."""
        self._count(_REPLIES.get(reply[3] & 0xF, REPLY + "other"))
        return reply

    def failed(self, pending: Pending) -> bytes:
        """Return the reply if nobody could be asked."""
        if pending.answer is not None:
            return self.completed(pending, pending.answer)
        return self._refusal(pending.query, SERVFAIL)

    def _refusal(self, query: Query, rcode: int) -> bytes:
        self._count(_REPLIES[rcode])
        flags = RA if self._recurses else 0
        return refusal(query, rcode & 0xF, self._opt(query, rcode >> 4), flags=flags)

    def _complain(self, bad: BadQuery) -> bytes | None:
        self._count(DROPPED + bad.reason.removeprefix("dns-"))
        if bad.rcode is None:
            return None
        self._count(_REPLIES[bad.rcode])
        return bare_message(bad.head, bad.rcode)

    def _above_the_rate(self, data: bytes) -> bytes | None:
        self._count(DROPPED + "rate")
        if not self._rates.slips():
            return None
        try:
            query = read_query_untrusted(data)
        except BadQuery:
            return None
        return refusal(query, 0, flags=TC)

    def _count_query(self, kind: int) -> None:
        self._count(_QUERIES.get(kind, _OTHER))
