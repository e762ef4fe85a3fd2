"""The sections of HTTP and DNS: where they come from, and what of them is refused."""

from __future__ import annotations

import pytest

from gossipd.config.agent_model import AgentConfig, agent_faults
from gossipd.config.faces import DnsConfig, HttpConfig
from gossipd.config.load import load, load_config
from gossipd.config.model import CatalogConfig, NodeConfig
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


NAMES_HIDDEN = [
    ({"datacenter": "service"}, "datacenter 'service'"),
    ({"datacenter": "Node"}, "datacenter 'node'"),
    ({"datacenter": "zone"}, "datacenter 'zone'"),
    ({"datacenter": "a.b"}, "datacenter 'a.b'"),
    ({"zone": "service.x"}, "catalog.zone 'service.x'"),
    ({"dns_domain": "in-addr.arpa"}, "dns.domain 'in-addr.arpa'"),
    ({"dns_domain": "10.in-addr.arpa."}, "dns.domain"),
    ({"dns_domain": "node.lan", "alt": "lan"}, "dns.alt_domain 'lan'"),
    ({"alt": "x.service.dc1.consul"}, "at 'service'"),
    ({"alt": "eu.zone.consul"}, "at 'zone'"),
    ({"alt": "_tcp.consul"}, "at '_tcp'"),
    ({"alt": "ns.consul"}, "at 'ns'"),
]


def named(settings: dict[str, str], addr: str = "127.0.0.1:8600") -> list[str]:
    """Return what is wrong with a datacenter, a zone and domains."""
    dns = DnsConfig(
        addr=addr,
        domain=settings.get("dns_domain", "consul."),
        alt_domain=settings.get("alt", ""),
    )
    catalog = CatalogConfig(zone=settings.get("zone", ""))
    node = NodeConfig(name="a", catalog=catalog)
    config = AgentConfig(node=node, dns=dns, datacenter=settings.get("datacenter", "dc1"))
    return [str(fault) for fault in agent_faults(config)]


@pytest.mark.parametrize(("settings", "said"), NAMES_HIDDEN)
def test_names_that_could_not_be_read_are_refused_with_dns(
    settings: dict[str, str], said: str
) -> None:
    (fault,) = named(settings)
    assert said in fault
    assert named(settings, addr="") == []


@pytest.mark.parametrize(
    "settings",
    [
        {"datacenter": "dc"}, {"datacenter": "services"}, {"zone": "service"},
        {"zone": "eu.service"}, {"zone": "node.query"}, {"dns_domain": "service"},
        {"dns_domain": "node.lan"}, {"dns_domain": "home.arpa"}, {"alt": "consul"},
        {"alt": "lan.consul"}, {"alt": "dc1.consul"}, {"alt": "service.lan"},
    ],
)  # fmt: skip
def test_names_that_can_be_read_are_taken(settings: dict[str, str]) -> None:
    assert named(settings) == []


@pytest.mark.parametrize(
    ("addr", "recursor", "is_loop"),
    [
        ("127.0.0.1:53", "127.0.0.1", True),
        ("127.0.0.1:53", "127.0.0.53", False),
        ("127.0.0.1:8600", "127.0.0.1:53", False),
        ("127.0.0.1", "127.0.0.1:8600", True),
        ("127.0.0.1:53", "0.0.0.0", True),
        ("10.0.0.1:53", "0.0.0.0", False),
        ("127.0.0.53:53", "0.0.0.0", False),
        ("0.0.0.0:53", "127.0.0.53", True),
        ("0.0.0.0:53", "192.0.2.53", False),
        ("[::]:53", "127.0.0.1", True),
        ("[::1]:53", "[::1]:53", True),
        ("[::ffff:127.0.0.1]:53", "127.0.0.1", True),
        ("localhost:53", "127.0.0.1", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
    ],
)
def test_a_recursor_that_is_this_daemon_is_refused(addr: str, recursor: str, is_loop: bool) -> None:
    dns = DnsConfig(addr=addr, recursors=("9.9.9.9", recursor))
    faults = [str(f) for f in agent_faults(AgentConfig(node=NodeConfig(name="a"), dns=dns))]
    assert (
        faults
        == [
            f"dns.recursors: {recursor} is this daemon itself (dns.addr): every question would come"
            " back; name a resolver of others"
        ][:is_loop]
    )


def test_a_datacenter_must_fit_into_a_name() -> None:
    with pytest.raises(ConfigError, match="datacenter"):
        load_config([], {}, {"datacenter": "north east"}, node_name="a")
