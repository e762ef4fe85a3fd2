"""Queries by UDP: read in bounded batches from the raw socket, answered at once."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, NoReturn

import trio

from gossipd.dns.answering import DROPPED, LATENCY, Answering, Pending
from gossipd.ledger import Ledger

if TYPE_CHECKING:
    from gossipd.dns.forwarding import Forwarding

DATAGRAM_BYTES_MAX = 4096
"""Of a query; what is longer is cut off and refused as malformed."""
READS_PER_WAKE = 64
"""Queries answered before other tasks get their turn."""
SECONDS_PER_WAKE = 0.01
"""Time after which they get it in any case: an answer of many instances takes its time."""


class Datagrams:
    """One bound UDP socket."""

    def __init__(
        self,
        bound: socket.socket,
        answering: Answering,
        forwarding: Forwarding | None,
        ledger: Ledger,
    ) -> None:
        bound.setblocking(False)
        self._socket = bound
        self._answering = answering
        self._forwarding = forwarding
        self._ledger = ledger

    async def run(self) -> NoReturn:
        """Answer until cancelled; closes the socket at the end."""
        with self._socket:
            async with trio.open_nursery() as nursery:
                while True:
                    await trio.lowlevel.wait_readable(self._socket)
                    self._answer_some(nursery)
        raise AssertionError("only cancelling ends it")

    def _answer_some(self, nursery: trio.Nursery) -> None:
        receive, clock, measure = self._socket.recvfrom, trio.current_time, self._ledger.measure
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
            reply = self._answering.datagram(data, source[0])
            if isinstance(reply, Pending):
                self._pass_on(reply, source, before, nursery)
            elif reply is not None:
                self._send(reply, source)
            now = clock()
            measure(LATENCY, 1000 * (now - before))
            before = now
            if now >= turn_ends:
                return

    def _pass_on(
        self, pending: Pending, source: tuple[object, ...], since: float, nursery: trio.Nursery
    ) -> None:
        forwarding = self._forwarding
        assert forwarding is not None, "nothing is pending without recursors"
        if forwarding.is_busy:
            self._ledger.count(DROPPED + "busy")
            self._send(forwarding.fail(pending), source)
        else:
            nursery.start_soon(self._forward, forwarding, pending, source, since)

    async def _forward(
        self, forwarding: Forwarding, pending: Pending, source: tuple[object, ...], since: float
    ) -> None:
        self._send(await forwarding.complete(pending), source)
        self._ledger.measure(LATENCY, 1000 * (trio.current_time() - since))

    def _send(self, reply: bytes, to: tuple[object, ...]) -> None:
        try:
            self._socket.sendto(reply, to)
        except OSError:
            # no room or no route: a resolver asks again
            self._ledger.count(DROPPED + "unsent")
