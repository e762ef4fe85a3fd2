"""mDNS messages: what is written is read again, and nothing that comes by network breaks it."""

from __future__ import annotations

import contextlib
import struct

import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.address import Address, address_from_host
from gossipd.agent.mdns_messages import (
    Instance,
    MdnsMessage,
    answer,
    instance_label,
    question,
    read_untrusted,
    service_of,
)
from gossipd.errors import WireError

BLUE = service_of("blue")
OWN = Instance(b"web.1", address_from_host("10.0.0.7", 7946))


def with_flush_bits(data: bytes) -> bytes:
    """Return an answer as avahi writes it: the class of each record has its top bit set."""
    message = dns.message.from_wire(data)
    for rrset in message.answer:
        assert rrset.rdclass == 1
    found = bytearray(data)
    at = 0
    for rrset in message.answer:
        pattern = struct.pack("!HHI", rrset.rdtype, 1, rrset.ttl)
        at = found.index(pattern, at)
        found[at + 2] |= 0x80
        at += len(pattern)
    return bytes(found)


@pytest.mark.parametrize("host", ["10.0.0.7", "fd00::7"])
def test_an_answer_names_the_instance_and_where_it_is(host: str) -> None:
    own = Instance(b"web.1", address_from_host(host, 7946))
    data = answer(BLUE, "blue", own, id=77)
    assert read_untrusted(data, BLUE) == MdnsMessage(False, (own,))
    assert read_untrusted(with_flush_bits(data), BLUE).instances == (own,)
    assert read_untrusted(data, service_of("red")).instances == ()
    message = dns.message.from_wire(data)
    assert message.id == 77
    text = "\n".join(rrset.to_text() for rrset in message.answer)
    assert r"_serf_blue._tcp.local. 120 IN PTR web\.1._serf_blue._tcp.local." in text
    assert "TXT \"Serf 'blue' cluster\"" in text


def test_an_answer_that_is_taken_back_names_nobody() -> None:
    assert read_untrusted(answer(BLUE, "blue", OWN, ttl=0), BLUE).instances == ()


def test_a_question_is_for_one_cluster_and_may_want_unicast() -> None:
    assert read_untrusted(question(BLUE), BLUE) == MdnsMessage(True, (), 0, True)
    assert not read_untrusted(question(BLUE), service_of("red")).is_question
    plain = dns.message.make_query(BLUE, "PTR", id=9).to_wire()
    assert read_untrusted(plain, BLUE) == MdnsMessage(True, (), 9, False)
    other = dns.message.make_query(BLUE, "A").to_wire()
    assert not read_untrusted(other, BLUE).is_question


def test_what_serf_writes_is_read() -> None:
    """Its instance has the node's name with plain dots, its host the machine's bare name."""
    message = dns.message.Message(0)
    message.flags = dns.flags.Flag(0x8400)
    for name, kind, text in (
        ("_serf_blue._tcp.local.", "PTR", "node.1._serf_blue._tcp.local."),
        ("node.1._serf_blue._tcp.local.", "SRV", "10 1 7946 machine."),
        ("machine.", "A", "10.0.0.9"),
        ("node.1._serf_blue._tcp.local.", "TXT", "\"Serf 'blue' cluster\""),
    ):
        message.answer.append(dns.rrset.from_text(name, 120, "IN", kind, text))
    (found,) = read_untrusted(message.to_wire(), BLUE).instances
    assert found.address == Address(bytes([10, 0, 0, 9]), 7946)


def test_an_instance_without_address_or_with_one_nobody_can_reach_is_none() -> None:
    message = dns.message.Message(0)
    message.flags = dns.flags.Flag(0x8400)
    for name, kind, text in (
        ("a._serf_blue._tcp.local.", "SRV", "10 1 7946 machine."),
        ("b._serf_blue._tcp.local.", "SRV", "10 1 0 b."),
        ("b.", "A", "10.0.0.9"),
        ("c._serf_blue._tcp.local.", "SRV", "10 1 1 c."),
        ("c.", "A", "0.0.0.0"),
    ):
        message.answer.append(dns.rrset.from_text(name, 120, "IN", kind, text))
    assert read_untrusted(message.to_wire(), BLUE).instances == ()


def test_long_names_and_long_clusters_fit() -> None:
    service = service_of("x" * 57 + "." + "y" * 60)
    own = Instance(instance_label("ä" * 400), OWN.address)
    (found,) = read_untrusted(answer(service, "x", own), service).instances
    assert found.address == OWN.address


@given(st.binary(max_size=200))
def test_garbage_only_raises_a_wire_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        read_untrusted(data, BLUE)


@given(st.sampled_from([question(BLUE), answer(BLUE, "blue", OWN)]), st.data())
def test_damaged_messages_only_raise_a_wire_error(whole: bytes, draw: st.DataObject) -> None:
    data = bytearray(whole)
    for _ in range(draw.draw(st.integers(1, 6))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        read_untrusted(bytes(data[: draw.draw(st.integers(0, len(data)))]), BLUE)


def test_messages_of_other_kinds_and_sizes_are_refused() -> None:
    with pytest.raises(WireError, match="9000"):
        read_untrusted(bytes(9001), BLUE)
    update = struct.pack("!HHHHHH", 1, 0x2800, 0, 0, 0, 0)
    with pytest.raises(WireError, match="neither a query"):
        read_untrusted(update, BLUE)
