"""Which instances of a service are told, at which address, with which weight, for how long.

dns.md, sections 2, 4 and 5. Nothing is asked of anybody here.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from gossipd.config.faces import read_lifetime
from gossipd.services.definition import CRITICAL, PASSING
from gossipd.services.instance import Instance
from gossipd.value import Value

WEIGHT_MAX = 65535


class Place(Value):
    """Where an instance answers: ``ip`` (4 or 16 bytes), or a host name."""

    node: str
    """Without an address of its own it answers at its owner's, whatever it says of its node."""
    ip: bytes
    host: str
    port: int
    weight: int
    is_own: bool
    """The address is the service's own, not its node's."""


def is_told(instance: Instance, *, only_passing: bool) -> bool:
    """Return whether an instance may be told: it is not critical."""
    return instance.status == PASSING or (instance.status != CRITICAL and not only_passing)


def place_of(instance: Instance, scale: int) -> Place:
    """Return where ``instance`` answers; its weight is multiplied, and 0 stays 0."""
    service = instance.service
    address = service.address or instance.owner_address
    ip = ip_of(address)
    return Place(
        instance.owner,
        ip,
        "" if ip else address,
        service.port,
        min(max(instance.weight, 0) * scale, WEIGHT_MAX),
        bool(service.address),
    )


def ip_of(text: str) -> bytes:
    """Return the 4 or 16 bytes of an IP address, IPv4 also in mapped form; empty if it is none."""
    try:
        ip = ip_address(text.partition("%")[0])
    except ValueError:
        return b""
    if ip.version == 6 and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return ip.packed


class Lifetimes:
    """How long answers about a service may be kept: ``name=5s``, ``prefix*=1s``, ``*=2s``.

    The exact name first, then the longest prefix; 0 without.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._exact: dict[str, int] = {}
        self._prefixes: list[tuple[str, int]] = []
        for entry in entries:
            name, seconds = read_lifetime(entry)
            if name.endswith("*"):
                self._prefixes.append((name[:-1], seconds))
            else:
                self._exact[name] = seconds
        self._prefixes.sort(key=lambda prefix: -len(prefix[0]))

    def of(self, service: str) -> int:
        """Return the seconds for a service, its name in lower case."""
        found = self._exact.get(service)
        if found is not None:
            return found
        return next((ttl for start, ttl in self._prefixes if service.startswith(start)), 0)
