"""``Departures``: who notices that a client hung up while its request waits.

One epoll for all of them, asked only for the end of what a client sends (``EPOLLRDHUP``): a
request that the client sent ahead stays unread and wakes nobody, and a client that waits
costs no task of its own.
"""

from __future__ import annotations

import select
from collections.abc import Callable

import trio

WATCHED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
BATCH = 256


class Departures:
    """Watches descriptors until their clients are gone."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._gone: dict[int, Callable[[bool], object]] = {}

    def watch(self, descriptor: int, gone: Callable[[bool], object]) -> None:
        """Call ``gone`` once when the client of ``descriptor`` has hung up.

        It is told whether that is certain: who has only ended its own side may still read.
        """
        self._epoll.register(descriptor, WATCHED)
        self._gone[descriptor] = gone

    def forget(self, descriptor: int) -> None:
        """Watch it no more; must be said before the descriptor is closed."""
        if self._gone.pop(descriptor, None) is not None and not self._epoll.closed:
            self._epoll.unregister(descriptor)

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                for descriptor, seen in self._epoll.poll(0, BATCH):
                    gone = self._gone.pop(descriptor, None)
                    if gone is not None:
                        self._epoll.unregister(descriptor)
                        gone(bool(seen & ~select.EPOLLRDHUP))
        finally:
            self._epoll.close()
