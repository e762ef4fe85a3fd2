"""``Forwarding``: completes the queries that other resolvers must be asked for."""

from __future__ import annotations

from gossipd.dns.answering import Answering, Pending
from gossipd.dns.kinds import AAAA, CLASS_IN, NXDOMAIN, A
from gossipd.dns.message import Query
from gossipd.dns.names import labels_of
from gossipd.dns.records import Piece, host_name
from gossipd.dns.recursor import Recursor
from gossipd.dns.upstream import chain_untrusted, is_denial, passed_on
from gossipd.errors import WireError
from gossipd.value import replace


class Forwarding:
    """What joins the answers of this face with those of others.

    Args:
        answering: has the part that is known here.
        recursor: asks.
    """

    def __init__(self, answering: Answering, recursor: Recursor) -> None:
        self._answering = answering
        self._recursor = recursor

    @property
    def is_busy(self) -> bool:
        """Whether as much is under way as may be; then ``fail`` at once."""
        return self._recursor.is_busy

    def is_own(self, host: str, port: int) -> bool:
        """Return whether a query from there is one of those that we ask ourselves: a loop."""
        return self._recursor.is_asking_from(host, port)

    def fail(self, pending: Pending) -> bytes:
        """Return the reply if nobody is asked."""
        return self._answering.failed(pending)

    async def complete(self, pending: Pending) -> bytes:
        """Return the reply when others have answered, or none of them did in time."""
        if pending.answer is not None:
            return await self._follow(pending)
        reply = await self._recursor.ask(pending.query)
        if reply is None:
            return self._answering.failed(pending)
        return self._answering.forwarded(passed_on(reply, pending.query, pending.room))

    async def _follow(self, pending: Pending) -> bytes:
        """Look up the host name at the end of an answer, and add its addresses."""
        answer = pending.answer
        assert answer is not None
        name = host_name(answer.external)
        assert name is not None, "the zone made an alias of it"
        kind = AAAA if pending.query.kind == AAAA else A
        question = name + kind.to_bytes(2) + CLASS_IN.to_bytes(2)
        query = Query(0, 0, question, labels_of(answer.external), kind)
        reply = await self._recursor.ask(query)
        if reply is None:
            return self._answering.failed(pending)
        try:
            found = chain_untrusted(reply, question)
        except WireError:
            return self._answering.failed(pending)
        rcode = NXDOMAIN if is_denial(reply) else answer.rcode
        pieces = (*answer.pieces, *map(Piece, found))
        more = replace(answer, rcode=rcode, pieces=pieces)
        return self._answering.completed(pending, more)
