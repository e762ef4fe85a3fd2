"""How much a source that may be forged is sent (dns.md, section 6).

Anybody can write another's address into a datagram, and replies are longer than
queries. So over UDP a source gets no more queries answered than ``rate_limit`` a second,
no reply longer than 1,232 bytes whatever it claims to take, and none to ANY but
"ask by TCP". Above the rate, every other query still gets that empty answer with TC,
which is no longer than the query (a real client comes back by TCP), and the rest
gets nothing. Who asks from this very host (loopback) cannot be forged from outside:
it has no limit.

Names of others are looked up (``recursors``) for this host and for private addresses
only: an open resolver is a weapon against others.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from gossipd.dns.kinds import TCP_BYTES_MAX, UDP_BYTES_PLAIN

UNPROVEN_BYTES_MAX = 1232
"""Of a reply by UDP to another host."""
SOURCES_MAX = 4096
"""Sources that are counted one by one; the others share one rate."""
_MAPPED = "::ffff:"
_SERVED = tuple(
    map(
        ip_network,
        (
            *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
            *("100.64.0.0/10", "::1/128", "fc00::/7", "fe80::/10"),
        ),
    )
)
"""Networks for which names of others are looked up."""


def is_proven(host: str) -> bool:
    """Return whether datagrams from ``host`` come from there: it is this machine."""
    return host.startswith(("127.", "::ffff:127.")) or host == "::1"


def may_recurse(host: str) -> bool:
    """Return whether names of others are looked up for ``host``: not for the whole Internet.

    Python's own ``is_global`` has changed with its versions for mapped and tunnelled addresses.
    """
    try:
        ip = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in network for network in _SERVED)


def room_of(payload: int, payload_max: int, *, is_proven: bool) -> int:
    """Return how many bytes a reply by UDP may have.

    Args:
        payload: bytes that the asker takes, 0 if it says nothing (no EDNS).
        payload_max: what the operator allows.
        is_proven: the asker is where it says.
    """
    if payload <= UDP_BYTES_PLAIN:
        return UDP_BYTES_PLAIN
    most = payload_max if is_proven else min(payload_max, UNPROVEN_BYTES_MAX)
    return max(UDP_BYTES_PLAIN, min(payload, most, TCP_BYTES_MAX))


class Rates:
    """A bucket of queries for each source: filled at ``rate`` a second, with room for one second.

    Args:
        rate: queries a second; 0 is no limit.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._buckets: dict[str, tuple[float, float]] = {}
        self._slip = False
        self._tidied_at = -1.0

    def allows(self, host: str, now: float) -> bool:
        """Take one query of ``host`` (an IP) out of its bucket; return whether there was one."""
        rate = self._rate
        if not rate:
            return True
        source = source_of(host)
        bucket = self._buckets.get(source)
        if bucket is None and not self._has_room(now):
            source = ""
            bucket = self._buckets.get(source)
        left, at = bucket or (float(rate), now)
        left = min(float(rate), left + (now - at) * rate)
        allowed = left >= 1.0
        self._buckets[source] = (left - 1.0 if allowed else left, now)
        return allowed

    def slips(self) -> bool:
        """Return whether this query above the rate is told to come by TCP: every other one."""
        self._slip = not self._slip
        return self._slip

    def _has_room(self, now: float) -> bool:
        """Make room by forgetting sources that were silent for a second: their buckets are full.

        It is tried once a second, for a flood of forged sources brings one with each packet.
        """
        if len(self._buckets) < SOURCES_MAX:
            return True
        if now - self._tidied_at >= 1.0:
            self._tidied_at = now
            self._buckets = {
                source: bucket for source, bucket in self._buckets.items() if now - bucket[1] < 1.0
            }
        return len(self._buckets) < SOURCES_MAX


def source_of(host: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 of an IPv6 one."""
    if ":" not in host:
        return host
    if host.startswith(_MAPPED) and "." in host:
        return host[len(_MAPPED) :]
    return IPv6Address(host.partition("%")[0]).packed[:8].hex()
