"""What the HTTP and DNS faces are told: their sections of the configuration.

Both are off until they have an address (``http_addr``, ``dns_addr``). Durations
are float seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address

from gossipd.address import Address, address_from_host, split_host_port
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
DNS_WORDS = ("service", "node", "addr", "query", "connect", "virtual", "ingress")
"""Labels that divide names (dns.md, section 1)."""
_SENT_TO_NOBODY = (b"\x7f\0\0\1", bytes(15) + b"\1")
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


def face_faults(
    http: HttpConfig, dns: DnsConfig, datacenter: str, zone: str
) -> Iterator[ConfigError]:
    """Yield what is wrong with the two sections, and with what names are made of."""
    yield from _faults_of_http(http)
    yield from _faults_of_dns(dns)
    if dns.addr:
        yield from _faults_of_names(dns, datacenter.lower(), zone.lower())
        yield from _faults_of_loops(dns)


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


def _faults_of_names(dns: DnsConfig, datacenter: str, zone: str) -> Iterator[ConfigError]:
    """Yield what would make names of services and nodes unreadable."""
    words = (*DNS_WORDS, "zone")
    if datacenter in words or "." in datacenter:
        yield ConfigError(
            f"datacenter {datacenter!r} makes DNS names that cannot be read: with dns.addr write"
            f" one label that is none of {', '.join(words)}",
            key="datacenter",
        )
    if "service" in zone.split(".")[:-1]:
        yield ConfigError(
            f"catalog.zone {zone!r} makes DNS names that cannot be read: with dns.addr write"
            " one without 'service' before a dot",
            key="catalog.zone",
        )
    for key, text in (("dns.domain", dns.domain), ("dns.alt_domain", dns.alt_domain)):
        name = text.lower().removesuffix(".")
        if name == "arpa" or f".{name}".endswith((".in-addr.arpa", ".ip6.arpa")):
            yield ConfigError(
                f"{key} {text!r} would hide the names of addresses (PTR): write another one",
                key=key,
            )
    between = _labels_between(dns.domain, dns.alt_domain)
    hiding = [label for label in between if label in (*words, "ns") or label.startswith("_")]
    if hiding:
        yield ConfigError(
            f"dns.alt_domain {dns.alt_domain!r} and dns.domain {dns.domain!r}: one lies in the"
            f" other at {hiding[-1]!r} and hides names of it: write one beside it",
            key="dns.alt_domain",
        )


def _labels_between(one: str, other: str) -> list[str]:
    """Return what the longer of two domains has before the other; nothing if that is not in it."""
    names = [name.lower().removesuffix(".").split(".") for name in (one, other)]
    short, long = sorted(names, key=len)
    return long[: -len(short)] if long[-len(short) :] == short else []


def _faults_of_loops(dns: DnsConfig) -> Iterator[ConfigError]:
    try:
        listener = address_from_host(*split_host_port(dns.addr, DEFAULT_DNS_PORT))
    except UsageError:
        return  # a name, or no address; who listens there looks again
    for text in recursors_of_ourselves(dns.recursors, listener, _is_loopback):
        yield loop_fault(text)


def _is_loopback(ip: bytes) -> bool:
    return ip_address(ip).is_loopback


def recursors_of_ourselves(
    recursors: tuple[str, ...], listener: Address, is_local: Callable[[bytes], bool]
) -> Iterator[str]:
    """Yield those that are the listener itself.

    Args:
        recursors: as configured.
        listener: where DNS is answered; with port 0 none is found.
        is_local: whether an address is one of this host, as far as is known.
    """
    for text in recursors:
        try:
            recursor = address_from_host(*split_host_port(text, DNS_PORT))
        except UsageError:
            continue  # it is complained of as no address
        if recursor.port != listener.port or not listener.port:
            continue
        if not any(listener.ip):
            is_met = not any(recursor.ip) or is_local(recursor.ip)
        else:
            # what is sent to no address in particular goes to loopback
            is_met = recursor.ip == listener.ip or (
                not any(recursor.ip) and listener.ip in _SENT_TO_NOBODY
            )
        if is_met:
            yield text


def loop_fault(recursor: str) -> ConfigError:
    """Return the complaint about a recursor that is this daemon."""
    return ConfigError(
        f"dns.recursors: {recursor} is this daemon itself (dns.addr): every question would"
        " come back; name a resolver of others",
        key="dns.recursors",
    )


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
