"""Seeds as operators write them, and the addresses they stand for.

``host``, ``host:port``, ``[v6]:port`` or a bare IP, each with an optional
``name/`` in front (gossip.md, section 12). A host name may stand for several
addresses; all of them are tried. ``_service._tcp.domain`` (or ``._udp.``) is
the name of SRV records, which give hosts and ports. Every name is resolved
anew at each try.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import trio

from gossipd.address import Address, address_from_host, split_host_port
from gossipd.agent.seeds.services import ServiceHost, ServiceLookUp, is_service, look_up_service
from gossipd.agent.sockaddr import address_of
from gossipd.errors import Unavailable, UsageError
from gossipd.value import Value

RESOLVE_TIMEOUT = 5.0
ADDRESSES_MAX = 64
"""Addresses of one host name that are used."""

NO_PORT = -1
"""Of a seed that is a service."""

T = TypeVar("T")
LookUp: TypeAlias = Callable[[str, int], Awaitable[list[Address]]]


class Seed(Value):
    """One seed: ``node`` is its name if given, else empty."""

    node: str
    host: str
    port: int


def parse_seed(text: str, default_port: int) -> Seed:
    """Return the seed written as ``text``.

    Raises:
        UsageError: it is not an address, or a service with a port.
    """
    node, slash, place = text.strip().rpartition("/")
    if slash and not node:
        raise UsageError(f"{text!r} has no node name before the slash")
    host, port = split_host_port(place, NO_PORT)
    if is_service(host):
        if node or port != NO_PORT:
            raise UsageError(f"{text!r}: a service name brings its own hosts and ports")
        return Seed("", host, NO_PORT)
    return Seed(node, host, default_port if port == NO_PORT else port)


async def resolve(
    seed: Seed, look_up: LookUp, look_up_service: ServiceLookUp = look_up_service
) -> list[Address]:
    """Return every address of ``seed``, without repetition.

    Hosts of a service are looked up side by side: one that hangs costs its own
    time-out and takes no other with it.

    Raises:
        Unavailable: the name has no address, or nobody answered in time.
    """
    if not is_service(seed.host):
        return await _addresses(seed.host, seed.port, look_up)
    hosts = await _in_time(seed.host, look_up_service(seed.host))
    if not hosts:
        raise Unavailable(f"lookup {seed.host}: no host offers the service")
    found: dict[int, list[Address]] = {}
    errors: list[Unavailable] = []

    async def ask(number: int, host: ServiceHost) -> None:
        try:
            found[number] = await _addresses(host.host, host.port, look_up)
        except Unavailable as error:
            errors.append(error)

    async with trio.open_nursery() as nursery:
        for number, host in enumerate(hosts[:ADDRESSES_MAX]):
            nursery.start_soon(ask, number, host)
    if not found:
        raise errors[0]
    in_order = [address for number in sorted(found) for address in found[number]]
    return list(dict.fromkeys(in_order))[:ADDRESSES_MAX]


async def _addresses(host: str, port: int, look_up: LookUp) -> list[Address]:
    try:
        return [address_from_host(host, port)]
    except UsageError:
        pass  # not a literal: ask
    try:
        found = await _in_time(host, look_up(host, port))
    except OSError as error:
        raise Unavailable(f"lookup {host}: {error.strerror or error}") from error
    except ValueError as error:  # an empty or too long label, bytes that are no text
        raise Unavailable(f"lookup {host}: not a host name") from error
    if not found:
        raise Unavailable(f"lookup {host}: no address")
    return list(dict.fromkeys(found))[:ADDRESSES_MAX]


async def _in_time(name: str, asking: Awaitable[T]) -> T:
    """Return what ``asking`` brings within the time-out.

    Raises:
        Unavailable: it brought nothing.
    """
    with trio.move_on_after(RESOLVE_TIMEOUT):
        return await asking
    raise Unavailable(f"lookup {name}: no answer within {RESOLVE_TIMEOUT:g}s")


async def look_up_by_system(host: str, port: int) -> list[Address]:
    """Ask the system's resolver.

    Raises:
        OSError: it knows no such host.
    """
    infos = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [address_of(sockaddr) for *_, sockaddr in infos if isinstance(sockaddr[0], str)]
