"""statsd by UDP and statsite by TCP (agent.md, section 9).

A sink that is away, slow or gone never holds the daemon up: intervals wait in a
short backlog, and what does not fit there is counted and lost. Of an interval
that was begun nothing is sent again, for its counters would count twice.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NoReturn, Protocol

import trio

from gossipd.address import split_host_port
from gossipd.metrics.interval import Interval
from gossipd.metrics.reading import INTERVAL
from gossipd.metrics.statsd import datagrams_of, lines_of

BACKLOG_MAX = 6
"""Intervals that wait for a sink which is away: a minute."""
CONNECT_TIMEOUT = 5.0
SEND_TIMEOUT = 5.0
"""Seconds for one interval."""
RETRY_MIN = 1.0
RETRY_MAX = INTERVAL
"""Seconds between tries to connect; they double from one to the other."""
COMPLAINT_PAUSE = 600.0
"""Seconds between two log lines about one sink."""


class Connection(Protocol):
    """The way to one sink, open."""

    async def send(self, data: bytes) -> None:
        """Send one piece: a datagram, or a part of a stream.

        Raises:
            OSError, trio.BrokenResourceError: it did not get away.
        """

    async def wait_until_gone(self) -> None:
        """Return when the sink has ended the connection; never where it cannot."""

    async def aclose(self) -> None:
        """Close at once."""


Connect = Callable[[str, int], Awaitable[Connection]]
"""Opens the way to host and port; raises ``OSError``."""


class Sending:
    """One sink: what is sent to it, and how it fares.

    Args:
        kind: ``statsd`` or ``statsite``.
        address: of the sink, ``host:port``.
        host: our own, for gauges.
        split: makes the pieces that are sent of an interval's lines.
        connect: opens the way.
        say: logs, with a level and a text.
    """

    def __init__(
        self,
        kind: str,
        address: str,
        host: str,
        split: Callable[[Iterable[bytes]], Iterable[bytes]],
        connect: Connect,
        say: Callable[[str, str], None],
    ) -> None:
        self._kind = kind
        self._address = address
        self._host = host
        self._split = split
        self._connect = connect
        self._say = say
        self._backlog: deque[tuple[bytes, ...]] = deque()
        self._has_work = trio.Event()
        self._moved = trio.Event()
        self._is_sending = False
        self._is_away = False
        self._lost = 0
        self._complained_at = -COMPLAINT_PAUSE

    @property
    def lost(self) -> Mapping[str, int]:
        """Lines that could not be sent, since the start."""
        return {f"{self._kind}-lines": self._lost} if self._lost else {}

    def take(self, interval: Interval) -> None:
        """Send ``interval`` soon; the oldest that waits makes room for it."""
        if len(self._backlog) >= BACKLOG_MAX:
            self._lose(self._backlog.popleft())
        self._backlog.append(tuple(self._split(lines_of(interval, self._host))))
        self._has_work.set()

    async def finish(self) -> None:
        """Wait until everything is sent, unless the sink is away; the caller sets a limit."""
        while (self._backlog or self._is_sending) and not self._is_away:
            await self._moved.wait()

    def _move(self) -> None:
        self._moved.set()
        self._moved = trio.Event()

    async def run(self) -> NoReturn:
        """Send what is taken; for ever."""
        pause = RETRY_MIN
        while True:
            await self._has_work.wait()
            connection = await self._open()
            self._is_away = connection is None
            self._move()
            if connection is None:
                await trio.sleep(pause)
                pause = min(2 * pause, RETRY_MAX)
                continue
            pause = RETRY_MIN
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_cancel_when_gone, connection, nursery.cancel_scope)
                    await self._send_while_it_works(connection)
                    nursery.cancel_scope.cancel()
            finally:
                with trio.CancelScope(shield=True):
                    await connection.aclose()
            await trio.sleep(pause)

    async def _open(self) -> Connection | None:
        host, port = split_host_port(self._address, 0)
        try:
            with trio.fail_after(CONNECT_TIMEOUT):
                return await self._connect(host, port)
        except OSError as error:
            self._complain(error.strerror or str(error))
        except trio.TooSlowError:
            self._complain(f"no connection within {CONNECT_TIMEOUT:g}s")
        return None

    async def _send_while_it_works(self, connection: Connection) -> None:
        while True:
            await self._has_work.wait()
            pieces = deque(self._backlog.popleft())
            self._is_sending = True
            if not self._backlog:
                self._has_work = trio.Event()
            try:
                with trio.fail_after(SEND_TIMEOUT):
                    while pieces:
                        await connection.send(pieces[0])
                        pieces.popleft()
            except OSError as error:
                self._complain(error.strerror or str(error))
                return
            except trio.BrokenResourceError:
                self._complain("the connection broke")
                return
            except trio.TooSlowError:
                self._complain(f"it reads too slowly: nothing sent for {SEND_TIMEOUT:g}s")
                return
            finally:
                self._lose(pieces)
                self._is_sending = False
                self._move()

    def _lose(self, pieces: Iterable[bytes]) -> None:
        self._lost += sum(piece.count(b"\n") for piece in pieces)

    def _complain(self, reason: str) -> None:
        now = trio.current_time()
        if now >= self._complained_at + COMPLAINT_PAUSE:
            self._complained_at = now
            self._say("WARN", f"agent: {self._kind} {self._address}: {reason}; metrics are lost")


async def _cancel_when_gone(connection: Connection, scope: trio.CancelScope) -> None:
    await connection.wait_until_gone()
    scope.cancel()


class Datagrams:
    """A connected UDP socket; datagrams go to the kernel at once or are refused."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    async def send(self, data: bytes) -> None:
        """Send one datagram; see ``Connection.send``."""
        await trio.lowlevel.checkpoint()
        self._socket.send(data)

    async def wait_until_gone(self) -> None:
        """Wait for ever: nobody ends what never began."""
        await trio.sleep_forever()

    async def aclose(self) -> None:
        """Close the socket."""
        self._socket.close()


class Stream:
    """A stream; what the sink may say is read away."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def send(self, data: bytes) -> None:
        """Send a part; see ``Connection.send``."""
        await self._stream.send_all(data)

    async def wait_until_gone(self) -> None:
        """Return when the sink closes the stream, or it breaks."""
        try:
            while await self._stream.receive_some(1024):
                pass
        except trio.BrokenResourceError:
            return

    async def aclose(self) -> None:
        """Close it without waiting."""
        await trio.aclose_forcefully(self._stream)


async def connect_datagrams(host: str, port: int) -> Connection:
    """Return a UDP socket for ``host`` and ``port``, looked up anew.

    Raises:
        OSError: the name is unknown, or no route leads there.
    """
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    family, kind, protocol, _, sockaddr = found[0]
    connected = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    try:
        connected.connect(sockaddr)
    except BaseException:
        connected.close()
        raise
    return Datagrams(connected)


async def connect_stream(host: str, port: int) -> Connection:
    """Return a TCP connection to ``host`` and ``port``.

    Raises:
        OSError: nobody listens there.
    """
    return Stream(await trio.open_tcp_stream(host, port))


def sinks_of(
    statsd: str, statsite: str, host: str, say: Callable[[str, str], None]
) -> list[Sending]:
    """Return the sinks that have an address, not running yet."""
    sinks = []
    if statsd:
        sinks.append(Sending("statsd", statsd, host, datagrams_of, connect_datagrams, say))
    if statsite:
        sinks.append(Sending("statsite", statsite, host, _in_one, connect_stream, say))
    return sinks


def _in_one(lines: Iterable[bytes]) -> Iterable[bytes]:
    return (b"".join(lines),)
