"""Who is served how much (dns.md, section 6)."""

from __future__ import annotations

import pytest

from gossipd.dns.limits import is_proven, may_recurse, source_of


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.9.9.9", "10.1.2.3", "172.31.0.1", "192.168.3.4", "169.254.1.1",
     "100.64.0.1", "::1", "fd00::1", "fe80::1%eth0", "::ffff:10.0.0.1", "::ffff:127.0.0.1"],
)  # fmt: skip
def test_names_of_others_are_looked_up_for_hosts_nearby(host: str) -> None:
    assert may_recurse(host)


@pytest.mark.parametrize(
    "host",
    ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2620:fe::fe", "::ffff:8.8.8.8", "::8.8.8.8",
     "2002:808:808::1", "2001:0:808:808::1", "64:ff9b::808:808", "64:ff9b::a00:1", "0.0.0.0",
     "::", "224.0.0.1", "255.255.255.255", "not an address", ""],
)  # fmt: skip
def test_they_are_not_for_the_internet_in_whichever_form(host: str) -> None:
    assert not may_recurse(host)


def test_a_mapped_address_is_the_address() -> None:
    assert is_proven("::ffff:127.0.0.1")
    assert not is_proven("::ffff:128.0.0.1")
    assert source_of("::ffff:192.0.2.1") == source_of("192.0.2.1")
    assert source_of("2001:db8:0:1::1") == source_of("2001:db8:0:1::2")
    assert source_of("2001:db8:0:1::1") != source_of("2001:db8:0:2::1")
