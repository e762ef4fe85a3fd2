"""Connecting to what is checked: names are looked up by a few threads of our own.

A resolver that hangs would otherwise take the threads that write the snapshot
and the keys, one with each run of a check.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio

from gossipd.agent.system_errors import reason_of

LOOKUPS_MAX = 8
"""Names that are looked up at a time, also those that nobody waits for any more."""
ADDRESSES_MAX = 4
"""Of one name, tried in their order."""
FIRST_TRY = 1.0
"""Seconds for each address but the last: the first may lead nowhere."""

Dial: TypeAlias = Callable[[str, int], Awaitable[trio.abc.Stream]]
"""Opens a stream to host and port; raises ``OSError`` with a reason to show."""


class Dialler:
    """Opens TCP streams for checks; the caller bounds the time."""

    def __init__(self) -> None:
        self._lookups = trio.CapacityLimiter(LOOKUPS_MAX)

    async def dial(self, host: str, port: int) -> trio.abc.Stream:
        """Return a stream to ``host``, a name or an IP.

        Raises:
            OSError: it has no address, or none of them answers.
        """
        addresses = await self._addresses(host, port)
        failure = OSError("no address answers")
        for at, (family, sockaddr) in enumerate(addresses, 1):
            limit = math.inf if at == len(addresses) else FIRST_TRY
            with trio.move_on_after(limit):
                try:
                    return await _connect(family, sockaddr)
                except OSError as error:
                    failure = OSError(reason_of(error))
        raise failure

    async def _addresses(self, host: str, port: int) -> list[tuple[int, tuple[object, ...]]]:
        def look_up() -> list[tuple[int, tuple[object, ...]]]:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            return [(entry[0], entry[4]) for entry in found]

        if _is_ip(host):
            return look_up()[:1]
        try:
            found = await trio.to_thread.run_sync(
                look_up, abandon_on_cancel=True, limiter=self._lookups
            )
        except UnicodeError as error:  # a label that is too long
            raise OSError(f"{host!r} is no host name") from error
        except OSError as error:
            raise OSError(reason_of(error)) from error
        return list(dict.fromkeys(found))[:ADDRESSES_MAX]


def _is_ip(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False


async def _connect(family: int, sockaddr: tuple[object, ...]) -> trio.abc.Stream:
    connection = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        await connection.connect(sockaddr)
    except BaseException:
        connection.close()
        raise
    return trio.SocketStream(connection)
