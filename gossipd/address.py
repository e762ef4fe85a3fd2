"""``Address``: an IP address and a port, as they stand on the wire.

The address is kept as its 4 or 16 raw bytes, because real nodes compare
addresses as bytes: the mapped form of an IPv4 address is a different one
(gossip.md, section 2.2). Ports are 0..65535.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from gossipd.errors import UsageError
from gossipd.value import Value

PORT_MAX = 65535
_MAPPED = bytes(10) + b"\xff\xff"


class Address(Value):
    """Where a node can be reached: ``ip`` is 4 or 16 bytes, or empty if unknown."""

    ip: bytes
    port: int

    def __hash__(self) -> int:
        return hash(self.ip) ^ self.port

    @property
    def host(self) -> str:
        """The IP address as text, without a port; a mapped IPv4 address in IPv4 form."""
        ip = self.ip
        if len(ip) == 4:
            return f"{ip[0]}.{ip[1]}.{ip[2]}.{ip[3]}"
        if len(ip) == 16:
            v6 = IPv6Address(ip)
            return str(v6.ipv4_mapped or v6)
        return ""

    @property
    def is_reachable(self) -> bool:
        """Whether something can be sent there at all; peers may claim anything."""
        return len(self.ip) in (4, 16) and any(self.ip) and self.port > 0

    def is_mapped_from(self, other: Address) -> bool:
        """Whether this is the IPv4 address ``other`` in its 16-byte form, at the same port."""
        return self.port == other.port and len(other.ip) == 4 and self.ip == _MAPPED + other.ip

    def __str__(self) -> str:
        host = self.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


def address_from_host(host: str, port: int) -> Address:
    """Return the address of an IP literal; IPv4, also in mapped form, becomes 4 bytes.

    Raises:
        UsageError: ``host`` is not an IP literal or the port is out of range.
    """
    try:
        parsed: IPv4Address | IPv6Address = ip_address(host.partition("%")[0])
    except ValueError as error:
        raise UsageError(f"{host!r} is not an IP address") from error
    if not 0 <= port <= PORT_MAX:
        raise UsageError(f"port {port} is not within 0..{PORT_MAX}")
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return Address(parsed.packed, port)


def split_host_port(text: str, default_port: int) -> tuple[str, int]:
    """Split ``host``, ``host:port``, ``[v6]:port`` or a bare ``v6`` literal.

    Raises:
        UsageError: the port is no number within 0..65535, the host is empty or
            a bracket is not closed.
    """
    host, port_text = text, ""
    if text.startswith("["):
        host, closing, rest = text[1:].partition("]")
        if not closing or (rest and not rest.startswith(":")):
            raise UsageError(f"{text!r} is not an address: write [v6]:port")
        port_text = rest[1:]
    elif text.count(":") == 1:
        host, _, port_text = text.partition(":")
    if not host:
        raise UsageError(f"{text!r} has no host")
    if not port_text:
        return host, default_port
    if not (port_text.isascii() and port_text.isdigit()) or int(port_text) > PORT_MAX:
        raise UsageError(f"port {port_text!r} in {text!r} is not a number within 0..{PORT_MAX}")
    return host, int(port_text)
