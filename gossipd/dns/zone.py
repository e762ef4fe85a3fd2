"""``Zone``: what is answered to a question, from the cluster as it is now (dns.md, sections 2, 3).

No bytes of messages and no sockets here. Names of others (recursion) are none of
the zone's: of them ``answer`` returns ``None``.
"""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_letters, digits
from typing import assert_never

from gossipd.config.faces import DnsConfig
from gossipd.dns.directory import Directory, Node
from gossipd.dns.kinds import (
    AAAA,
    ANY,
    CNAME,
    NOERROR,
    NS,
    NXDOMAIN,
    PTR,
    SERVFAIL,
    SOA,
    SRV,
    TXT,
    A,
)
from gossipd.dns.message import Query
from gossipd.dns.names import (
    AddressNamed,
    Apex,
    Between,
    Meaning,
    Names,
    NameServer,
    NodeNamed,
    Nothing,
    Outside,
    Reversed,
    ServiceNamed,
    labels_of,
)
from gossipd.dns.nearness import nearest_first
from gossipd.dns.records import (
    Answer,
    Piece,
    Record,
    address_record,
    attribute,
    cname_record,
    host_name,
    ns_record,
    ptr_record,
    sent_text,
    soa_record,
    srv_record,
    txt_record,
    wire_name,
)
from gossipd.dns.rolls import Rolls
from gossipd.dns.selection import Lifetimes, Place, place_of
from gossipd.node.handle import NodeHandle
from gossipd.services.instance import Instance
from gossipd.value import replace

ALIASES_MAX = 3
"""Host names of our own that are followed for one question."""
_HOST_CHARACTERS = frozenset(ascii_letters + digits + "-_.")
FAMILIES = {A: 4, AAAA: 16}
"""Bytes of an address by type."""


class Zone:
    """The names of one cluster.

    Args:
        handle: the node that is asked.
        config: of the face.
        datacenter: the one that names may say.
        wall: calendar time, seconds since 1970; the serial of the SOA.
        is_ready: whether this node knows its cluster; before, nothing that depends on it
            is answered, because clients keep what they have on SERVFAIL and drop it on NXDOMAIN.
    """

    def __init__(
        self,
        handle: NodeHandle,
        config: DnsConfig,
        datacenter: str,
        *,
        wall: Callable[[], float],
        is_ready: Callable[[], bool],
    ) -> None:
        self._handle = handle
        self._config = config
        self._wall = wall
        self._is_ready = is_ready
        self._names = Names((config.domain, config.alt_domain), datacenter)
        self._home = labels_of(config.domain)
        self._datacenter = datacenter.lower().encode()
        self._lifetimes = Lifetimes(config.service_ttl)
        self._node_ttl = int(config.node_ttl)
        self.directory = Directory(handle)
        self.rolls = Rolls(only_passing=config.only_passing)

    def answer(self, query: Query) -> Answer | None:
        """Return the answer; ``None`` if the name is none of ours."""
        answer = self._answer(tuple(map(bytes.lower, query.labels)), query.kind)
        for _ in range(ALIASES_MAX):
            if answer is None or not answer.external:
                break
            host = labels_of(answer.external)
            more = self._answer(host, query.kind)
            if more is None:
                break
            answer = _followed(answer, host, more)
        else:
            # Aliases of ours that go round: others would ask us again.
            answer = self._given_up(answer)
        return answer

    def _given_up(self, answer: Answer | None) -> Answer | None:
        if answer is None or not self._names.domain(labels_of(answer.external)):
            return answer
        return replace(answer, external="")

    def _answer(self, labels: tuple[bytes, ...], kind: int) -> Answer | None:
        meaning, count = self._names.read(labels, kind)
        if isinstance(meaning, Outside):
            return None
        apex = labels[len(labels) - count :] if count else self._home
        return _Question(self, kind, apex).answer(meaning)

    def apex_at(self, query: Query) -> int | None:
        """Return at which byte of the question its domain begins; ``None`` if it is of none."""
        labels = query.labels
        count = self._names.domain(tuple(map(bytes.lower, labels)))
        if not count:
            return None
        return sum(len(label) + 1 for label in labels[: len(labels) - count])


