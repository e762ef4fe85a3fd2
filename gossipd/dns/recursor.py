"""``Recursor``: asks other resolvers for names that are not ours (dns.md, section 7).

Each question goes out from a socket of its own, so from a random port, with a random
id. By UDP first, by TCP if that was truncated. There are only so many under way at
a time; what comes above that is refused at once and asks again later.

The same question is asked once at a time, and whoever has it meanwhile gets that reply.
Many copies of a question would make it easy to hit the id of one (RFC 5452, section 5);
and where a resolver that we ask asks us again, the question goes round once and not until
all that may be under way is taken.
"""

from __future__ import annotations

import socket
from random import Random

import trio

from gossipd.address import Address, address_from_host, split_host_port
from gossipd.config.faces import DNS_PORT, DnsConfig
from gossipd.dns.kinds import HEADER_BYTES
from gossipd.dns.message import Query
from gossipd.dns.upstream import is_reply, is_truncated, is_useless, question_for
from gossipd.ledger import Ledger

IN_FLIGHT_MAX = 256
DATAGRAM_BYTES_MAX = 65535
FORGED_MAX = 64
"""Datagrams that are no reply to the question: after so many the wait for one is given up."""
FORWARDED, FAILED = "gossipd.dns.forwarded", "gossipd.dns.upstream.failed"
BUSY, FORGED = "gossipd.dns.dropped.busy", "gossipd.dns.upstream.ignored"


class _Asked:
    """One question that is under way."""

    __slots__ = ("is_over", "reply")

    def __init__(self) -> None:
        self.is_over = trio.Event()
        self.reply: bytes | None = None


class Recursor:
    """The configured resolvers.

    Args:
        config: of the face.
        ledger: where is counted what becomes of questions.
        random: the system's; ids that can be guessed can be answered by anybody.
    """

    def __init__(self, config: DnsConfig, ledger: Ledger, random: Random) -> None:
        self._upstreams = [
            address_from_host(*split_host_port(text, DNS_PORT)) for text in config.recursors
        ]
        self._timeout = config.recursor_timeout
        self._is_random = config.recursor_strategy == "random"
        self._ledger = ledger
        self._random = random
        self._in_flight = 0
        self._asked: dict[tuple[bytes, ...], _Asked] = {}
        self._sockets: set[Address] = set()
        """Where our own questions by UDP come from."""

    @property
    def is_busy(self) -> bool:
        """Whether another question has to wait for one of those under way."""
        return self._in_flight >= IN_FLIGHT_MAX

    def is_asking_from(self, host: str, port: int) -> bool:
        """Return whether one of our own questions is under way from this address."""
        return bool(self._sockets) and address_from_host(host, port) in self._sockets

    async def ask(self, query: Query) -> bytes | None:
        """Return the reply of the first resolver that has one; ``None`` if none has."""
        if self.is_busy:
            self._ledger.count(BUSY)
            return None
        # what goes upstream but for its id, whichever way the name is spelled
        message = question_for(0, query)
        end = HEADER_BYTES + len(query.question)
        key = message[:HEADER_BYTES], query.question[:-4].lower(), message[end - 4 :]
        asked = self._asked.get(key)
        self._in_flight += 1
        try:
            if asked is not None:
                await asked.is_over.wait()
                return asked.reply
            asked = self._asked[key] = _Asked()
            try:
                asked.reply = await self._ask(query)
            finally:
                del self._asked[key]
                asked.is_over.set()
            return asked.reply
        finally:
            self._in_flight -= 1

    async def _ask(self, query: Query) -> bytes | None:
        self._ledger.count(FORWARDED)
        for upstream in self._in_order():
            reply = await self._reply_of(upstream, query)
            if reply is not None and not is_useless(reply):
                return reply
            self._ledger.count(FAILED)
        return None

    def _in_order(self) -> list[Address]:
        if not self._is_random:
            return self._upstreams
        return self._random.sample(self._upstreams, len(self._upstreams))

    async def _reply_of(self, upstream: Address, query: Query) -> bytes | None:
        id = self._random.getrandbits(16)
        message = question_for(id, query)
        reply = None
        try:
            with trio.move_on_after(self._timeout):
                reply = await self._by_udp(upstream, message, id, query.question)
            if reply is not None and is_truncated(reply):
                with trio.move_on_after(self._timeout):
                    reply = await self._by_tcp(upstream, message, id, query.question) or reply
        except OSError:
            return reply  # nobody listens there, or there is no way to it
        return reply

    async def _by_udp(
        self, upstream: Address, message: bytes, id: int, question: bytes
    ) -> bytes | None:
        family = socket.AF_INET if len(upstream.ip) == 4 else socket.AF_INET6
        with trio.socket.socket(family, socket.SOCK_DGRAM) as sock:
            await sock.connect((upstream.host, upstream.port))
            own = address_from_host(*sock.getsockname()[:2])
            self._sockets.add(own)
            try:
                await sock.send(message)
                for _ in range(FORGED_MAX):
                    reply = await sock.recv(DATAGRAM_BYTES_MAX)
                    if is_reply(reply, id, question):
                        return reply
                    self._ledger.count(FORGED)
            finally:
                self._sockets.discard(own)
        return None

    async def _by_tcp(
        self, upstream: Address, message: bytes, id: int, question: bytes
    ) -> bytes | None:
        try:
            async with await trio.open_tcp_stream(upstream.host, upstream.port) as stream:
                await stream.send_all(len(message).to_bytes(2) + message)
                received = bytearray()
                while len(received) < 2 or len(received) < 2 + int.from_bytes(received[:2]):
                    more = await stream.receive_some(DATAGRAM_BYTES_MAX)
                    if not more:
                        return None
                    received += more
        except trio.BrokenResourceError:
            return None
        reply = bytes(received[2 : 2 + int.from_bytes(received[:2])])
        return reply if is_reply(reply, id, question) else None
