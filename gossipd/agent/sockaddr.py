"""Our ``Address`` and the kernel's socket address, for the family of one socket.

Both directions are remembered in bounded dictionaries, because on the packet
path the same few hundred peers come again and again.
"""

from __future__ import annotations

import socket
from typing import TypeAlias

from gossipd.address import Address

SockAddr: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
REMEMBERED_MAX = 4096
_MAPPED = b"\0" * 10 + b"\xff\xff"


class SockAddrs:
    """Translator for one socket of ``family`` (AF_INET or AF_INET6, the latter dual-stack)."""

    __slots__ = ("_by_address", "_by_sockaddr", "_is_v6")

    def __init__(self, family: int) -> None:
        self._is_v6 = family == socket.AF_INET6
        self._by_sockaddr: dict[SockAddr, Address] = {}
        self._by_address: dict[Address, SockAddr] = {}

    def address(self, sockaddr: SockAddr) -> Address:
        """Return where a datagram or stream came from; a mapped IPv4 address as IPv4."""
        known = self._by_sockaddr.get(sockaddr)
        if known is not None:
            return known
        address = address_of(sockaddr)
        if len(self._by_sockaddr) >= REMEMBERED_MAX:
            self._by_sockaddr.clear()
        self._by_sockaddr[sockaddr] = address
        return address

    def sockaddr(self, address: Address) -> SockAddr:
        """Return what the kernel wants for ``address``.

        Raises:
            OSError: the socket's family cannot reach that address.
        """
        known = self._by_address.get(address)
        if known is not None:
            return known
        ip = address.ip
        if len(ip) == 4 and self._is_v6:
            ip = _MAPPED + ip
        if len(ip) != (16 if self._is_v6 else 4):
            raise OSError(f"{address} cannot be reached from this socket's address family")
        sockaddr: SockAddr
        if self._is_v6:
            sockaddr = (socket.inet_ntop(socket.AF_INET6, ip), address.port, 0, 0)
        else:
            sockaddr = (socket.inet_ntop(socket.AF_INET, ip), address.port)
        if len(self._by_address) >= REMEMBERED_MAX:
            self._by_address.clear()
        self._by_address[address] = sockaddr
        return sockaddr


def address_of(sockaddr: SockAddr) -> Address:
    """Return the address in a kernel's socket address; a mapped IPv4 address as IPv4."""
    host = sockaddr[0].partition("%")[0]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ip = socket.inet_pton(family, host)
    if len(ip) == 16 and ip.startswith(_MAPPED):
        ip = ip[12:]
    return Address(ip, sockaddr[1])


def family_of(ip: bytes) -> socket.AddressFamily:
    """Return the socket family for an IP of 4 or 16 bytes."""
    return socket.AF_INET6 if len(ip) == 16 else socket.AF_INET
