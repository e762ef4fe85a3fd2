"""What the driver needs of the machine: a datagram socket and streams.

``PacketPort`` and ``StreamPort`` are kept by ``udp.py`` and ``streams.py`` on
real sockets, and by the in-memory network of the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn, Protocol, TypeAlias

import trio

from gossipd.address import Address

Deliver: TypeAlias = Callable[[bytes, Address], None]
"""Takes one datagram and where it came from; must not block."""


class PacketPort(Protocol):
    """One bound datagram socket."""

    @property
    def lost(self) -> Mapping[str, int]:
        """Datagrams that could not be sent or read, by kind."""

    def send(self, data: bytes, to: Address) -> None:
        """Send at once, or when the socket has room; what cannot be sent is counted."""

    async def run(self, deliver: Deliver) -> NoReturn:
        """Hand every datagram to ``deliver`` until cancelled."""

    def close(self) -> None:
        """Close the socket."""


class StreamPort(Protocol):
    """A listener and a dialler."""

    async def accept(self) -> tuple[trio.abc.HalfCloseableStream, Address]:
        """Wait for the next stream that a peer opened.

        Raises:
            OSError: none could be accepted now; trying again later may work.
        """

    async def dial(self, to: Address) -> trio.abc.HalfCloseableStream:
        """Open a stream; the caller sets the time limit.

        Raises:
            OSError: the peer cannot be reached.
        """

    def close(self) -> None:
        """Stop listening."""
