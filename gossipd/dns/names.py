"""What the name of a question means (dns.md, section 1).

Pure and without the cluster: whether there is such a service or node is
``zone.py``'s. Names come as the labels of the wire, in the asker's spelling;
everything is compared in lower case.

Walked from the right, the first of ``service node addr query ...`` that has a suffix on
its right divides a name; left of it are the arguments. A suffix is empty, the
datacenter, ``<dc>.dc``, or one of these after ``<zone>.zone`` (ours: only instances
of that zone; no name of Consul's can end so, and tags keep all they may contain).
A word without one is part of the name of a zone, which peers choose. Datacenter and
domains are ours: the configuration refuses those that would hide names.
"""

from __future__ import annotations

from typing import TypeAlias

from gossipd.config.faces import DNS_WORDS
from gossipd.dns.kinds import SRV
from gossipd.value import Value

WORDS = frozenset(map(str.encode, DNS_WORDS))
_ARPA: dict[tuple[bytes, ...], int] = {(b"in-addr", b"arpa"): 4, (b"ip6", b"arpa"): 16}


class ServiceNamed(Value):
    """Instances of a service; empty ``tag`` and ``zone`` do not filter."""

    service: str
    tag: str = ""
    zone: str = ""


class NodeNamed(Value):
    """A node, its name in lower case."""

    node: str


class AddressNamed(Value):
    """The address that the name spells, 4 or 16 bytes; it need not belong to anybody."""

    ip: bytes


class Reversed(Value):
    """Who has this address, 4 or 16 bytes."""

    ip: bytes


class Apex(Value):
    """The domain itself."""


class NameServer(Value):
    """``ns.<domain>``, which the SOA names."""


class Between(Value):
    """No name of anything, but names end so: there is nothing here, and something below."""


class Nothing(Value):
    """There is no such name."""


class Outside(Value):
    """Not of our domains."""


Meaning: TypeAlias = (
    ServiceNamed
    | NodeNamed
    | AddressNamed
    | Reversed
    | Apex
    | NameServer
    | Between
    | Nothing
    | Outside
)


class Names:
    """Reads names of the configured domains.

    Args:
        domains: the domain and the other one, if any, with or without a dot at the end.
        datacenter: the one that may be said.
    """

    def __init__(self, domains: tuple[str, ...], datacenter: str) -> None:
        self._domains = [labels_of(domain) for domain in domains if domain]
        self._domains.sort(key=len, reverse=True)  # lan.corp before corp
        self._datacenter = datacenter.lower().encode()

    def read(self, labels: tuple[bytes, ...], kind: int) -> tuple[Meaning, int]:
        """Return what ``labels`` means when ``kind`` is asked, and how many are the domain's.

        Of a name outside the domains that number is 0.
        """
        lower = tuple(map(bytes.lower, labels))
        count = self.domain(lower)
        if not count:
            return _reversed(lower), 0
        return self._inside(lower[:-count], kind), count

    def domain(self, labels: tuple[bytes, ...]) -> int:
        """Return how many labels, given in lower case, are the domain's; 0 outside."""
        for domain in self._domains:
            if labels[-len(domain) :] == domain:
                return len(domain)
        return 0

    def _inside(self, labels: tuple[bytes, ...], kind: int) -> Meaning:
        if not labels:
            return Apex()
        for at in range(len(labels) - 1, -1, -1):
            label = labels[at]
            is_word = label in WORDS
            if not is_word and not (kind == SRV and at == 1 and _is_rfc_2782(labels[:2])):
                continue
            zone = self._suffix(labels[at + 1 :])
            if zone is None or (zone and is_word and label != b"service"):
                continue
            if not is_word:
                return _by_rfc_2782(labels[:2], _text(zone))
            return _divided(label, labels[:at], _text(zone))
        if labels == (b"ns",):
            return NameServer()
        return Between() if self._is_between(labels) else Nothing()

    def _is_between(self, labels: tuple[bytes, ...]) -> bool:
        zone = self._suffix(labels)
        if zone is None:
            return labels in ((b"dc",), (b"zone",))
        # a name with a word in it is taken for a wrong one of that word, not for a long zone
        return len(zone) < 2 or WORDS.isdisjoint(zone)

    def _suffix(self, labels: tuple[bytes, ...]) -> tuple[bytes, ...] | None:
        """Return the zone that a suffix names, empty for none; ``None`` if it is no suffix."""
        if labels[-2:] == (self._datacenter, b"dc"):
            labels = labels[:-2]
        elif labels[-1:] == (self._datacenter,):
            labels = labels[:-1]
        if not labels:
            return labels
        if labels[-1] == b"zone" and len(labels) > 1:
            return labels[:-1]
        return None


def labels_of(name: str) -> tuple[bytes, ...]:
    """Return the labels of a configured name in lower case."""
    return tuple(label.encode() for label in name.lower().removesuffix(".").split("."))


def _divided(word: bytes, arguments: tuple[bytes, ...], zone: str) -> Meaning:
    if word not in (b"service", b"node", b"addr"):
        return Nothing()
    if not arguments:
        return Between()
    if word == b"addr":
        return _spelled(arguments)
    if word == b"node":
        return NodeNamed(_text(arguments))
    if len(arguments) == 2 and all(label.startswith(b"_") for label in arguments):
        return _by_rfc_2782(arguments, zone)
    service, tag = _text(arguments[-1:]), _text(arguments[:-1])
    return ServiceNamed(service, tag, zone)


def _is_rfc_2782(labels: tuple[bytes, ...]) -> bool:
    return all(label[:1] == b"_" and len(label) > 1 for label in labels)


def _by_rfc_2782(labels: tuple[bytes, ...], zone: str) -> Meaning:
    if not _is_rfc_2782(labels):
        return Nothing()
    service, tag = _text((labels[0][1:],)), _text((labels[1][1:],))
    return ServiceNamed(service, "" if tag == "tcp" else tag, zone)


def _spelled(labels: tuple[bytes, ...]) -> Meaning:
    if len(labels) != 1 or len(labels[0]) not in (8, 32) or not labels[0].isalnum():
        return Nothing()
    try:
        return AddressNamed(bytes.fromhex(labels[0].decode()))
    except ValueError:
        return Nothing()


def _reversed(labels: tuple[bytes, ...]) -> Meaning:
    size = _ARPA.get(labels[-2:])
    if size is None:
        return Outside()
    parts = labels[-3::-1]
    if size == 4 and len(parts) == 4 and all(map(_is_octet, parts)):
        return Reversed(bytes(map(int, parts)))
    if size == 16 and len(parts) == 32 and all(len(p) == 1 and p.isalnum() for p in parts):
        try:
            return Reversed(bytes.fromhex(b"".join(parts).decode()))
        except ValueError:
            return Outside()
    return Outside()


def _is_octet(label: bytes) -> bool:
    if not label.isdigit() or len(label) > 3 or (label[:1] == b"0" and len(label) > 1):
        return False
    return int(label) < 256


def _text(labels: tuple[bytes, ...]) -> str:
    """Return labels as the text of a name, in lower case beyond ASCII as well."""
    return b".".join(labels).decode("utf-8", "surrogateescape").lower()
