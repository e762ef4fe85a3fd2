"""What is answered to each form of name (dns.md, sections 1 to 5; 1 to 5, 10, 11 of its list)."""

from __future__ import annotations

import dns.flags
import dns.name
import pytest

from gossipd.config.faces import DnsConfig
from support.dns_face import DnsFace, rcode, texts
from support.fake_handle import make_member, make_view


@pytest.fixture
def face() -> DnsFace:
    face = DnsFace()
    face.show("a", port=80, tags=("blue", "v1.2"))
    face.show("b", port=81, weight=5)
    return face


def soa_of(face: DnsFace, name: str, kind: str = "A") -> str:
    reply = face.ask(name, kind)
    (soa,) = texts(reply, "authority")
    return f"{rcode(reply)} {soa}"


SOA = "consul. SOA ns.consul. hostmaster.consul. 1700000000 3600 600 86400 0"


def test_a_service_has_the_addresses_of_its_nodes(face: DnsFace) -> None:
    reply = face.ask("web.service.consul")
    assert sorted(texts(reply)) == [
        "web.service.consul. A 10.0.0.1",
        "web.service.consul. A 10.0.0.2",
    ]
    assert reply.flags & dns.flags.AA
    assert reply.flags & dns.flags.RD
    assert not reply.flags & dns.flags.RA


def test_srv_has_a_target_and_its_address_for_each_instance(face: DnsFace) -> None:
    reply = face.ask("web.service.consul", "SRV")
    assert sorted(texts(reply)) == [
        "web.service.consul. SRV 1 1 80 a.node.north.consul.",
        "web.service.consul. SRV 1 5 81 b.node.north.consul.",
    ]
    assert sorted(texts(reply, "additional")) == [
        "a.node.north.consul. A 10.0.0.1",
        "b.node.north.consul. A 10.0.0.2",
    ]


def test_an_address_of_its_own_makes_the_target_spell_it(face: DnsFace) -> None:
    face.show("c", port=82, address="192.0.2.61")
    reply = face.ask("_web._tcp.service.consul", "SRV")
    assert "_web._tcp.service.consul. SRV 1 1 82 c000023d.addr.north.consul." in texts(reply)
    assert "c000023d.addr.north.consul. A 192.0.2.61" in texts(reply, "additional")
    assert texts(face.ask("c000023d.addr.north.consul")) == [
        "c000023d.addr.north.consul. A 192.0.2.61"
    ]


@pytest.mark.parametrize(
    "name",
    ["_web._tcp.service.consul", "_web._tcp.consul", "_web._tcp.north.consul",
     "_web._tcp.service.north.dc.consul", "web.service.north.consul"],
)  # fmt: skip
def test_other_spellings_of_a_service(face: DnsFace, name: str) -> None:
    assert len(texts(face.ask(name, "SRV"))) == 2


@pytest.mark.parametrize(
    "name",
    ["blue.web.service.consul", "BLUE.web.service.consul", "v1.2.web.service.consul",
     "_web._blue.service.consul", "_web._blue.consul"],
)  # fmt: skip
def test_a_tag_filters(face: DnsFace, name: str) -> None:
    (record,) = texts(face.ask(name, "SRV"))
    assert record.endswith("1 1 80 a.node.north.consul.")


def test_a_zone_filters(face: DnsFace) -> None:
    face.show("c", port=82, zone="eu-1", address="192.0.2.61", tags=("blue",))
    for name in ("web.service.eu-1.zone.consul", "blue.web.service.EU-1.zone.north.consul"):
        assert texts(face.ask(name)) == [f"{name}. A 192.0.2.61"]
    face.show("b", port=83, zone="us", address="192.0.2.62", tags=("blue",))
    assert len(texts(face.ask("blue.web.service.eu-1.zone.consul"))) == 1
    for name in ("web.service.eu-2.zone.consul", "red.web.service.eu-1.zone.consul"):
        assert rcode(face.ask(name)) == "NXDOMAIN"
    assert rcode(face.ask("a.node.eu-1.zone.consul")) == "NXDOMAIN"


@pytest.mark.parametrize(
    "zone", ["service", "node", "addr", "query", "zone", "eu.node", "_x", "_x.y"]
)
def test_a_zone_may_be_called_like_a_word_of_names(face: DnsFace, zone: str) -> None:
    face.show("c", port=82, zone=zone, address="192.0.2.61", tags=("blue",))
    for name in (
        f"web.service.{zone}.zone.consul",
        f"blue.web.service.{zone}.zone.north.consul",
        f"_web._tcp.service.{zone}.zone.north.dc.consul",
    ):
        assert texts(face.ask(name)) == [f"{name}. A 192.0.2.61"]
        assert len(texts(face.ask(name, "SRV"))) == 1
    assert len(texts(face.ask(f"_web._tcp.{zone}.zone.consul", "SRV"))) == 1
    assert rcode(face.ask(f"{zone.rpartition('.')[2]}.zone.consul")) == "NOERROR"


