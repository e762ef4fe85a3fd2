"""What the HTTP and DNS faces are told: their sections of the configuration.

Both are off until they have an address (``http_addr``, ``dns_addr``). Durations
are float seconds.
"""

from __future__ import annotations

from collections.abc import Iterator

from gossipd.address import address_from_host, split_host_port
from gossipd.duration import read_duration
from gossipd.errors import ConfigError, UsageError
from gossipd.value import Value

DEFAULT_HTTP_PORT = 8500
DEFAULT_DNS_PORT = 8600
DNS_PORT = 53
"""Of recursors."""
DNS_PAYLOADS = range(512, 65468)
"""Bytes of a UDP reply that may be asked for (dns.md, section 6)."""
DOMAIN_CHARACTERS_MAX = 100
"""Of a domain of names: what stands before it must have room, too."""
TTL_MAX = 2**31 - 1
DNS_SORTS = ("shuffle", "rtt")
RECURSOR_STRATEGIES = ("sequential", "random")
CONNECTIONS = range(1, 65537)


class HttpConfig(Value, kw_only=True):
    """The HTTP face (consul-http.md)."""

    addr: str = ""
    """Where it listens, ``host:port``; empty is off."""
    token: str = ""
    """What clients show to command something; empty lets everybody."""
    read_token: str = ""
    """What clients show to read; empty lets everybody read, ``token`` reads as well."""
    insecure: bool = False
    """Listen elsewhere than on loopback although there is no ``token``."""
    hosts: tuple[str, ...] = ()
    """Names under which clients reach it, beside addresses and names that public DNS cannot
    hold: what needs no token refuses others in ``Host`` (DNS rebinding). Empty, it does so on
    loopback only."""
    tls_cert: str = ""
    """PEM file of the certificate and its chain; empty is no TLS."""
    tls_key: str = ""
    """PEM file of its key."""
    connections_max: int = 8192
    """Connections at a time, and no more than half of the descriptors that the process may have."""
    script_checks: bool = False
    """Take script checks from clients of HTTP; from others than loopback only with a token."""
    refuse_consistent: bool = False
    """Answer 501 to ``?consistent`` instead of saying ``stale`` (consul-http.md, section 4)."""
    lenient_methods: bool = False
    """Take GET for join and force-leave, as old clients send it (consul-http.md, section 2)."""
    ui: bool = True
    """Serve the page at ``/ui/``."""


class DnsConfig(Value, kw_only=True):
    """The DNS face (dns.md)."""

    addr: str = ""
    """Where it listens, UDP and TCP, ``host:port``; empty is off."""
    domain: str = "consul."
    alt_domain: str = ""
    """A second one that is answered as well; empty is none."""
    only_passing: bool = False
    """Leave out instances that warn, too."""
    service_ttl: tuple[str, ...] = ()
    """TTLs by service, ``web=5s``, ``api*=1s``, ``*=2s``; 0 without."""
    node_ttl: float = 0.0
    soa_minimum: float = 0.0
    """How long others may remember that there is nothing."""
    sort: str = "shuffle"
    """Order of instances: shuffle, or rtt (nearest first)."""
    srv_weight_scale: int = 1
    """Factor of the weights in SRV records; 256 for HAProxy (dns.md, section 4)."""
    payload_max: int = 1232
    """Longest UDP reply in bytes, however much the asker takes."""
    enable_truncate: bool = True
    """Say (TC) that answers were left out; off as in Consul, for HAProxy's A templates."""
    node_meta_txt: bool = False
    """Add TXT records of nodes to answers of other types."""
    recursors: tuple[str, ...] = ()
    """Resolvers that are asked for other names, ``ip`` or ``ip:port``."""
    recursor_timeout: float = 2.0
    recursor_strategy: str = "sequential"
    rate_limit: int = 2000
    """Queries a second from one source (IPv4 address, IPv6 /64) over UDP; 0 is no limit."""
    sync_wait: float = 30.0
    """With seeds: how long after the start nothing about nodes and services is answered
    (SERVFAIL) while no seed has answered."""


def face_faults(http: HttpConfig, dns: DnsConfig) -> Iterator[ConfigError]:
    """Yield what is wrong with the two sections."""
    yield from _faults_of_http(http)
    yield from _faults_of_dns(dns)


