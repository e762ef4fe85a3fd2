"""Records and answers: what the zone says, each record already in the form of the wire.

Names within the data of a record are written out: RFC 2782 forbids to compress the
target of an SRV, and so every record is the same wherever it stands in a reply.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from gossipd.dns.kinds import AAAA, CNAME, NOERROR, NS, PTR, SOA, SRV, TXT, A
from gossipd.services.instance import ServiceView
from gossipd.value import Value

PRIORITY = 1
"""Of all SRV records."""
TXT_BYTES_MAX = 4096
"""Of one text; tags are far shorter."""
_SRV = struct.Struct("!HHH")
_SOA = struct.Struct("!IIIII")
_REFRESH, _RETRY, _EXPIRE = 3600, 600, 86400
_LABEL_MAX, _NAME_MAX = 63, 255


class Record(Value):
    """One record; an empty ``owner`` is the name of the question, otherwise it is written out."""

    owner: bytes
    kind: int
    ttl: int
    data: bytes


class Piece(Value):
    """A record that answers, and those that go with it (the address of its target)."""

    record: Record
    extra: tuple[Record, ...] = ()
    """Their owner is the target of ``record``."""


class Answer(Value, kw_only=True):
    """What is answered, in no bytes yet."""

    rcode: int = NOERROR
    pieces: tuple[Piece, ...] = ()
    is_shuffled: bool = False
    """Each reply gets the pieces in an order of its own."""
    authority: tuple[Record, ...] = ()
    loose: tuple[Record, ...] = ()
    """Additional records that are the first to go when there is no room."""
    is_authoritative: bool = True
    view: ServiceView | None = None
    """What it was made from: as long as that is current, so is this. ``None``: it is not
    worth keeping."""
    external: str = ""
    """Name of another's zone that the last record points to."""


def wire_name(labels: Iterable[bytes]) -> bytes | None:
    """Return a name as it is sent; ``None`` if it cannot be sent."""
    parts = []
    for label in labels:
        if not 0 < len(label) <= _LABEL_MAX:
            return None
        parts.append(bytes((len(label),)) + label)
    name = b"".join(parts) + b"\0"
    return name if len(name) <= _NAME_MAX else None


def sent_text(text: str) -> bytes:
    """Return the bytes of a text of peers: what came as no UTF-8 goes out as it came."""
    return text.encode("utf-8", "surrogateescape")


def host_name(text: str) -> bytes | None:
    """Return a host name, given as text, as it is sent; ``None`` if it is none."""
    plain = text.removesuffix(".")
    if not plain or not plain.isascii() or any(c <= " " or c == "\x7f" for c in plain):
        return None
    return wire_name(label.encode() for label in plain.split("."))


def address_record(ip: bytes, ttl: int, owner: bytes = b"") -> Record:
    """Return the A or AAAA record of 4 or 16 bytes."""
    return Record(owner, A if len(ip) == 4 else AAAA, ttl, ip)


def srv_record(weight: int, port: int, target: bytes, ttl: int) -> Record:
    """Return an SRV record (RFC 2782)."""
    return Record(b"", SRV, ttl, _SRV.pack(PRIORITY, weight, port) + target)


def cname_record(target: bytes, ttl: int, owner: bytes = b"") -> Record:
    """Return a CNAME record."""
    return Record(owner, CNAME, ttl, target)


def ptr_record(target: bytes) -> Record:
    """Return a PTR record; nobody may keep it."""
    return Record(b"", PTR, 0, target)


def ns_record(target: bytes, ttl: int) -> Record:
    """Return an NS record."""
    return Record(b"", NS, ttl, target)


def soa_record(apex: bytes, serial: int, minimum: int) -> Record:
    """Return the SOA of the domain ``apex``; it may be kept as long as what it denies."""
    data = b"\x02ns" + apex + b"\x0ahostmaster" + apex
    numbers = _SOA.pack(serial & 0xFFFFFFFF, _REFRESH, _RETRY, _EXPIRE, minimum)
    return Record(apex, SOA, minimum, data + numbers)


def txt_record(text: bytes, ttl: int, owner: bytes = b"") -> Record:
    """Return a TXT record; what is longer than 255 bytes becomes several strings of it."""
    text = text[:TXT_BYTES_MAX]
    strings = [text[at : at + 255] for at in range(0, len(text), 255)] or [b""]
    return Record(owner, TXT, ttl, b"".join(bytes((len(one),)) + one for one in strings))


def attribute(key: str, value: str) -> bytes:
    """Return ``key=value`` quoted as RFC 1464 has it; of ``rfc1035-...`` the bare value."""
    if key.lower().startswith("rfc1035-"):
        return sent_text(value)
    quoted = key.replace("`", "``").replace("=", "`=")
    inner = quoted.strip(" \t")
    if inner != quoted:
        begin = len(quoted) - len(quoted.lstrip(" \t")) if inner else len(quoted)
        end = begin + len(inner)
        quoted = _back_quoted(quoted[:begin]) + inner + _back_quoted(quoted[end:])
    return sent_text(f"{quoted}={value}")


def _back_quoted(blanks: str) -> str:
    return "".join(f"`{blank}" for blank in blanks)
