"""A question as it comes from anybody: bytes in, ``Query`` out (RFC 1035, RFC 6891).

Read by hand and not with dnspython, which the daemon has for what it asks itself:
loading its messages costs 4.9 MB, more than the whole face may, and a general
library works longer on a message made for it than a resolver may. Here a message
is walked once and no pointer is followed: the name of a question stands first, where
nothing can be pointed to.
"""

from __future__ import annotations

import struct

from gossipd.dns.kinds import (
    CD,
    CLASS_IN,
    FORMERR,
    HEADER_BYTES,
    NOTIMP,
    OPCODE,
    OPT,
    QR,
    RD,
    REFUSED,
)
from gossipd.errors import WireError
from gossipd.value import Value

RECORDS_MAX = 16
"""Beside the question; a question has one, its OPT."""
NAME_BYTES_MAX = 255
LABEL_BYTES_MAX = 63
DNSSEC_OK = 0x8000
"""Bit of an OPT (RFC 3225)."""
CLIENT_SUBNET = 8
"""Option of EDNS (RFC 7871)."""
_FAMILY_BITS = {1: 32, 2: 128}
_SUBNET = struct.Struct("!HB")
_POINTER = 0xC0
_HEADER = struct.Struct("!HHHHHH")
_QUESTION = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
_OPTION = struct.Struct("!HH")


class Edns(Value):
    """What an OPT says: bytes that the asker takes, the version, a client subnet if any."""

    payload: int
    version: int = 0
    subnet: bytes = b""
    wants_dnssec: bool = False


class Query(Value):
    """One question: ``question`` are its bytes (name, type, class), ``labels`` its name's."""

    id: int
    flags: int
    """RD and CD alone."""
    question: bytes
    labels: tuple[bytes, ...]
    kind: int
    edns: Edns | None = None
    has_options: bool = False
    """Options that differ from query to query may be in it (cookies)."""


class BadQuery(WireError):
    """What was read gets no answer but ``rcode``; ``rcode`` is ``None`` if not even that.

    ``head`` is how an answer to it begins: id and flags, still without rcode.
    """

    def __init__(self, reason: str, rcode: int | None, head: tuple[int, int] = (0, 0)) -> None:
        super().__init__(reason)
        self.rcode = rcode
        self.head = head


def read_query_untrusted(data: bytes) -> Query:
    """Return the question in ``data``.

    Raises:
        BadQuery: it is none that can be answered.
    """
    if len(data) < HEADER_BYTES:
        raise BadQuery("dns-short", None)
    id, flags, questions, answers, authorities, others = _HEADER.unpack_from(data)
    if flags & QR:
        raise BadQuery("dns-reply", None)  # an answer to it could go round for ever
    head = id, QR | flags & (OPCODE | RD | CD)
    if flags & OPCODE:
        raise BadQuery("dns-opcode", NOTIMP, head)
    records = answers + authorities + others
    if questions != 1 or records > RECORDS_MAX:
        raise BadQuery("dns-counts", FORMERR, head)
    try:
        labels, at = _labels(data, HEADER_BYTES)
        kind, group = _QUESTION.unpack_from(data, at)
        at += _QUESTION.size
        question = data[HEADER_BYTES:at]
        edns, has_options, at = _edns(data, at, answers + authorities, others)
    except (struct.error, IndexError, ValueError):
        raise BadQuery("dns-malformed", FORMERR, head) from None
    if at != len(data):
        raise BadQuery("dns-trailing", FORMERR, head)
    if group != CLASS_IN:
        raise BadQuery("dns-class", REFUSED, head)
    return Query(id, flags & (RD | CD), question, labels, kind, edns, has_options)


def _labels(data: bytes, at: int) -> tuple[tuple[bytes, ...], int]:
    labels = []
    start = at
    while length := data[at]:
        if length > LABEL_BYTES_MAX:
            raise ValueError("no label")
        end = at + 1 + length
        labels.append(data[at + 1 : end])
        at = end
        if at - start >= NAME_BYTES_MAX:
            raise ValueError("too long")
    return tuple(labels), at + 1


def _edns(data: bytes, at: int, before: int, others: int) -> tuple[Edns | None, bool, int]:
    """Walk the records; return what the OPT says, whether it has options, and where they end."""
    found: Edns | None = None
    has_options = False
    for number in range(before + others):
        name_at, at = at, _end_of_name(data, at)
        kind, group, ttl, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        end = at + length
        if end > len(data):
            raise ValueError("cut off")
        if kind == OPT:
            if found is not None or number < before or data[name_at]:
                raise ValueError("misplaced")
            found = Edns(group, ttl >> 16 & 0xFF, _subnet(data[at:end]), bool(ttl & DNSSEC_OK))
            has_options = length > 0
        at = end
    return found, has_options, at


def _end_of_name(data: bytes, at: int) -> int:
    while length := data[at]:
        if length >= _POINTER:
            return at + 2
        if length > LABEL_BYTES_MAX:
            raise ValueError("no label")
        at += 1 + length
    return at + 1


def _subnet(options: bytes) -> bytes:
    """Return the client subnet among ``options`` as it is echoed, with scope 0; empty if none."""
    at, found = 0, b""
    while at < len(options):
        code, length = _OPTION.unpack_from(options, at)
        at += _OPTION.size
        if at + length > len(options):
            raise ValueError("cut off")
        if code == CLIENT_SUBNET:
            _check_subnet(options[at : at + length])
            value = options[at : at + 3] + b"\0" + options[at + 4 : at + length]
            found = _OPTION.pack(code, length) + value
        at += length
    return found


def _check_subnet(value: bytes) -> None:
    """See that ``value`` is an address and how much of it counts, with nothing behind that."""
    family, bits = _SUBNET.unpack_from(value)
    address = value[4:]
    if bits > _FAMILY_BITS.get(family, -1) or len(value) < 4 or len(address) != (bits + 7) // 8:
        raise ValueError("no subnet")
    if bits % 8 and address[-1] & 0xFF >> bits % 8:
        raise ValueError("bits behind the subnet")
