"""Queries by UDP: read in bounded batches from the raw socket, answered at once."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import trio

from gossipd.dns.answering import DROPPED, LATENCY, Answering, Pending
from gossipd.dns.defects import Defects
from gossipd.ledger import Ledger

if TYPE_CHECKING:
    from gossipd.dns.forwarding import Forwarding

DATAGRAM_BYTES_MAX = 4096
"""Of a query; what is longer is cut off and refused as malformed."""
LOOPS = "gossipd.dns.upstream.loops"
"""Counted: questions that we asked and that came back to us."""
READS_PER_WAKE = 64
"""Queries answered before other tasks get their turn."""
SECONDS_PER_WAKE = 0.01
"""Time after which they get it in any case: an answer of many instances takes its time."""
_IP_PKTINFO = 8
"""Linux's; Python names only the one of IPv6."""
_IN_PKTINFO = struct.Struct("@i4s4s")
_NOTES_SPACE = 64
_Note: TypeAlias = "tuple[int, int, bytes]"
"""Level, type and data that go along with a datagram."""


class Datagrams:
    """One bound UDP socket."""

    def __init__(
        self,
        bound: socket.socket,
        answering: Answering,
        forwarding: Forwarding | None,
        ledger: Ledger,
        defects: Defects,
    ) -> None:
        bound.setblocking(False)
        self._socket = bound
        self._receive: Callable[[int], tuple[bytes, Any]] = bound.recvfrom
        self._note: _Note | None = None
        if bound.getsockname()[0] in ("0.0.0.0", "::"):
            self._notice_destination()
        self._answering = answering
        self._forwarding = forwarding
        self._ledger = ledger
        self._defects = defects

    def _notice_destination(self) -> None:
        """Bound to all addresses, answer from the one that was asked, for a resolver takes no
        other's reply.
        """
        if self._socket.family == socket.AF_INET6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        self._receive = self._receive_noted

    def _receive_noted(self, size: int) -> tuple[bytes, Any]:
        data, notes, _flags, source = self._socket.recvmsg(size, _NOTES_SPACE)
        self._note = None
        for level, kind, value in notes:
            if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
                _interface, local, _destination = _IN_PKTINFO.unpack(value)
                self._note = level, kind, _IN_PKTINFO.pack(0, local, bytes(4))
            elif (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
                self._note = level, kind, value
        return data, source

    async def run(self) -> NoReturn:
        """Answer until cancelled; closes the socket at the end."""
        with self._socket:
            async with trio.open_nursery() as nursery:
                while True:
                    await trio.lowlevel.wait_readable(self._socket)
                    self._answer_some(nursery)
        raise AssertionError("only cancelling ends it")

    def _answer_some(self, nursery: trio.Nursery) -> None:
        receive, clock, measure = self._receive, trio.current_time, self._ledger.measure
        before = clock()
        turn_ends = before + SECONDS_PER_WAKE
        for _ in range(READS_PER_WAKE):
            try:
                data, source = receive(DATAGRAM_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EBADF, errno.ENOTSOCK):
                    raise
                continue  # an ICMP answer to a reply sent earlier; the socket is still good
            try:
                reply = self._answering.datagram(data, source[0])
            except Exception:
                reply = self._defects.answer(data, source[0])
            if isinstance(reply, Pending):
                self._pass_on(reply, source, before, nursery)
            elif reply is not None:
                self._send(reply, source, self._note)
            now = clock()
            if not isinstance(reply, Pending):
                measure(LATENCY, 1000 * (now - before))
            before = now
            if now >= turn_ends:
                return

    def _pass_on(self, pending: Pending, source: Any, since: float, nursery: trio.Nursery) -> None:
        forwarding = self._forwarding
        assert forwarding is not None, "nothing is pending without recursors"
        if forwarding.is_own(*source[:2]):
            self._ledger.count(LOOPS)
            self._defects.tell_loop()
            self._send(forwarding.fail(pending), source, self._note)
        elif forwarding.is_busy:
            self._ledger.count(DROPPED + "busy")
            self._send(forwarding.fail(pending), source, self._note)
        else:
            nursery.start_soon(self._forward, forwarding, pending, source, since, self._note)

    async def _forward(
        self,
        forwarding: Forwarding,
        pending: Pending,
        source: Any,
        since: float,
        note: _Note | None,
    ) -> None:
        try:
            reply = await forwarding.complete(pending)
        except Exception:
            self._defects.answer(pending.query.question, source[0])
            reply = forwarding.fail(pending)
        self._send(reply, source, note)
        self._ledger.measure(LATENCY, 1000 * (trio.current_time() - since))

    def _send(self, reply: bytes, to: Any, note: _Note | None) -> None:
        try:
            if note is None:
                self._socket.sendto(reply, to)
            else:
                self._socket.sendmsg([reply], [note], 0, to)
        except OSError:
            # no room or no route: a resolver asks again
            self._ledger.count(DROPPED + "unsent")
