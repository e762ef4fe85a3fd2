"""Seeds as operators write them, and the addresses they stand for.

``host``, ``host:port``, ``[v6]:port`` or a bare IP, each with an optional
``name/`` in front (gossip.md, section 12). A host name may stand for several
addresses; all of them are tried.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio

from gossipd.address import Address, address_from_host, split_host_port
from gossipd.agent.sockaddr import address_of
from gossipd.errors import Unavailable, UsageError
from gossipd.value import Value

RESOLVE_TIMEOUT = 5.0
ADDRESSES_MAX = 64
"""Addresses of one host name that are used."""

LookUp: TypeAlias = Callable[[str, int], Awaitable[list[Address]]]


class Seed(Value):
    """One seed: ``node`` is its name if given, else empty."""

    node: str
    host: str
    port: int


def parse_seed(text: str, default_port: int) -> Seed:
    """Return the seed written as ``text``.

    Raises:
        UsageError: it is not an address.
    """
    node, slash, place = text.strip().rpartition("/")
    if slash and not node:
        raise UsageError(f"{text!r} has no node name before the slash")
    host, port = split_host_port(place, default_port)
    return Seed(node, host, port)


async def resolve(seed: Seed, look_up: LookUp) -> list[Address]:
    """Return every address of ``seed``, without repetition.

    Raises:
        Unavailable: the name has no address, or nobody answered in time.
    """
    try:
        return [address_from_host(seed.host, seed.port)]
    except UsageError:
        pass  # not a literal: ask
    found: list[Address] = []
    with trio.move_on_after(RESOLVE_TIMEOUT) as scope:
        try:
            found = await look_up(seed.host, seed.port)
        except OSError as error:
            raise Unavailable(f"lookup {seed.host}: {error.strerror or error}") from error
        except ValueError as error:  # an empty or too long label, bytes that are no text
            raise Unavailable(f"lookup {seed.host}: not a host name") from error
    if scope.cancelled_caught:
        raise Unavailable(f"lookup {seed.host}: no answer within {RESOLVE_TIMEOUT:g}s")
    if not found:
        raise Unavailable(f"lookup {seed.host}: no address")
    return list(dict.fromkeys(found))[:ADDRESSES_MAX]


async def look_up_by_system(host: str, port: int) -> list[Address]:
    """Ask the system's resolver.

    Raises:
        OSError: it knows no such host.
    """
    infos = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [address_of(sockaddr) for *_, sockaddr in infos if isinstance(sockaddr[0], str)]
