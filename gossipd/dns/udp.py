"""Queries by UDP: read in bounded batches from the raw socket, answered at once."""

from __future__ import annotations

import errno
import socket
from typing import NoReturn

import trio

from gossipd.dns.answering import DROPPED, LATENCY, Answering
from gossipd.ledger import Ledger

DATAGRAM_BYTES_MAX = 4096
"""Of a query; what is longer is cut off and refused as malformed."""
READS_PER_WAKE = 64
"""Queries answered before other tasks get their turn."""
SECONDS_PER_WAKE = 0.01
"""Time after which they get it in any case: an answer of many instances takes its time."""


class Datagrams:
    """One bound UDP socket."""

    def __init__(self, bound: socket.socket, answering: Answering, ledger: Ledger) -> None:
        bound.setblocking(False)
        self._socket = bound
        self._answering = answering
        self._ledger = ledger

    async def run(self) -> NoReturn:
        """Answer until cancelled; closes the socket at the end."""
        with self._socket:
            while True:
                await trio.lowlevel.wait_readable(self._socket)
                self._answer_some()

    def _answer_some(self) -> None:
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
            if isinstance(reply, bytes):
                self._send(reply, source)
            now = clock()
            measure(LATENCY, 1000 * (now - before))
            before = now
            if now >= turn_ends:
                return

    def _send(self, reply: bytes, to: tuple[object, ...]) -> None:
        try:
            self._socket.sendto(reply, to)
        except OSError:
            # no room or no route: a resolver asks again
            self._ledger.count(DROPPED + "unsent")
