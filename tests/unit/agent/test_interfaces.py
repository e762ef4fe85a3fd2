"""Interfaces and their addresses, and which one is bound."""

from __future__ import annotations

import socket

import pytest

from gossipd.address import Address, address_from_host
from gossipd.agent.interfaces import Interface, interface_named, interfaces
from gossipd.agent.listening import bind_address
from gossipd.errors import ConfigError

LOOPBACK = bytes([127, 0, 0, 1])
V6 = address_from_host("fd00::5", 1).ip
V6_LOCAL = address_from_host("fe80::5", 1).ip


def test_the_loopback_is_listed_with_its_address_and_has_no_multicast() -> None:
    (loopback,) = [found for found in interfaces() if found.name == "lo"]
    assert LOOPBACK in loopback.addresses
    assert not loopback.has_multicast
    assert loopback.index == socket.if_nametoindex("lo")


def test_an_unknown_interface_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"interface: no network interface 'nope0' here.*lo"):
        interface_named("interface", "nope0")


def test_an_unspecified_bind_takes_the_address_of_the_interface() -> None:
    assert bind_address("0.0.0.0:1234", "lo") == Address(LOOPBACK, 1234)
    assert bind_address("127.0.0.1:0", "lo") == Address(LOOPBACK, 0)
    assert bind_address("10.1.2.3:5", "") == Address(bytes([10, 1, 2, 3]), 5)


def test_a_bind_address_must_be_one_of_the_interface() -> None:
    with pytest.raises(ConfigError, match=r"bind: 10\.1\.2\.3 is no address of interface lo"):
        bind_address("10.1.2.3:1", "lo")


def test_link_local_addresses_are_not_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "gossipd.agent.interfaces.interface_named",
        lambda key, name: Interface(7, name, (V6_LOCAL, V6), True),
    )
    assert bind_address("[::]:7", "eth7") == Address(V6, 7)
    with pytest.raises(ConfigError, match="eth7 has no IPv4 address to bind"):
        bind_address("0.0.0.0:7", "eth7")