def test_a_domain_may_be_called_like_a_word_of_names() -> None:
    face = DnsFace(DnsConfig(domain="service", alt_domain="node.zone"))
    face.show("a", "node")
    for name in ("node.service.service", "node.service.north.node.zone", "a.node.service"):
        assert texts(face.ask(name)) == [f"{name}. A 10.0.0.1"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("nope.service.consul", "A"),
        ("web.service.south.consul", "A"),
        ("web.service.north.dc.x.consul", "A"),
        ("green.web.service.consul", "A"),
        ("_web._tcp.consul", "A"),
        ("_web._udp.service.consul", "SRV"),
        ("nope.node.consul", "A"),
        ("zz.addr.consul", "A"),
        ("7f0000.addr.consul", "A"),
        ("x.query.consul", "A"),
        ("web.connect.consul", "A"),
        ("web.virtual.consul", "A"),
        ("web.ingress.consul", "A"),
        ("web.service.x.ns.consul", "A"),
        ("web.consul", "A"),
    ],
)
def test_what_is_not_there_is_denied_with_the_soa(face: DnsFace, name: str, kind: str) -> None:
    assert soa_of(face, name, kind) == f"NXDOMAIN {SOA}"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("web.service.consul", "AAAA"),
        ("web.service.consul", "TXT"),
        ("a.node.consul", "SRV"),
        ("7f00003d.addr.consul", "AAAA"),
        ("consul", "A"),
        ("service.consul", "A"),
        ("north.consul", "A"),
        ("ns.consul", "AAAA"),
    ],
)
def test_a_name_without_that_type_is_no_denial(face: DnsFace, name: str, kind: str) -> None:
    assert soa_of(face, name, kind) == f"NOERROR {SOA}"


def test_what_is_critical_is_left_out_and_what_warns_stays(face: DnsFace) -> None:
    face.show("a", port=80, status="critical")
    face.show("b", port=81, status="warning")
    assert texts(face.ask("web.service.consul")) == ["web.service.consul. A 10.0.0.2"]
    face.show("b", port=81, status="critical")
    assert soa_of(face, "web.service.consul") == f"NXDOMAIN {SOA}"


def test_only_passing_leaves_out_what_warns() -> None:
    face = DnsFace(DnsConfig(only_passing=True))
    face.show("a", status="warning")
    assert rcode(face.ask("web.service.consul")) == "NXDOMAIN"


def test_addresses_are_told_once_and_targets_by_port(face: DnsFace) -> None:
    face.show("a", "web", "web-2", port=80)
    face.show("a", "web", "web-3", port=90)
    assert len(texts(face.ask("web.service.consul"))) == 2
    assert len(texts(face.ask("web.service.consul", "SRV"))) == 3


def test_answers_repeat_the_spelling_of_the_question(face: DnsFace) -> None:
    reply = face.ask("WeB.SeRvIcE.cOnSuL", "SRV")
    assert {record.split()[0] for record in texts(reply)} == {"WeB.SeRvIcE.cOnSuL."}
    assert texts(reply, "additional")[0].split()[0].endswith(".node.north.consul.")
    assert texts(face.ask("wEb.service.consul"))[0].startswith("wEb.service.consul. A ")
    soa = texts(face.ask("nOpE.service.CONSUL"), "authority")
    assert soa[0].startswith("CONSUL. SOA ns.consul. ")


def test_a_service_with_capitals_is_found(face: DnsFace) -> None:
    face.show("a", "Mail")
    assert len(texts(face.ask("mail.service.consul"))) == 1


def test_weights_are_scaled_and_none_stays_none() -> None:
    face = DnsFace(DnsConfig(srv_weight_scale=256))
    for owner, weight in (("a", 0), ("b", 10), ("c", 60000)):
        face.show(owner, weight=weight)
    weights = {line.split()[-1]: line.split()[3] for line in _srv(face)}
    assert weights == {
        "a.node.north.consul.": "0",
        "b.node.north.consul.": "2560",
        "c.node.north.consul.": "65535",
    }


def _srv(face: DnsFace) -> list[str]:
    return texts(face.ask("web.service.consul", "SRV"))


