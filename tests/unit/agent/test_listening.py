"""Where to listen and what to advertise."""

from __future__ import annotations

import socket

import pytest

from gossipd.address import Address, address_from_host
from gossipd.agent.listening import advertised_address, listening_address
from gossipd.agent.sockaddr import REMEMBERED_MAX, SockAddrs
from gossipd.errors import ConfigError

ANY = Address(bytes(4), 7000)


def test_a_bound_address_is_advertised_as_it_is() -> None:
    bound = address_from_host("127.0.0.5", 7000)
    assert advertised_address("", bound) == bound


def test_an_advertised_address_without_a_port_gets_the_bound_one() -> None:
    assert advertised_address("10.9.8.7", ANY) == address_from_host("10.9.8.7", 7000)
    assert advertised_address("10.9.8.7:1", ANY) == address_from_host("10.9.8.7", 1)


def test_for_the_unspecified_address_a_real_one_is_detected() -> None:
    found = advertised_address("", ANY)
    assert any(found.ip)
    assert found.port == 7000


def test_the_unspecified_address_cannot_be_advertised() -> None:
    with pytest.raises(ConfigError, match=r"advertise: 0\.0\.0\.0:7000 cannot be reached"):
        advertised_address("0.0.0.0", ANY)


@pytest.mark.parametrize("text", ["256.1.1.1.", "host name", "1.2.3.4:99999", "[::1"])
def test_what_is_no_address_is_refused_by_its_key(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^bind: "):
        listening_address("bind", text, 7946)


def test_a_dual_stack_socket_speaks_to_ipv4_in_mapped_form() -> None:
    translator = SockAddrs(socket.AF_INET6)
    address = address_from_host("10.0.0.1", 5)
    assert translator.sockaddr(address)[0] == "::ffff:10.0.0.1"
    assert translator.address(("::ffff:10.0.0.1", 5, 0, 0)) == address


def test_an_ipv4_socket_cannot_reach_ipv6() -> None:
    with pytest.raises(OSError, match="address family"):
        SockAddrs(socket.AF_INET).sockaddr(address_from_host("::1", 5))


def test_remembered_addresses_are_bounded() -> None:
    translator = SockAddrs(socket.AF_INET)
    for number in range(REMEMBERED_MAX + 10):
        host = f"10.0.{number // 256}.{number % 256}"
        translator.address((host, 1))
        translator.sockaddr(address_from_host(host, 1))
    assert len(translator._by_sockaddr) <= REMEMBERED_MAX
    assert len(translator._by_address) <= REMEMBERED_MAX
