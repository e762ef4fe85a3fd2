"""mDNS messages of Serf's kind: who offers ``_serf_<cluster>._tcp.local.`` and where.

As hashicorp/mdns writes and reads them (agent.md, section 8): one answer
holds PTR, SRV, TXT and address records together, and only what stands
together in one message is believed. Built on dnspython, which does not know
mDNS's use of the class's top bit (RFC 6762, sections 5.4 and 10.2); that bit
is taken out first. Loaded only when ``discover`` is set.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from gossipd.address import Address
from gossipd.config.agent_model import LABEL_OF_SERVICE
from gossipd.errors import WireError
from gossipd.value import Value

BAD_MESSAGE = "mdns-bad-message"
MESSAGE_BYTES_MAX = 9000
"""What RFC 6762 allows (section 17); longer ones are cut by the socket and refused."""
INSTANCES_MAX = 64
"""Instances of one message that are read."""
TTL = 120
_LABEL_MAX = 63
_TOP_BIT = 0x8000
_HEADER = struct.Struct("!HHHHHH")
_OPCODE_AND_RCODE = 0x780F
_RESPONSE = 0x8000


class Instance(Value):
    """One member that offers itself: the label it goes by, and where it is."""

    label: bytes
    address: Address


class MdnsMessage(Value):
    """What matters of one message to somebody who looks for ``service``.

    ``id`` and ``wants_unicast`` are of a question for it; both are meaningless otherwise.
    """

    is_question: bool
    instances: tuple[Instance, ...]
    id: int = 0
    wants_unicast: bool = False


def service_of(cluster: str) -> dns.name.Name:
    """Return the name under which the members of ``cluster`` are found."""
    labels = f"{LABEL_OF_SERVICE}{cluster}".encode("utf-8", "surrogateescape").split(b".")
    return dns.name.Name((*labels, b"_tcp", b"local", b""))


def instance_label(node: str) -> bytes:
    """Return the label of the node called ``node``; a label has 63 bytes, so the end is cut."""
    return node.encode("utf-8", "surrogateescape")[:_LABEL_MAX]


def question(service: dns.name.Name) -> bytes:
    """Return the question for all instances; answers may come by unicast."""
    fields = struct.pack("!HH", dns.rdatatype.PTR, dns.rdataclass.IN | _TOP_BIT)
    return _HEADER.pack(0, 0, 1, 0, 0, 0) + _wire(service) + fields


def answer(
    service: dns.name.Name, cluster: str, own: Instance, *, id: int = 0, ttl: int = TTL
) -> bytes:
    """Return the answer, or the announcement, that ``own`` is there; ``ttl`` 0 takes it back.

    Args:
        service: see ``service_of``.
        cluster: for the text record.
        own: what is offered.
        id: of the question that came by unicast, else 0.
        ttl: seconds for which it is good.
    """
    message = dns.message.Message(id)
    message.flags = dns.flags.Flag(dns.flags.QR | dns.flags.AA)
    instance = dns.name.Name((own.label, *service.labels))
    ip = own.address.ip
    # of this daemon alone: readers keep hosts by name, and two may run on one machine
    host = dns.name.Name((f"gossipd-{ip.hex()}-{own.address.port}".encode(), b"local", b""))
    text = f"Serf '{cluster}' cluster".encode("utf-8", "surrogateescape")[:255]
    for name, kind, data in (
        (service, dns.rdatatype.PTR, _wire(instance)),
        (
            instance,
            dns.rdatatype.SRV,
            struct.pack("!HHH", 10, 1, own.address.port) + _wire(host),
        ),
        (host, dns.rdatatype.A if len(ip) == 4 else dns.rdatatype.AAAA, ip),
        (instance, dns.rdatatype.TXT, bytes([len(text)]) + text),
    ):
        rdata = dns.rdata.from_wire(dns.rdataclass.IN, kind, data, 0, len(data))
        message.answer.append(dns.rrset.from_rdata(name, ttl, rdata))
    return message.to_wire()


def read_untrusted(data: bytes, service: dns.name.Name) -> MdnsMessage:
    """Return what ``data`` asks or says of ``service``.

    Raises:
        WireError: ``mdns-bad-message``.
    """
    if len(data) > MESSAGE_BYTES_MAX:
        raise WireError(BAD_MESSAGE, "longer than 9000 bytes")
    try:
        id, flags, *counts = _HEADER.unpack_from(data)
        if flags & _OPCODE_AND_RCODE:
            raise WireError(BAD_MESSAGE, "neither a query nor an answer to one")
        plain, wants_unicast = _without_top_bits(data, counts)
        message = dns.message.from_wire(plain, ignore_trailing=True)
    except (dns.exception.DNSException, struct.error, IndexError, ValueError) as error:
        raise WireError(BAD_MESSAGE, str(error) or type(error).__name__) from error
    if not flags & _RESPONSE:
        asks = any(
            rrset.name == service and rrset.rdtype in (dns.rdatatype.PTR, dns.rdatatype.ANY)
            for rrset in message.question
        )
        return MdnsMessage(asks, (), id, wants_unicast)
    return MdnsMessage(False, _instances((*message.answer, *message.additional), service))


def _wire(name: dns.name.Name) -> bytes:
    encoded = name.to_wire()
    assert encoded is not None  # it is returned where no file to write to is given
    return encoded


def _without_top_bits(data: bytes, counts: list[int]) -> tuple[bytes, bool]:
    """Return the message with plain classes, and whether a question asked for unicast."""
    plain = bytearray(data)
    at, wants_unicast = _HEADER.size, False
    for section, count in enumerate(counts):
        for _ in range(count):
            at = _end_of_name(data, at) + 2
            wants_unicast |= section == 0 and bool(plain[at] & 0x80)
            plain[at] &= 0x7F
            at += 2
            if section > 0:
                (length,) = struct.unpack_from("!H", data, at + 4)
                at += 6 + length
    return bytes(plain), wants_unicast


def _end_of_name(data: bytes, at: int) -> int:
    while length := data[at]:
        if length >= 0xC0:
            return at + 2
        at += 1 + length
    return at + 1


def _instances(records: Iterable[dns.rrset.RRset], service: dns.name.Name) -> tuple[Instance, ...]:
    addresses: dict[dns.name.Name, list[bytes]] = {}
    hosts: dict[dns.name.Name, tuple[dns.name.Name, int]] = {}
    for rrset in records:
        for rdata in rrset:
            if rrset.ttl == 0:
                continue  # taken back
            if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
                addresses.setdefault(rrset.name, []).append(rdata.to_wire() or b"")
            elif rrset.rdtype == dns.rdatatype.SRV and _is_of(rrset.name, service):
                hosts[rrset.name] = rdata.target, rdata.port
    found = []
    for name, (host, port) in list(hosts.items())[:INSTANCES_MAX]:
        for ip in addresses.get(host, ())[:1]:
            address = Address(ip, port)
            if address.is_reachable:
                found.append(Instance(name.labels[0], address))
    return tuple(found)


def _is_of(name: dns.name.Name, service: dns.name.Name) -> bool:
    """Return whether ``name`` is an instance; Serf writes dots of a node's name as they are."""
    return name.is_subdomain(service) and name != service