def _faults_of_http(http: HttpConfig) -> Iterator[ConfigError]:
    yield from _faults_of_address("http.addr", http.addr)
    if bool(http.tls_cert) != bool(http.tls_key):
        missing = "http.tls_key" if http.tls_cert else "http.tls_cert"
        yield ConfigError(f"{missing} is missing: TLS needs certificate and key", key=missing)
    if http.read_token and not http.token:
        yield ConfigError(
            "http.read_token without http.token would let everybody write: give both",
            key="http.read_token",
        )
    for key, token in (("http.token", http.token), ("http.read_token", http.read_token)):
        if any(not 0x21 <= ord(c) <= 0x7E for c in token):
            yield ConfigError(f"{key} holds what no header can carry: use printable ASCII", key=key)
    for name in http.hosts:
        if not _is_domain(name):
            yield ConfigError(
                f"http.hosts {name!r} is no host name: write one as gossipd.example.com,"
                " without a port",
                key="http.hosts",
            )
    if http.connections_max not in CONNECTIONS:
        yield ConfigError(
            f"http.connections_max is {http.connections_max}: it must be within"
            f" {CONNECTIONS[0]}..{CONNECTIONS[-1]}",
            key="http.connections_max",
        )


def _faults_of_dns(dns: DnsConfig) -> Iterator[ConfigError]:
    yield from _faults_of_address("dns.addr", dns.addr)
    for key, text in (("dns.domain", dns.domain), ("dns.alt_domain", dns.alt_domain)):
        if text and not _is_domain(text):
            yield ConfigError(
                f"{key} {text!r} is no domain of at most {DOMAIN_CHARACTERS_MAX} characters:"
                " write one as consul. or lan.corp",
                key=key,
            )
    if not dns.domain:
        yield ConfigError("dns.domain is empty: write one as consul.", key="dns.domain")
    if dns.sort not in DNS_SORTS:
        yield ConfigError(
            f"dns.sort is {dns.sort!r}: write {' or '.join(DNS_SORTS)}", key="dns.sort"
        )
    if dns.recursor_strategy not in RECURSOR_STRATEGIES:
        yield ConfigError(
            f"dns.recursor_strategy is {dns.recursor_strategy!r}: write"
            f" {' or '.join(RECURSOR_STRATEGIES)}",
            key="dns.recursor_strategy",
        )
    if dns.payload_max not in DNS_PAYLOADS:
        yield ConfigError(
            f"dns.payload_max is {dns.payload_max}: it must be within"
            f" {DNS_PAYLOADS[0]}..{DNS_PAYLOADS[-1]}",
            key="dns.payload_max",
        )
    if not 1 <= dns.srv_weight_scale <= 65535:
        yield ConfigError(
            f"dns.srv_weight_scale is {dns.srv_weight_scale}: it must be within 1..65535",
            key="dns.srv_weight_scale",
        )
    if dns.rate_limit < 0:
        yield ConfigError(
            "dns.rate_limit must not be negative; 0 is no limit", key="dns.rate_limit"
        )
    for key in ("node_ttl", "soa_minimum", "sync_wait"):
        if not 0 <= getattr(dns, key) <= TTL_MAX:
            yield ConfigError(f"dns.{key} must be within 0s and 68 years", key=f"dns.{key}")
    if not dns.recursor_timeout > 0:
        yield ConfigError("dns.recursor_timeout must be above 0", key="dns.recursor_timeout")
    for text in dns.service_ttl:
        try:
            read_lifetime(text)
        except ValueError as error:
            yield ConfigError(f"dns.service_ttl: {error}", key="dns.service_ttl")
    for text in dns.recursors:
        try:
            address_from_host(*split_host_port(text, DNS_PORT))
        except UsageError as error:
            yield ConfigError(f"dns.recursors: {error}; write ip or ip:port", key="dns.recursors")


def read_lifetime(entry: str) -> tuple[str, int]:
    """Return name (in lower case) and whole seconds of ``web=5s``, ``api*=1s`` or ``*=2s``.

    Raises:
        ValueError: it is none; the text says what would be taken.
    """
    name, equals, duration = entry.rpartition("=")
    if not equals or not name or "*" in name[:-1]:
        raise ValueError(f"{entry!r} is no TTL: write web=5s, api*=1s or *=2s")
    seconds = read_duration(duration)
    if seconds > TTL_MAX:
        raise ValueError(f"{entry!r} is above 68 years")
    return name.lower(), int(seconds)


def _is_domain(text: str) -> bool:
    labels = text.removesuffix(".").split(".")
    plain = set("abcdefghijklmnopqrstuvwxyz0123456789-_")
    if len(text) > DOMAIN_CHARACTERS_MAX:
        return False
    return all(0 < len(label) < 64 and plain.issuperset(label.lower()) for label in labels)


def _faults_of_address(key: str, text: str) -> Iterator[ConfigError]:
    if not text:
        return
    try:
        split_host_port(text, 0)
    except UsageError as error:
        yield ConfigError(f"{key}: {error}", key=key)