def test_ttls_are_found_by_name_then_prefix() -> None:
    config = DnsConfig(service_ttl=("web=5s", "we*=3s", "*=2s"), node_ttl=7.0)
    face = DnsFace(config)
    for name in ("web", "wet", "mail"):
        face.show("a", name)
        face.ask(f"{name}.service.consul")
    ttls = [face.ask(f"{name}.service.consul").answer[0].ttl for name in ("web", "wet", "mail")]
    assert ttls == [5, 3, 2]
    assert face.ask("a.node.consul").answer[0].ttl == 7


def test_a_node_has_an_address_and_its_tags(face: DnsFace) -> None:
    assert texts(face.ask("A.node.consul")) == ["A.node.consul. A 10.0.0.1"]
    assert texts(face.ask("c.node.north.consul", "AAAA")) == ["c.node.north.consul. AAAA fd00::3"]
    assert texts(face.ask("a.node.consul", "TXT")) == ['a.node.consul. TXT "role=web"']
    assert len(texts(face.ask("a.node.consul", "ANY"))) == 2


def test_addresses_lead_back_to_nodes_and_services(face: DnsFace) -> None:
    face.show("c", "mail", address="192.0.2.7")
    assert texts(face.ask("1.0.0.10.in-addr.arpa", "PTR")) == [
        "1.0.0.10.in-addr.arpa. PTR a.node.north.consul."
    ]
    assert texts(face.ask("7.2.0.192.in-addr.arpa", "PTR")) == [
        "7.2.0.192.in-addr.arpa. PTR mail.service.north.consul."
    ]
    name = "3." + "0." * 29 + "d.f.ip6.arpa"
    (record,) = texts(face.ask(name, "PTR"))
    assert record.endswith("c.node.north.consul.")
    assert soa_of(face, "9.9.9.9.in-addr.arpa", "PTR") == f"NXDOMAIN {SOA}"


def test_the_domain_has_a_soa_and_a_name_server(face: DnsFace) -> None:
    assert texts(face.ask("consul", "SOA")) == [SOA]
    reply = face.ask("consul", "NS")
    assert texts(reply) == ["consul. NS a.node.north.consul."]
    assert texts(reply, "additional") == ["a.node.north.consul. A 10.0.0.1"]
    assert texts(face.ask("ns.consul")) == ["ns.consul. A 10.0.0.1"]


def test_the_other_domain_is_answered_in_its_own_name() -> None:
    face = DnsFace(DnsConfig(alt_domain="lan.corp"))
    face.show("a")
    reply = face.ask("web.service.lan.corp", "SRV")
    assert texts(reply) == ["web.service.lan.corp. SRV 1 1 0 a.node.north.lan.corp."]
    assert rcode(face.ask("web.service.corp")) == "REFUSED"


def test_a_host_name_becomes_a_cname_when_there_is_no_address() -> None:
    face = DnsFace()
    face.show("a", address="db.example.com", port=5432)
    assert texts(face.ask("web.service.consul")) == ["web.service.consul. CNAME db.example.com."]
    assert texts(face.ask("web.service.consul", "SRV")) == [
        "web.service.consul. SRV 1 1 5432 db.example.com."
    ]
    face.show("b")
    assert texts(face.ask("web.service.consul")) == ["web.service.consul. A 10.0.0.2"]


def test_host_names_of_our_own_are_followed_but_not_for_ever() -> None:
    face = DnsFace()
    face.show("a", "web", address="db.service.consul")
    face.show("b", "db")
    expected = ["web.service.consul. CNAME db.service.consul.", "db.service.consul. A 10.0.0.2"]
    for _ in range(8):
        assert texts(face.ask("web.service.consul")) == expected
    face.show("b", "db", address="web.service.consul")
    assert 2 <= len(texts(face.ask("web.service.consul"))) <= 4


@pytest.mark.parametrize(
    ("address", "kind", "code"),
    [
        ("gone.service.consul", "A", "NXDOMAIN"),
        ("gone.node.consul", "AAAA", "NXDOMAIN"),
        ("b.node.consul", "AAAA", "NOERROR"),
    ],
)
def test_the_code_is_that_of_the_last_name_of_an_alias(address: str, kind: str, code: str) -> None:
    face = DnsFace()  # RFC 2308, section 2.1; RFC 6604, section 3
    face.show("a", address=address)
    reply = face.ask("web.service.consul", kind)
    assert texts(reply) == [f"web.service.consul. CNAME {address}."]
    assert (rcode(reply), texts(reply, "authority")) == (code, [SOA])
    assert texts(face.ask("web.service.consul", "CNAME")) == texts(reply)
    assert rcode(face.ask("web.service.consul", "CNAME")) == "NOERROR"


