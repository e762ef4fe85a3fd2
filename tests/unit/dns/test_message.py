"""Questions as they come from anybody: the right code for each, and no work without end."""

from __future__ import annotations

import struct

import dns.flags
import dns.message
import dns.opcode
import pytest

from gossipd.dns.kinds import FORMERR, NOTIMP, RD, REFUSED
from gossipd.dns.message import BadQuery, read_query_untrusted
from support.dns_face import make_query

HEADER = struct.pack("!HHHHHH", 7, RD, 1, 0, 0, 0)
WEB = b"\x03web\x06consul\0\0\x01\0\x01"


def refused(data: bytes) -> tuple[str, int | None]:
    with pytest.raises(BadQuery) as caught:
        read_query_untrusted(data)
    return caught.value.reason, caught.value.rcode


def test_a_question_of_a_library_is_read() -> None:
    data = make_query("WEB.service.consul", "SRV", payload=1400).to_wire()
    query = read_query_untrusted(data)
    assert query.labels == (b"WEB", b"service", b"consul")
    assert (query.kind, query.flags, query.id) == (33, RD, struct.unpack_from("!H", data)[0])
    assert query.question == data[12:-11]
    assert query.edns is not None
    assert (query.edns.payload, query.edns.version, query.has_options) == (1400, 0, False)


def test_without_edns_there_is_none() -> None:
    query = read_query_untrusted(HEADER + WEB)
    assert (query.edns, query.flags) == (None, RD)


def test_the_root_is_a_name() -> None:
    assert read_query_untrusted(HEADER + b"\0\0\x02\0\x01").labels == ()


def test_cookies_are_seen_and_a_client_subnet_is_echoed_with_scope_0() -> None:
    subnet = struct.pack("!HHHBB", 8, 7, 1, 24, 24) + b"\x0a\x01\x02"
    cookie = struct.pack("!HH", 10, 8) + b"01234567"
    options = cookie + subnet
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0x8000, len(options)) + options
    query = read_query_untrusted(HEADER[:10] + b"\0\x01" + WEB + opt)
    assert query.has_options
    assert query.edns is not None
    assert query.edns.wants_dnssec
    assert query.edns.subnet == struct.pack("!HHHBB", 8, 7, 1, 24, 0) + b"\x0a\x01\x02"


@pytest.mark.parametrize(
    ("data", "reason", "rcode"),
    [
        (b"", "short", None),
        (HEADER[:11], "short", None),
        (HEADER, "malformed", FORMERR),
        (b"\0\x07\x80\0" + HEADER[4:] + WEB, "reply", None),
        (HEADER[:2] + b"\x20\0" + HEADER[4:] + WEB, "opcode", NOTIMP),
        (HEADER[:4] + b"\0\0" + HEADER[6:], "counts", FORMERR),
        (HEADER[:4] + b"\0\x02" + HEADER[6:] + WEB + WEB, "counts", FORMERR),
        (HEADER[:10] + b"\xff\xff" + WEB, "counts", FORMERR),
        (HEADER[:10] + b"\0\x01" + WEB, "malformed", FORMERR),
        (HEADER + WEB[:-1], "malformed", FORMERR),
        (HEADER + WEB + b"x", "trailing", FORMERR),
        (HEADER + WEB[:-1] + b"\x03", "class", REFUSED),
        (HEADER + b"\xc0\x0c\0\x01\0\x01", "malformed", FORMERR),
        (HEADER + b"\x03web\xc0\x0c\0\x01\0\x01", "malformed", FORMERR),
        (HEADER + b"\x40" + b"x" * 64 + b"\0\0\x01\0\x01", "malformed", FORMERR),
        (HEADER + b"\x3f" + b"x" * 63, "malformed", FORMERR),
        (HEADER + (b"\x3f" + b"x" * 63) * 4 + b"\0\0\x01\0\x01", "malformed", FORMERR),
    ],
)
def test_what_is_no_question_is_refused(data: bytes, reason: str, rcode: int | None) -> None:
    assert refused(data) == (f"dns-{reason}", rcode)


def test_two_opts_and_a_misplaced_one_are_malformed() -> None:
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)
    assert refused(HEADER[:10] + b"\0\x02" + WEB + opt + opt)[1] == FORMERR
    assert refused(HEADER[:6] + b"\0\x01\0\0\0\0" + WEB + opt)[1] == FORMERR
    named = b"\x01x\0" + opt[1:]
    assert refused(HEADER[:10] + b"\0\x01" + WEB + named)[1] == FORMERR


def test_options_that_are_cut_off_are_malformed() -> None:
    subnets = (b"\0\1", b"\0\1\x18\0\1\2", b"\0\1\x21\0\1\2\3\4\5", b"\0\3\0\0", b"\0\1\4\0\x0f")
    bad = [b"\0\x08" + len(one).to_bytes(2) + one for one in subnets]
    for options in (b"\0\x0a\0\x09", b"\0\x0a\0", *bad):
        opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, len(options)) + options
        assert refused(HEADER[:10] + b"\0\x01" + WEB + opt)[1] == FORMERR


def test_the_longest_name_is_read() -> None:
    labels = [b"x" * 63, b"y" * 63, b"z" * 63, b"w" * 61]
    name = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    assert len(name) == 255
    assert read_query_untrusted(HEADER + name + b"\0\x01\0\x01").labels == tuple(labels)


def test_a_signed_question_is_read_without_its_signature() -> None:
    query = make_query("web.service.consul", payload=None)
    query.use_tsig({dns.name.from_text("k."): b"secret"})
    assert read_query_untrusted(query.to_wire()).labels[0] == b"web"


def test_other_opcodes_are_not_offered() -> None:
    for opcode in (dns.opcode.IQUERY, dns.opcode.STATUS, dns.opcode.NOTIFY, dns.opcode.UPDATE):
        query = make_query("web.service.consul")
        query.set_opcode(opcode)
        assert refused(query.to_wire())[1] == NOTIMP
