"""What is said to resolvers of others, and what is believed of their replies (dns.md, section 7).

A reply counts only if it comes from the address that was asked (the socket sees to
that), bears the random id and repeats the question. Nothing of it is kept.
"""

from __future__ import annotations

import struct

from gossipd.dns.kinds import (
    AAAA,
    CD,
    CLASS_IN,
    CNAME,
    FORMERR,
    HEADER_BYTES,
    NOTIMP,
    NXDOMAIN,
    QR,
    RA,
    RD,
    REFUSED,
    SERVFAIL,
    TC,
    A,
)
from gossipd.dns.message import Query
from gossipd.dns.records import Record
from gossipd.dns.reply import opt_record
from gossipd.errors import WireError

PAYLOAD = 1232
"""Bytes of a datagram that upstreams may send."""
CHAIN_MAX = 16
"""Records taken of a reply for the name behind a CNAME."""
LABELS_MAX = 512
"""Labels read in one reply, those behind pointers each time again."""
_USELESS = (FORMERR, SERVFAIL, NOTIMP, REFUSED)
_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_POINTER = 0xC0


def question_for(id: int, query: Query) -> bytes:
    """Return what is sent upstream for ``query``: its question, with an OPT if it has one.

    Options of the asker (cookies, its subnet) stay here.
    """
    edns = query.edns
    opt = b"" if edns is None else opt_record(PAYLOAD, dnssec=edns.wants_dnssec)
    header = _HEADER.pack(id, RD | query.flags & CD, 1, 0, 0, bool(opt))
    return header + query.question + opt


def is_reply(data: bytes, id: int, question: bytes) -> bool:
    """Return whether ``data`` can be the reply to a question that was sent with ``id``."""
    end = HEADER_BYTES + len(question)
    if len(data) < end:
        return False
    found, flags, questions, *_ = _HEADER.unpack_from(data)
    return (
        found == id
        and bool(flags & QR)
        and questions == 1
        and data[HEADER_BYTES : end - 4].lower() == question[:-4].lower()
        and data[end - 4 : end] == question[-4:]
    )


def is_truncated(reply: bytes) -> bool:
    """Return whether the rest is to be had by TCP."""
    return bool(_HEADER.unpack_from(reply)[1] & TC)


def is_useless(reply: bytes) -> bool:
    """Return whether another resolver should be asked: this one cannot or will not answer."""
    return _HEADER.unpack_from(reply)[1] & 0xF in _USELESS


def is_denial(reply: bytes) -> bool:
    """Return whether there is no such name."""
    return bool(_HEADER.unpack_from(reply)[1] & 0xF == NXDOMAIN)


def passed_on(reply: bytes, query: Query, room: int) -> bytes:
    """Return an upstream's reply as the asker gets it; with TC and empty if ``room`` is short."""
    flags = _HEADER.unpack_from(reply)[1] | RA
    if len(reply) <= room:
        return (
            struct.pack("!HH", query.id, flags)
            + reply[4:HEADER_BYTES]
            + (query.question + reply[HEADER_BYTES + len(query.question) :])
        )
    edns = query.edns
    opt = b"" if edns is None else opt_record(PAYLOAD)
    header = _HEADER.pack(query.id, flags | TC, 1, 0, 0, bool(opt))
    return header + query.question + opt


def chain_untrusted(reply: bytes, question: bytes) -> tuple[Record, ...]:
    """Return the aliases and addresses in the answer of ``reply``, names written out.

    Raises:
        WireError: it cannot be read.
    """
    count = min(_HEADER.unpack_from(reply)[3], CHAIN_MAX)
    at = HEADER_BYTES + len(question)
    budget = [LABELS_MAX]
    found = []
    try:
        for _ in range(count):
            owner, at = _name(reply, at, budget)
            kind, group, ttl, length = _RECORD.unpack_from(reply, at)
            at += _RECORD.size
            data = reply[at : at + length]
            if group == CLASS_IN and kind == CNAME:
                target, _end = _name(reply, at, budget)
                found.append(Record(owner, kind, ttl, target))
            elif group == CLASS_IN and (kind, len(data)) in ((A, 4), (AAAA, 16)):
                found.append(Record(owner, kind, ttl, data))
            at += length
    except (IndexError, ValueError, struct.error):
        raise WireError("dns-upstream", "a reply that cannot be read") from None
    return tuple(found)


def _name(data: bytes, at: int, budget: list[int]) -> tuple[bytes, int]:
    """Return the name at ``at``, written out, and where it ends there."""
    parts: list[bytes] = []
    end, before, size = 0, at, 0
    while True:
        budget[0] -= 1
        if budget[0] < 0:
            raise ValueError("too many labels")
        length = data[at]
        if length >= _POINTER:
            end = end or at + 2
            at = (length & ~_POINTER) << 8 | data[at + 1]
            if at >= before:
                raise ValueError("a name that points forward")  # only so can names go round
            before = at
            continue
        if length > 63 or size + length >= 255:
            raise ValueError("no name")
        label = data[at : at + 1 + length]
        if len(label) <= length:
            raise ValueError("cut off")
        parts.append(label)
        size += 1 + length
        at += 1 + length
        if not length:
            return b"".join(parts), end or at
