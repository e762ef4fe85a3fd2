"""The sections of HTTP and DNS: where they come from, and what of them is refused."""

from __future__ import annotations

import pytest

from gossipd.config.agent_model import AgentConfig, agent_faults
from gossipd.config.faces import DnsConfig, HttpConfig
from gossipd.config.load import load, load_config
from gossipd.config.model import NodeConfig
from gossipd.config.origin import ConfigFile
from gossipd.config.settings import HIDDEN, settings_of
from gossipd.errors import ConfigError

TABLES = """
datacenter = "north"
[http]
addr = "127.0.0.1:8500"
token = "secret"
[dns]
addr = "127.0.0.1:8600"
recursors = ["9.9.9.9", "[2620:fe::fe]:53"]
service_ttl = "web=5s,*=2s"
node_ttl = "1s"
"""


def test_files_flags_and_variables_set_the_faces() -> None:
    config = load_config(
        [ConfigFile("a.toml", TABLES)],
        {"GOSSIPD_HTTP_ADDR": "127.0.0.1:8501", "GOSSIPD_DNS_PAYLOAD_MAX": "4096"},
        {"dns_domain": "lan.corp", "recursors": ["1.1.1.1"]},
        node_name="a",
    )
    assert config.datacenter == "north"
    assert (config.http.addr, config.http.token) == ("127.0.0.1:8501", "secret")
    assert config.dns.recursors == ("9.9.9.9", "[2620:fe::fe]:53", "1.1.1.1")
    assert config.dns.service_ttl == ("web=5s", "*=2s")
    assert (config.dns.domain, config.dns.node_ttl, config.dns.payload_max) == ("lan.corp", 1, 4096)


def test_both_are_off_unless_they_have_an_address() -> None:
    config = load_config([], {}, {}, node_name="a")
    assert (config.http.addr, config.dns.addr, config.dns.domain) == ("", "", "consul.")


def test_tokens_are_never_shown() -> None:
    shown = settings_of(load([ConfigFile("a.toml", TABLES)], {}, {}, node_name="a"))
    values = {(one.table, one.key): one.value for one in shown}
    assert values["http", "token"] == HIDDEN
    assert values["http", "read_token"] == ""
    assert "secret" not in str(shown)


@pytest.mark.parametrize(
    ("http", "named"),
    [
        (HttpConfig(addr="a b:c"), "http.addr"),
        (HttpConfig(tls_cert="a.pem"), "http.tls_key"),
        (HttpConfig(read_token="x"), "http.read_token"),
        (HttpConfig(token="a\nb"), "http.token"),
        (HttpConfig(connections_max=0), "http.connections_max"),
        (HttpConfig(hosts=("a.example:8500",)), "http.hosts"),
    ],
)
def test_what_is_wrong_with_http_is_named(http: HttpConfig, named: str) -> None:
    faults = list(agent_faults(AgentConfig(node=NodeConfig(name="a"), http=http)))
    assert [named in str(fault) for fault in faults] == [True]


@pytest.mark.parametrize(
    ("dns", "named"),
    [
        (DnsConfig(addr="a:port"), "dns.addr"),
        (DnsConfig(domain=""), "dns.domain"),
        (DnsConfig(domain="a..b"), "dns.domain"),
        (DnsConfig(alt_domain="a b"), "dns.alt_domain"),
        (DnsConfig(domain="a." * 60), "dns.domain"),
        (DnsConfig(service_ttl=("web",)), "dns.service_ttl"),
        (DnsConfig(service_ttl=("web=soon",)), "dns.service_ttl"),
        (DnsConfig(service_ttl=("w*b=5s",)), "dns.service_ttl"),
        (DnsConfig(recursors=("dns.example",)), "dns.recursors"),
        (DnsConfig(sync_wait=-1.0), "dns.sync_wait"),
        (DnsConfig(sort="best"), "dns.sort"),
        (DnsConfig(recursor_strategy="all"), "dns.recursor_strategy"),
        (DnsConfig(payload_max=100), "dns.payload_max"),
        (DnsConfig(srv_weight_scale=0), "dns.srv_weight_scale"),
        (DnsConfig(rate_limit=-1), "dns.rate_limit"),
        (DnsConfig(soa_minimum=-1.0), "dns.soa_minimum"),
        (DnsConfig(recursor_timeout=0.0), "dns.recursor_timeout"),
        (DnsConfig(recursors=("a:port",)), "dns.recursors"),
    ],
)
def test_what_is_wrong_with_dns_is_named(dns: DnsConfig, named: str) -> None:
    faults = list(agent_faults(AgentConfig(node=NodeConfig(name="a"), dns=dns)))
    assert [named in str(fault) for fault in faults] == [True]


def test_a_datacenter_must_fit_into_a_name() -> None:
    with pytest.raises(ConfigError, match="datacenter"):
        load_config([], {}, {"datacenter": "north east"}, node_name="a")
