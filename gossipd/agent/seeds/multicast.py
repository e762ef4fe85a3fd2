"""Sockets for mDNS: the group on every interface, IPv4 and IPv6 (Linux).

Questions go out from a port of our own and are answered there by unicast, so
that other responders of the machine (avahi, a serf agent) do not get our
answers. What others ask and announce comes in on sockets bound to the group's
address: no unicast from elsewhere reaches those. Answers leave from them,
because RFC 6762 (section 6) wants port 5353 as their source.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol, TypeAlias

import trio

from gossipd.agent.interfaces import Interface, interfaces
from gossipd.agent.seeds.mdns_messages import MESSAGE_BYTES_MAX

MDNS_PORT = 5353
GROUP_4 = "224.0.0.251"
GROUP_6 = "ff02::fb"
SocketAddress: TypeAlias = "tuple[str, int] | tuple[str, int, int, int]"
Take: TypeAlias = Callable[[bytes, SocketAddress], None]
"""Takes one message and where it came from; must not block."""


class GroupPort(Protocol):
    """How mDNS messages come and go; kept by ``MulticastPort`` and by the tests."""

    @property
    def lost(self) -> Mapping[str, int]:
        """Messages that could not be sent, by kind."""

    def refresh(self) -> int:
        """Take part on interfaces that are new; returns on how many we do."""

    def ask(self, data: bytes) -> None:
        """Send a question to the group on every interface."""

    def tell(self, data: bytes) -> None:
        """Send an answer to the group on every interface."""

    def reply(self, data: bytes, to: SocketAddress) -> None:
        """Send an answer to one."""

    async def run(self, take: Take) -> None:
        """Hand every message to ``take`` until cancelled."""

    def close(self) -> None:
        """Leave the group."""


class MulticastPort:
    """The group on real sockets.

    Args:
        interface: the only one to use, or empty for all that have multicast.
        families: address families to use.
    """

    def __init__(self, interface: str, families: tuple[socket.AddressFamily, ...]) -> None:
        self.lost: dict[str, int] = {}
        self._interface = interface
        self._families = families
        self._asking: dict[socket.AddressFamily, trio.socket.SocketType] = {}
        self._telling: dict[tuple[int, socket.AddressFamily], trio.socket.SocketType] = {}
        self._take: Take | None = None
        self._nursery: trio.Nursery | None = None

    def refresh(self) -> int:
        """Take part on interfaces that are new; returns on how many we do."""
        present = [found for found in interfaces() if self._is_used(found)]
        for family in self._families:
            if family not in self._asking:
                with suppress(OSError):  # a kernel without that family
                    self._asking[family] = self._keep(_asking_socket(family))
        for key in list(self._telling):
            if key[0] not in {found.index for found in present}:
                self._telling.pop(key).close()
        for found in present:
            for family in self._families:
                if (found.index, family) not in self._telling and _has(found, family):
                    try:
                        opened = _group_socket(family, found.index)
                    except OSError:
                        self._count("mdns-interfaces-refused")
                    else:
                        self._telling[found.index, family] = self._keep(opened)
        return len({index for index, _ in self._telling})

    def _is_used(self, found: Interface) -> bool:
        return found.has_multicast and self._interface in ("", found.name)

    def ask(self, data: bytes) -> None:
        """Send a question to the group on every interface."""
        for index, family in self._telling:
            asking = self._asking.get(family)
            if asking is not None:
                _choose(asking, family, index)
                self._send(asking, data, _group(family, index))

    def tell(self, data: bytes) -> None:
        """Send an answer to the group on every interface."""
        for (index, family), telling in self._telling.items():
            self._send(telling, data, _group(family, index))

    def reply(self, data: bytes, to: SocketAddress) -> None:
        """Send an answer to one."""
        family = socket.AF_INET if len(to) == 2 else socket.AF_INET6
        for (index, own), telling in self._telling.items():
            if own == family and (len(to) == 2 or to[3] in (0, index)):
                self._send(telling, data, to)
                return

    async def run(self, take: Take) -> None:
        """Hand every message to ``take`` until cancelled."""
        self._take = take
        async with trio.open_nursery() as self._nursery:
            for opened in (*self._asking.values(), *self._telling.values()):
                self._nursery.start_soon(self._listen, opened)
            await trio.sleep_forever()

    def close(self) -> None:
        """Leave the group."""
        for opened in (*self._asking.values(), *self._telling.values()):
            opened.close()

    def _keep(self, opened: socket.socket) -> trio.socket.SocketType:
        wrapped = trio.socket.from_stdlib_socket(opened)
        if self._nursery is not None:
            self._nursery.start_soon(self._listen, wrapped)
        return wrapped

    async def _listen(self, opened: trio.socket.SocketType) -> None:
        take = self._take
        assert take is not None, "run() comes first"
        while True:
            try:
                data, source = await opened.recvfrom(MESSAGE_BYTES_MAX + 1)
            except trio.ClosedResourceError:
                return  # its interface has gone
            except OSError:
                self._count("mdns-read-errors")
                await trio.sleep(1.0)
                continue
            take(data, source)

    def _send(self, by: trio.socket.SocketType, data: bytes, to: SocketAddress) -> None:
        # one datagram of a seldom task: when the socket has no room it may as well be lost
        try:
            raw = socket.socket(fileno=by.fileno())
            try:
                raw.sendto(data, socket.MSG_DONTWAIT, to)
            finally:
                raw.detach()
        except OSError:
            self._count("mdns-unsent")

    def _count(self, kind: str) -> None:
        self.lost[kind] = self.lost.get(kind, 0) + 1


def _has(found: Interface, family: socket.AddressFamily) -> bool:
    wanted = 4 if family == socket.AF_INET else 16
    return any(len(ip) == wanted for ip in found.addresses)


def _group(family: socket.AddressFamily, index: int) -> SocketAddress:
    return (GROUP_4, MDNS_PORT) if family == socket.AF_INET else (GROUP_6, MDNS_PORT, 0, index)


def _choose(by: trio.socket.SocketType, family: socket.AddressFamily, index: int) -> None:
    """Let the next datagram of ``by`` to a group leave on one interface."""
    if family == socket.AF_INET:
        choice = struct.pack("=4s4si", bytes(4), bytes(4), index)
        by.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, choice)
    else:
        by.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)


def _asking_socket(family: socket.AddressFamily) -> socket.socket:
    opened = _socket(family)
    try:
        opened.bind(("", 0) if family == socket.AF_INET else ("::", 0))
    except BaseException:
        opened.close()
        raise
    return opened


def _group_socket(family: socket.AddressFamily, index: int) -> socket.socket:
    """Return a socket that is a member of the group on one interface, and sends there."""
    opened = _socket(family)
    try:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            opened.setsockopt(socket.SOL_SOCKET, option, 1)
        opened.bind(_group(family, index))
        if family == socket.AF_INET:
            member = struct.pack("=4s4si", socket.inet_aton(GROUP_4), bytes(4), index)
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            # without this every membership of the machine would deliver here
            opened.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
            choice = struct.pack("=4s4si", bytes(4), bytes(4), index)
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, choice)
        else:
            member = struct.pack("=16si", socket.inet_pton(family, GROUP_6), index)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    except BaseException:
        opened.close()
        raise
    return opened


_IP_MULTICAST_ALL = 49


def _socket(family: socket.AddressFamily) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET:
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    else:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    return opened
