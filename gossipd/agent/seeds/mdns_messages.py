"""mDNS messages of Serf's kind: who offers ``_serf_<cluster>._tcp.local.`` and where.

As hashicorp/mdns writes and reads them (agent.md, section 8): one answer
holds PTR, SRV, TXT and address records together, and only what stands
together in one message is believed. Written with dnspython; what comes by
network is read in ``dns_reader.py``. Loaded only when ``discover`` is set.
"""

from __future__ import annotations

import struct

import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from gossipd.address import Address
from gossipd.agent.seeds.dns_reader import BAD_MESSAGE, DnsReader, Name, Record
from gossipd.config.agent_model import LABEL_OF_SERVICE
from gossipd.errors import WireError
from gossipd.value import Value

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
_PTR, _SRV, _ANY = 12, 33, 255
_ADDRESS_BYTES = {1: 4, 28: 16}
"""Of records of type A and AAAA."""
_PLACE = struct.Struct("!HHH")
"""Of a service record, before its host: priority, weight, port."""


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
    reader = DnsReader(data)
    if reader.flags & _OPCODE_AND_RCODE:
        raise WireError(BAD_MESSAGE, "neither a query nor an answer to one")
    wanted = tuple(label.lower() for label in service.labels[:-1])
    if reader.flags & _RESPONSE:
        return MdnsMessage(False, _instances_untrusted(reader, wanted))
    asked = [
        question
        for question in reader.questions_untrusted()
        if question.kind in (_PTR, _ANY) and reader.name_untrusted(question.name_at)[0] == wanted
    ]
    wants_unicast = any(question.wants_unicast for question in asked)
    return MdnsMessage(bool(asked), (), reader.id, wants_unicast)


def _wire(name: dns.name.Name) -> bytes:
    encoded = name.to_wire()
    assert encoded is not None  # it is returned where no file to write to is given
    return encoded


def _instances_untrusted(reader: DnsReader, service: Name) -> tuple[Instance, ...]:
    addresses: dict[Name, bytes] = {}
    hosts: dict[Name, tuple[Name, int]] = {}
    for record in reader.records_untrusted():
        if record.ttl == 0:
            continue  # taken back
        if record.kind in _ADDRESS_BYTES:
            if len(record.data) != _ADDRESS_BYTES[record.kind]:
                raise WireError(BAD_MESSAGE, "an address of a wrong length")
            addresses.setdefault(reader.name_untrusted(record.name_at)[0], record.data)
        elif record.kind == _SRV:
            name, _ = reader.name_untrusted(record.name_at)
            # Serf writes the dots of a node's name as they are
            if len(name) > len(service) and name[-len(service) :] == service:
                hosts[name] = _host_untrusted(reader, record)
    found = []
    for name, (host, port) in list(hosts.items())[:INSTANCES_MAX]:
        ip = addresses.get(host)
        if ip is not None and (address := Address(ip, port)).is_reachable:
            found.append(Instance(name[0], address))
    return tuple(found)


def _host_untrusted(reader: DnsReader, record: Record) -> tuple[Name, int]:
    """Return host and port of a service record (RFC 2782)."""
    if len(record.data) <= _PLACE.size:
        raise WireError(BAD_MESSAGE, "a service record without a host")
    _, _, port = _PLACE.unpack_from(record.data)
    host, end = reader.name_untrusted(record.data_at + _PLACE.size)
    if end != record.data_at + len(record.data):
        raise WireError(BAD_MESSAGE, "a service record of a wrong length")
    return host, port