class _Question:
    """One question in a domain; ``apex`` are the domain's labels in lower case."""

    def __init__(self, zone: Zone, kind: int, apex: tuple[bytes, ...]) -> None:
        self._zone = zone
        self._kind = kind
        self._labels = apex
        self._apex = _sent(apex)

    def answer(self, meaning: Meaning) -> Answer | None:
        match meaning:
            case AddressNamed():
                return self._addresses([meaning.ip], self._zone._node_ttl)
            case Apex():
                return self._of_apex()
            case Between():
                return self._empty()
            case NameServer():
                own = self._zone.directory.own()
                return self._addresses([own.ip] if own.ip else [], self._zone._node_ttl)
            case Nothing():
                return self._missing()
            case ServiceNamed() | NodeNamed() | Reversed() if not self._zone._is_ready():
                return Answer(rcode=SERVFAIL, is_authoritative=False)
            case ServiceNamed():
                return self._of_service(meaning)
            case NodeNamed():
                return self._of_node(meaning.node)
            case Reversed():
                return self._of_address(meaning.ip)
            case Outside():
                return None
            case _ as unreachable:
                assert_never(unreachable)

    # -- answers without records ------------------------------------------------

    def _soa(self) -> Record:
        minimum = int(self._zone._config.soa_minimum)
        return soa_record(self._apex, int(self._zone._wall()), minimum)

    def _missing(self) -> Answer:
        return Answer(rcode=NXDOMAIN, authority=(self._soa(),))

    def _empty(self) -> Answer:
        return Answer(rcode=NOERROR, authority=(self._soa(),))

    def _with(self, pieces: list[Piece]) -> Answer:
        return Answer(pieces=tuple(pieces)) if pieces else self._empty()

    # -- the domain, nodes, addresses -------------------------------------------

    def _of_apex(self) -> Answer:
        pieces = []
        if self._kind in (SOA, ANY):
            pieces.append(Piece(self._soa()))
        if self._kind in (NS, ANY):
            own = self._zone.directory.own()
            target = self._host_name(own.name) or self._address_name(own.ip)
            ttl = self._zone._node_ttl
            glue = (address_record(own.ip, ttl, target),) if own.ip else ()
            pieces.append(Piece(ns_record(target, ttl), glue))
        return self._with(pieces)

    def _addresses(self, ips: list[bytes], ttl: int) -> Answer:
        pieces = [Piece(address_record(ip, ttl)) for ip in ips if self._wants(ip)]
        return self._with(pieces)

    def _of_node(self, name: str) -> Answer:
        node = self._zone.directory.node(name)
        if node is None:
            return self._missing()
        ttl = self._zone._node_ttl
        pieces = [Piece(address_record(node.ip, ttl))] if self._wants(node.ip) else []
        if self._kind in (TXT, ANY):
            pieces += [Piece(record) for record in _texts(node, ttl)]
        if not pieces:
            return self._empty()
        loose: tuple[Record, ...] = ()
        if self._zone._config.node_meta_txt and self._kind in FAMILIES:
            loose = tuple(_texts(node, ttl))
        return Answer(pieces=tuple(pieces), loose=loose)

    def _of_address(self, ip: bytes) -> Answer | None:
        directory = self._zone.directory
        target = b""
        if node := directory.node_at(ip):
            target = self._node_name(node)
        elif service := directory.service_at(ip):
            target = self._service_name(service)
        if not target:
            return None if self._zone._config.recursors else self._missing()
        pieces = [Piece(ptr_record(target))] if self._kind in (PTR, ANY) else []
        return self._with(pieces)

    # -- services ---------------------------------------------------------------

    def _of_service(self, named: ServiceNamed) -> Answer:
        zone, config = self._zone, self._zone._config
        view = zone.directory.service(named.service)
        instances = zone.rolls.instances(view, named.tag, named.zone)
        if not instances:
            return self._missing()
        is_shuffled = config.sort != "rtt"
        if not is_shuffled:
            instances = nearest_first(zone._handle, instances)
        ttl = zone._lifetimes.of(named.service)
        places = [place_of(instance, config.srv_weight_scale) for instance in instances]
        if self._kind == SRV:
            pieces = self._srv(places, ttl)
        else:
            ips = dict.fromkeys(place.ip for place in places if self._wants(place.ip))
            pieces = [Piece(address_record(ip, ttl)) for ip in ips]
        external = ""
        is_kept = not config.node_meta_txt  # tags of nodes change without the service
        if not pieces and self._kind in (A, AAAA, ANY, CNAME):
            external, pieces = self._alias(places, ttl)
        return Answer(
            pieces=tuple(pieces),
            is_shuffled=is_shuffled and not external,  # an alias stands before what is behind it
            authority=() if pieces else (self._soa(),),
            loose=self._meta_of(instances) if pieces else (),
            view=view if is_kept and not external else None,
            external=external,
        )

    def _srv(self, places: list[Place], ttl: int) -> list[Piece]:
        told: dict[tuple[str, bytes, str, int], Piece] = {}
        for place in places:
            key = place.node, place.ip, place.host, place.port
            if key in told:
                continue
            if not place.ip:
                target = host_name(place.host) or b""
            else:
                own = b"" if place.is_own else self._host_name(place.node)
                target = own or self._address_name(place.ip)
            if target:
                extra = (address_record(place.ip, ttl, target),) if place.ip else ()
                told[key] = Piece(srv_record(place.weight, place.port, target, ttl), extra)
        return list(told.values())

    def _alias(self, places: list[Place], ttl: int) -> tuple[str, list[Piece]]:
        """Return a CNAME to one of the host names; with addresses of any family there is none."""
        if any(place.ip for place in places):
            return "", []
        for place in places:
            target = host_name(place.host)
            if target is not None:
                external = "" if self._kind == CNAME else place.host
                return external, [Piece(cname_record(target, ttl))]
        return "", []

    def _meta_of(self, instances: list[Instance]) -> tuple[Record, ...]:
        if not self._zone._config.node_meta_txt:
            return ()
        records: list[Record] = []
        for name in dict.fromkeys(map(self._zone.directory.node_of, instances)):
            node = self._zone.directory.node(name.lower())
            owner = self._node_name(name)
            if node is not None and owner:
                records += _texts(node, self._zone._node_ttl, owner)
        return tuple(records)

    # -- names that are told ----------------------------------------------------

    def _wants(self, ip: bytes) -> bool:
        return bool(ip) and (self._kind == ANY or FAMILIES.get(self._kind) == len(ip))

    def _node_name(self, node: str) -> bytes:
        """Return ``<node>.node.<dc>.<domain>``, empty if no such name can be sent."""
        labels = (*sent_text(node).split(b"."), b"node", self._zone._datacenter, *self._labels)
        return wire_name(labels) or b""

    def _host_name(self, node: str) -> bytes:
        """Return the name of a node if resolvers take it for one of a host; else empty."""
        return self._node_name(node) if _HOST_CHARACTERS.issuperset(node) else b""

    def _service_name(self, service: str) -> bytes:
        labels = (sent_text(service), b"service", self._zone._datacenter, *self._labels)
        return b"" if "." in service else wire_name(labels) or b""

    def _address_name(self, ip: bytes) -> bytes:
        return _sent((ip.hex().encode(), b"addr", self._zone._datacenter, *self._labels))


def _followed(answer: Answer, host: tuple[bytes, ...], more: Answer) -> Answer:
    """Return ``answer``, which ends with an alias for ``host``, and what is there.

    If that is nothing, the code and the SOA are those of the last name (RFC 2308, section 2.1).
    """
    owner = _sent(host)
    pieces = tuple(Piece(replace(piece.record, owner=owner)) for piece in more.pieces)
    return replace(
        answer,
        rcode=more.rcode,
        pieces=(*answer.pieces, *pieces),
        authority=more.authority,
        external=more.external,
    )


def _texts(node: Node, ttl: int, owner: bytes = b"") -> list[Record]:
    return [txt_record(attribute(key, value), ttl, owner) for key, value in node.meta]


def _sent(labels: tuple[bytes, ...]) -> bytes:
    name = wire_name(labels)
    assert name is not None, "the configuration checks domain and datacenter"
    return name
