"""The network interfaces of this machine and all their addresses (Linux).

The standard library names interfaces only; the kernel tells the rest by
netlink (rtnetlink(7)), secondary addresses and IPv6 included.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Iterator

from gossipd.errors import ConfigError
from gossipd.value import Value

_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_NLM_F_REQUEST, _NLM_F_DUMP = 0x1, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_SIOCGIFFLAGS = 0x8913
_IFF_UP, _IFF_LOOPBACK, _IFF_MULTICAST = 0x1, 0x8, 0x1000
_HEADER = struct.Struct("=IHHII")
"""``nlmsghdr``: length, type, flags, sequence, port."""
_ADDRESS = struct.Struct("=BBBBi")
"""``ifaddrmsg``: family, prefix length, flags, scope, interface index."""
_ATTRIBUTE = struct.Struct("=HH")
"""``rtattr``: length, type."""
_REPLY_BYTES = 65_536


class Interface(Value):
    """One interface; ``addresses`` are packed, of 4 or 16 bytes."""

    index: int
    name: str
    addresses: tuple[bytes, ...]
    has_multicast: bool
    """It is up, not the loopback, and can send to groups."""


def interfaces() -> list[Interface]:
    """Return every interface in the kernel's order.

    Raises:
        OSError: the kernel does not answer.
    """
    addresses: dict[int, list[bytes]] = {}
    for index, address in _dump():
        addresses.setdefault(index, []).append(address)
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for index, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(asker, _SIOCGIFFLAGS, name.encode()[:15].ljust(40, b"\0"))
            except OSError:
                continue  # it has just gone
            (flags,) = struct.unpack_from("=H", answer, 16)
            wanted = _IFF_UP | _IFF_MULTICAST
            has_multicast = flags & (wanted | _IFF_LOOPBACK) == wanted
            found.append(Interface(index, name, tuple(addresses.get(index, ())), has_multicast))
    return found


def interface_named(key: str, name: str) -> Interface:
    """Return the interface ``name``.

    Raises:
        ConfigError: there is none; ``key`` and those that exist are named.
    """
    found = interfaces()
    for interface in found:
        if interface.name == name:
            return interface
    known = ", ".join(interface.name for interface in found)
    raise ConfigError(f"{key}: no network interface {name!r} here; there are {known}")


def _dump() -> Iterator[tuple[int, bytes]]:
    """Yield (interface index, packed address) of every address."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(5.0)
        body = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        length = _HEADER.size + len(body)
        kernel.sendto(
            _HEADER.pack(length, _RTM_GETADDR, _NLM_F_REQUEST | _NLM_F_DUMP, 1, 0) + body, (0, 0)
        )
        while True:
            data = kernel.recv(_REPLY_BYTES)
            at = 0
            while at + _HEADER.size <= len(data):
                length, kind, *_ = _HEADER.unpack_from(data, at)
                if kind == _NLMSG_DONE:
                    return
                if kind == _NLMSG_ERROR:
                    raise OSError("the kernel does not list the addresses of this machine")
                if kind == _RTM_NEWADDR:
                    yield from _read_address(data[at + _HEADER.size : at + length])
                at += (length + 3) & ~3


def _read_address(body: bytes) -> Iterator[tuple[int, bytes]]:
    family, _, _, _, index = _ADDRESS.unpack_from(body)
    attributes: dict[int, bytes] = {}
    at = _ADDRESS.size
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < _ATTRIBUTE.size:
            return
        attributes[kind] = body[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    # on a point-to-point link the first is the other end's
    address = attributes.get(_IFA_LOCAL, attributes.get(_IFA_ADDRESS))
    if address is not None and family in (socket.AF_INET, socket.AF_INET6):
        yield index, address
