"""Addresses: bytes inside, text at the edges."""

from __future__ import annotations

import pytest

from gossipd.address import Address, address_from_host, split_host_port
from gossipd.errors import UsageError


def test_an_ipv4_literal_becomes_four_bytes() -> None:
    assert address_from_host("127.0.0.1", 7946) == Address(b"\x7f\0\0\x01", 7946)


def test_a_mapped_ipv4_literal_becomes_four_bytes_too() -> None:
    assert address_from_host("::ffff:10.0.0.1", 1).ip == b"\x0a\0\0\x01"


def test_a_mapped_address_from_the_wire_keeps_its_sixteen_bytes_but_reads_as_ipv4() -> None:
    mapped = Address(b"\0" * 10 + b"\xff\xff" + b"\x0a\0\0\x01", 80)
    assert mapped != address_from_host("10.0.0.1", 80)
    assert str(mapped) == "10.0.0.1:80"


def test_ipv6_is_written_in_brackets() -> None:
    assert str(address_from_host("2001:db8::1", 53)) == "[2001:db8::1]:53"


def test_a_scope_is_not_part_of_the_address() -> None:
    assert address_from_host("fe80::1%eth0", 1) == address_from_host("fe80::1", 1)


@pytest.mark.parametrize("host", ["", "example.org", "1.2.3", "1.2.3.4.5", "::g"])
def test_a_host_that_is_no_literal_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="is not an IP address"):
        address_from_host(host, 1)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a", ("a", 7946)),
        ("a:1", ("a", 1)),
        ("10.0.0.1:65535", ("10.0.0.1", 65535)),
        ("::1", ("::1", 7946)),
        ("[::1]", ("::1", 7946)),
        ("[::1]:9", ("::1", 9)),
    ],
)
def test_host_and_port_are_split(text: str, wanted: tuple[str, int]) -> None:
    assert split_host_port(text, 7946) == wanted


@pytest.mark.parametrize("text", ["", ":1", "a:x", "a:65536", "a:-1", "[::1", "[::1]9", "[]:1"])
def test_what_is_no_host_and_port_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(UsageError):
        split_host_port(text, 7946)
