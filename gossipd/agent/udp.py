"""The gossip socket: ``PacketPort`` on a real UDP socket (gossip.md, section 1).

One ``wait_readable``, then a bounded loop of non-blocking reads on the raw
socket; sends go straight to the kernel. Only when its buffer is full does a
datagram wait in a short backlog, and what does not fit there is dropped and
counted: gossip is told again anyway.
"""

from __future__ import annotations

import errno
import socket
from collections import Counter, deque
from typing import NoReturn

import trio

from gossipd.address import Address
from gossipd.agent.ports import Deliver
from gossipd.agent.sockaddr import SockAddrs, address_of, family_of
from gossipd.agent.system_errors import reason_of
from gossipd.errors import ConfigError

DATAGRAM_BYTES_MAX = 65536
RECEIVE_BUFFER_BYTES = 2 * 1024 * 1024
RECEIVE_BUFFER_BYTES_MIN = 64 * 1024
READS_PER_WAKE = 64
"""Datagrams read before other tasks get their turn."""
SECONDS_PER_WAKE = 0.02
"""Time after which they get it in any case: a hostile datagram can cost as much as thousands."""
BACKLOG_MAX = 256
LISTEN_BACKLOG = 128
_BIND_TRIES = 16


class UdpPort:
    """A bound UDP socket."""

    def __init__(self, bound: socket.socket) -> None:
        bound.setblocking(False)
        _enlarge_receive_buffer(bound)
        self._socket = bound
        self._sockaddrs = SockAddrs(bound.family)
        self._backlog: deque[tuple[bytes, Address]] = deque()
        self._has_backlog = trio.Event()
        self.lost: Counter[str] = Counter()
        """Datagrams that could not be sent or read, since the start."""

    @property
    def address(self) -> Address:
        """The address the socket is bound to."""
        return address_of(self._socket.getsockname())

    def send(self, data: bytes, to: Address) -> None:
        """Send at once, or when the socket has room; what cannot be sent is counted."""
        if self._backlog or not self._try_send(data, to):
            if len(self._backlog) >= BACKLOG_MAX:
                self.lost["datagrams-unsent"] += 1
                return
            self._backlog.append((data, to))
            self._has_backlog.set()

    def _try_send(self, data: bytes, to: Address) -> bool:
        """Return False when the kernel's buffer is full; any other failure loses the datagram."""
        try:
            self._socket.sendto(data, self._sockaddrs.sockaddr(to))
        except BlockingIOError:
            return False
        except OSError:
            # no route, no permission, too long: the peer will look silent, and be probed so
            self.lost["datagrams-unsent"] += 1
        return True

    async def run(self, deliver: Deliver) -> NoReturn:
        """Hand every datagram to ``deliver`` until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send_backlog)
            await self._receive(deliver)
        raise AssertionError("the receive loop only ends when cancelled")

    async def _receive(self, deliver: Deliver) -> NoReturn:
        receive, address = self._socket.recvfrom, self._sockaddrs.address
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            turn_ends = trio.current_time() + SECONDS_PER_WAKE
            for _ in range(READS_PER_WAKE):
                try:
                    data, sockaddr = receive(DATAGRAM_BYTES_MAX)
                except BlockingIOError:
                    break
                except OSError as error:
                    if error.errno in (errno.EBADF, errno.ENOTSOCK):
                        raise
                    # an ICMP answer to something sent earlier; the socket is still good
                    self.lost["receive-errors"] += 1
                    continue
                deliver(data, address(sockaddr))
                if trio.current_time() >= turn_ends:
                    break

    async def _send_backlog(self) -> NoReturn:
        while True:
            await self._has_backlog.wait()
            await trio.lowlevel.wait_writable(self._socket)
            while self._backlog and self._try_send(*self._backlog[0]):
                self._backlog.popleft()
            if not self._backlog:
                self._has_backlog = trio.Event()

    def close(self) -> None:
        """Close the socket."""
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()


def bind_both(what: str, at: Address) -> tuple[socket.socket, socket.socket]:
    """Bind UDP and TCP to one port; port 0 takes one that is free for both.

    Args:
        what: how errors call the address.
        at: where.

    Returns:
        The UDP socket and the listening TCP socket, both non-blocking.

    Raises:
        ConfigError: the address is in use or not of this machine.
    """
    tries = _BIND_TRIES if at.port == 0 else 1
    for attempt in range(tries):
        listener = _bound(what, socket.SOCK_STREAM, at)
        chosen = Address(at.ip, listener.getsockname()[1])
        try:
            return _bound(what, socket.SOCK_DGRAM, chosen), listener
        except ConfigError:
            listener.close()
            if attempt == tries - 1:
                raise
    raise AssertionError("unreachable: the last try returns or raises")


def _bound(what: str, kind: socket.SocketKind, at: Address) -> socket.socket:
    bound = socket.socket(family_of(at.ip), kind)
    try:
        bound.setblocking(False)
        if bound.family == socket.AF_INET6:
            # [::] also serves IPv4, as the reference does
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((at.host, at.port))
        if kind == socket.SOCK_STREAM:
            bound.listen(LISTEN_BACKLOG)
    except OSError as error:
        bound.close()
        transport = "tcp" if kind == socket.SOCK_STREAM else "udp"
        raise ConfigError(f"cannot bind {what} {at} ({transport}): {reason_of(error)}") from error
    return bound


def _enlarge_receive_buffer(bound: socket.socket) -> None:
    """Ask for a large kernel buffer, halving until the kernel agrees."""
    size = RECEIVE_BUFFER_BYTES
    while size >= RECEIVE_BUFFER_BYTES_MIN:
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        except OSError:
            size //= 2
        else:
            return
