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
from gossipd.agent.seeds.dns_reader import BAD_MESSAGE
from gossipd.agent.seeds.mdns_messages import (
    Instance,
    MdnsMessage,
    answer,
    instance_label,
    question,
    read_untrusted,
    service_of,
)
from gossipd.config.agent_model import AgentConfig, agent_faults
from gossipd.config.model import NodeConfig
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


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=130))
def test_any_cluster_that_the_configuration_takes_has_its_messages(cluster: str) -> None:
    """One of 128 characters that were more bytes ended the daemon."""
    config = AgentConfig(node=NodeConfig(name="n" * 100), discover=cluster)
    if not list(agent_faults(config)):
        service = service_of(cluster)
        own = Instance(instance_label(config.node.name), OWN.address)
        assert read_untrusted(answer(service, cluster, own), service).instances == (own,)
        assert read_untrusted(question(service), service).is_question


@pytest.mark.parametrize("labels", [(25, 31, 31, 31), (25, 31)])
def test_a_cluster_that_fits_into_no_dns_name_is_refused(labels: tuple[int, ...]) -> None:
    cluster = ".".join("ä" * count for count in labels)
    config = AgentConfig(node=NodeConfig(name="n"), discover=cluster)
    faults = [str(fault) for fault in agent_faults(config)]
    assert faults == (["discover is longer than 128 bytes"] if len(labels) == 4 else [])


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


def test_records_of_other_classes_are_passed_over() -> None:
    """One of them with the type of a service record once ended the daemon."""
    data = bytearray(answer(BLUE, "blue", OWN))
    at = data.index(struct.pack("!HHI", 33, 1, 120)) + 2
    data[at : at + 2] = struct.pack("!H", 94)
    assert read_untrusted(bytes(data), BLUE).instances == ()


def records(count: int, name: bytes = b"", kind: int = 33) -> bytes:
    """Return an answer of ``count`` records whose names point at one of 120 labels."""
    long = b"\x01a" * 120 + b"\0"
    first = long + struct.pack("!HHIH", 16, 1, 1, 0)
    further = (name or b"\xc0\x0c") + struct.pack("!HHIH", kind, 1, 1, 0)
    return struct.pack("!HHHHHH", 0, 0x8400, 0, 1 + count, 0, 0) + first + further * count


def test_no_message_makes_much_work() -> None:
    """One of them cost a quarter of a second, and 200 a second are read."""
    with pytest.raises(WireError, match="records"):
        read_untrusted(records(300, kind=16), BLUE)
    with pytest.raises(WireError, match="labels"):
        read_untrusted(records(200), BLUE)
    assert read_untrusted(records(200, kind=16), BLUE).instances == ()  # no name is read


@pytest.mark.parametrize(
    "name",
    [b"\xc1\x0d", b"\xc2\xff", b"\x80\x00", b"\x3f" + b"a" * 20, (b"\x3f" + b"a" * 63) * 4 + b"\0"],
)
def test_a_name_that_goes_round_or_ends_nowhere_is_refused(name: bytes) -> None:
    with pytest.raises(WireError, match=BAD_MESSAGE):
        read_untrusted(records(1, name), BLUE)


def test_a_service_record_must_hold_a_host_and_nothing_more() -> None:
    whole = answer(BLUE, "blue", OWN)
    at = whole.index(struct.pack("!HHI", 33, 1, 120)) + 8
    (length,) = struct.unpack_from("!H", whole, at)
    for wrong in (0, 6, length - 1):
        cut = whole[:at] + struct.pack("!H", wrong) + whole[at + 2 : at + 2 + wrong]
        counts = cut[:6] + struct.pack("!H", 2) + cut[8:]
        with pytest.raises(WireError, match=BAD_MESSAGE):
            read_untrusted(counts, BLUE)


def test_messages_of_other_kinds_and_sizes_are_refused() -> None:
    with pytest.raises(WireError, match="9000"):
        read_untrusted(bytes(9001), BLUE)
    update = struct.pack("!HHHHHH", 1, 0x2800, 0, 0, 0, 0)
    with pytest.raises(WireError, match="neither a query"):
        read_untrusted(update, BLUE)