def test_who_points_to_himself_is_not_looked_up_at_others() -> None:
    face = DnsFace(DnsConfig(recursors=("192.0.2.53",)))
    face.show("a", "web", address="web.service.consul")
    # a recursor that passes our domain on to us would ask us the same again, and so for ever
    assert len(texts(face.ask("web.service.consul"))) >= 1


def test_a_node_without_agent_is_shown_under_its_own_name() -> None:
    face = DnsFace()
    meta = {"external-node": "Relay", "external-node:rack": "7"}
    face.show("a", "web", "Relay/web", address="192.0.2.9", port=25, meta=meta)
    assert texts(face.ask("relay.node.consul")) == ["relay.node.consul. A 192.0.2.9"]
    assert texts(face.ask("relay.node.consul", "TXT")) == ['relay.node.consul. TXT "rack=7"']
    face.show("b", address="192.0.2.9", port=26, meta={"external-node": "fake"})
    face.handle.clock += 2.0
    assert rcode(face.ask("fake.node.consul")) == "NXDOMAIN"


def test_nobody_is_shown_under_the_name_of_a_member_by_a_mark() -> None:
    face = DnsFace(DnsConfig(node_meta_txt=True))
    view = make_view(make_member("a", "10.0.0.1"), make_member("b", "10.0.0.2", tags={"k": "v"}))
    face.handle.current = view
    face.show("a", "web", "B/web", port=80, meta={"external-node": "B"})
    reply = face.ask("web.service.consul", "SRV")
    assert texts(reply) == ["web.service.consul. SRV 1 1 80 a.node.north.consul."]
    assert all("b.node" not in text for text in texts(reply, "additional"))
    assert texts(face.ask("b.node.consul")) == ["b.node.consul. A 10.0.0.2"]
    # without an address of its own it answers at its owner's, whatever its node is called
    face.show("a", "mail", "relay/mail", port=25, meta={"external-node": "relay"})
    assert texts(face.ask("mail.service.consul", "SRV")) == [
        "mail.service.consul. SRV 1 1 25 a.node.north.consul."
    ]


def test_a_node_whose_name_is_none_of_dns_is_told_by_its_address() -> None:
    for name in ("x" * 70, "my host", "caf\udce9", "a\n", "größe"):
        face = DnsFace()
        face.show(name)
        (record,) = texts(face.ask("web.service.consul", "SRV"))
        assert record.endswith(" 0a000009.addr.north.consul.")


def test_what_a_peer_wrote_that_is_no_unicode_goes_out_as_it_came() -> None:
    face = DnsFace()
    tags = {"town": "K\udcf6ln"}
    face.handle.current = make_view(
        make_member("a", "10.0.0.1"), make_member("Caf\udce9", "10.0.0.2", tags=tags)
    )
    face.show("a")
    face.show("Caf\udce9", service_id="other")
    assert len(texts(face.ask("web.service.consul", "SRV"))) == 2
    name = r"Caf\233.node.north.consul."
    assert texts(face.ask("2.0.0.10.in-addr.arpa", "PTR")) == [f"2.0.0.10.in-addr.arpa. PTR {name}"]
    assert texts(face.ask(name)) == [f"{name} A 10.0.0.2"]
    assert texts(face.ask(name, "TXT")) == [rf'{name} TXT "town=K\246ln"']


def test_letter_case_does_not_matter_beyond_ascii() -> None:
    face = DnsFace()
    face.show("a", "Größe", tags=("ÄRGER",))
    for name in ("GRÖßE", "größe", "Ärger.größe", "ärger.größe", "ÄRGER.GRÖßE"):
        labels = [*(label.encode() for label in name.split(".")), b"service", b"consul", b""]
        asked = dns.name.Name(labels).to_text()
        assert texts(face.ask(asked)) == [f"{asked} A 10.0.0.1"]


def test_before_it_knows_its_cluster_it_denies_nothing() -> None:
    face = DnsFace()
    face.ready = False
    for name in ("web.service.consul", "a.node.consul", "1.0.0.10.in-addr.arpa"):
        assert rcode(face.ask(name, "ANY")) == "SERVFAIL"
    assert rcode(face.ask("consul", "SOA")) == "NOERROR"
    assert rcode(face.ask("7f000001.addr.consul")) == "NOERROR"


def test_tags_of_nodes_go_along_if_wanted() -> None:
    face = DnsFace(DnsConfig(node_meta_txt=True))
    face.show("a")
    assert 'a.node.north.consul. TXT "role=web"' in texts(
        face.ask("web.service.consul", "SRV"), "additional"
    )
