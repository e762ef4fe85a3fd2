"""Where this machine listens, and what it tells others to reach it at (Linux)."""

from __future__ import annotations

import fcntl
import socket
from contextlib import suppress
from ipaddress import ip_address

from gossipd.address import Address, address_from_host, split_host_port
from gossipd.agent.sockaddr import address_of, family_of
from gossipd.config.model import DEFAULT_PORT
from gossipd.errors import ConfigError, UsageError

_SIOCGIFADDR = 0x8915
_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Documentation addresses; a route is looked up for them, nothing is sent."""


def listening_address(key: str, text: str, default_port: int) -> Address:
    """Return the address written as ``text``; a host name is looked up.

    Raises:
        ConfigError: it is none; ``key`` is named.
    """
    try:
        host, port = split_host_port(text, default_port)
        with suppress(UsageError):  # asking the resolver would load a megabyte of name tables
            return address_from_host(host, port)
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UsageError as error:
        raise ConfigError(f"{key}: {error}") from error
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{key}: {text!r} is not an address of this machine") from error
    sockaddr = infos[0][4]
    assert isinstance(sockaddr[0], str)
    return address_of((sockaddr[0], sockaddr[1]))


def bind_address(bind: str, interface: str) -> Address:
    """Return where the gossip sockets are bound: ``bind``, or an address of ``interface``.

    An unspecified ``bind`` takes the first address of its family that the
    interface has, no link-local one; any other must be one of the interface's.

    Raises:
        ConfigError: there is no such interface, or it has no such address.
    """
    at = listening_address("bind", bind, DEFAULT_PORT)
    if not interface:
        return at
    from gossipd.agent.interfaces import interface_named  # few daemons name one

    own = interface_named("interface", interface).addresses
    if any(at.ip):
        if at.ip not in own:
            raise ConfigError(f"bind: {at.host} is no address of interface {interface}")
        return at
    for ip in own:
        if len(ip) == len(at.ip) and not ip_address(ip).is_link_local:
            return Address(ip, at.port)
    family = "IPv4" if len(at.ip) == 4 else "IPv6"
    raise ConfigError(f"interface: {interface} has no {family} address to bind")


def advertised_address(advertise: str, bound: Address) -> Address:
    """Return what others are told: as configured, or the bound address, or a detected one.

    Args:
        advertise: as configured; empty leaves the choice to us.
        bound: what the gossip socket is bound to, with its real port.

    Raises:
        ConfigError: ``advertise`` is no address, or is unspecified, or none was found.
    """
    if advertise:
        chosen = listening_address("advertise", advertise, bound.port)
        if not any(chosen.ip):
            raise ConfigError(f"advertise: {chosen} cannot be reached: name a real address")
        return Address(chosen.ip, chosen.port or bound.port)
    if any(bound.ip):
        return bound
    ip = _detect(family_of(bound.ip))
    if ip is None:
        raise ConfigError("no address to advertise was found: set --advertise")
    return Address(ip, bound.port)


def _detect(family: socket.AddressFamily) -> bytes | None:
    """Return our best address: private before public, routed before not, loopback last."""
    routed = _routed_source(family)
    if routed is None and family == socket.AF_INET6:
        routed = _routed_source(socket.AF_INET)
    found = [routed] if routed is not None else []
    found += _interface_addresses()
    reachable = [ip for ip in found if not ip_address(ip).is_loopback]
    private = [ip for ip in reachable if ip_address(ip).is_private]
    if family == socket.AF_INET6 and routed is not None and len(routed) == 16:
        private.insert(0, routed)
    return next(iter(private or reachable or found), None)


def _routed_source(family: socket.AddressFamily) -> bytes | None:
    """Return the source address of the default route, or ``None`` without one."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_ELSEWHERE[family], 9))
        except OSError:
            return None
        return address_of(probe.getsockname()).ip


def _interface_addresses() -> list[bytes]:
    """Return the IPv4 address of each interface, in the system's order."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for _, name in socket.if_nameindex():
            request = name.encode()[:15].ljust(256, b"\0")
            try:
                found.append(fcntl.ioctl(asker, _SIOCGIFADDR, request)[20:24])
            except OSError:
                continue  # it has no IPv4 address
    return found
