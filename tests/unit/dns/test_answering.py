"""From query to reply: size, EDNS, order, what is kept, what strangers get (dns.md, 2 and 6)."""

from __future__ import annotations

import struct
from collections import Counter

import dns.edns
import dns.flags
import dns.message
import pytest

from gossipd.config.faces import DnsConfig
from gossipd.dns.answering import CACHE_HIT, DROPPED, TRUNCATED
from gossipd.dns.cache import QUERIES_MAX, RECORDS_MAX
from gossipd.dns.limits import UNPROVEN_BYTES_MAX
from support.dns_face import ABROAD, DnsFace, make_query, rcode, texts
from support.fake_handle import make_member, make_view


def many(count: int, config: DnsConfig | None = None) -> DnsFace:
    face = DnsFace(config)
    face.show_many(count)
    return face


def raw(face: DnsFace, kind: str = "SRV", *, host: str = "127.0.0.1", **more: object) -> bytes:
    query = make_query("web.service.consul", kind, **more).to_wire()  # type: ignore[arg-type]
    reply = face.send(query, host=host)
    assert isinstance(reply, bytes)
    return reply


@pytest.mark.parametrize(
    ("payload", "payload_max", "room"),
    [(None, 1232, 512), (100, 1232, 512), (900, 1232, 900), (4096, 1232, 1232),
     (8192, 8192, 8192), (4096, 8192, 4096), (65535, 65467, 65467)],
)  # fmt: skip
def test_a_reply_fits_what_both_sides_take(
    payload: int | None, payload_max: int, room: int
) -> None:
    face = many(1500, DnsConfig(payload_max=payload_max))
    reply = raw(face, payload=payload)
    assert room - 80 < len(reply) <= room  # another record would not fit
    message = dns.message.from_wire(reply)
    assert message.flags & dns.flags.TC
    assert len(texts(message)) == len(texts(message, "additional")) > 0
    assert (message.edns >= 0) == (payload is not None)
    assert {line.split()[-1] for line in texts(message)} == {
        line.split()[0] for line in texts(message, "additional")
    }


def test_tc_can_be_left_clear() -> None:
    face = many(100, DnsConfig(enable_truncate=False))
    assert not dns.message.from_wire(raw(face)).flags & dns.flags.TC


def test_tcp_has_room_for_all_and_for_no_more_than_there_is() -> None:
    face = many(600)
    reply = face.ask("web.service.consul", "SRV", tcp=True)
    assert len(texts(reply)) == 600
    assert not reply.flags & dns.flags.TC
    face = many(3000)
    query = make_query("web.service.consul", "SRV").to_wire()
    message = face.send(query, tcp=True)
    assert isinstance(message, bytes)
    assert 65400 < len(message) <= 65535
    read = dns.message.from_wire(message)
    assert read.flags & dns.flags.TC
    assert len(texts(read)) == sum(len(rrset) for rrset in read.answer)


def test_sixty_instances_are_got_by_tcp_after_tc() -> None:
    face = many(60)
    assert face.ask("web.service.consul", "SRV").flags & dns.flags.TC
    assert len(texts(face.ask("web.service.consul", "SRV", tcp=True))) == 60
    plain = raw(face, payload=None)
    assert len(plain) <= 512
    assert len(texts(dns.message.from_wire(plain))) >= 6  # as many as Consul's clients saw


def test_the_soa_goes_before_an_answer_does() -> None:
    face = DnsFace(DnsConfig(node_meta_txt=True))
    tags = {f"key{number}": "x" * 200 for number in range(3)}
    face.handle.current = make_view(make_member("a", "10.0.0.1", tags=tags))
    face.show("a")
    reply = face.ask("web.service.consul", "SRV", payload=None)
    assert len(texts(reply)) == 1
    assert texts(reply, "additional") == ["a.node.north.consul. A 10.0.0.1"]
    assert not reply.flags & dns.flags.TC
    assert len(texts(face.ask("web.service.consul", "SRV"), "additional")) == 4
    # the answer itself is what is too long
    reply = face.ask("a.node.consul", "TXT", payload=None)
    assert reply.flags & dns.flags.TC
    assert len(texts(reply)) == 2


def test_an_address_is_told_once_although_it_has_two_ports() -> None:
    face = DnsFace()
    for port in range(3):
        face.show("a", "web", f"web-{port}", port=port)
    reply = face.ask("web.service.consul", "SRV")
    assert len(texts(reply)) == 3
    assert texts(reply, "additional") == ["a.node.north.consul. A 10.0.0.1"]


def test_opt_is_echoed_if_there_was_one() -> None:
    face = many(1)
    assert face.ask("web.service.consul", payload=None).edns == -1
    reply = face.ask("web.service.consul", payload=4096)
    assert (reply.edns, reply.payload, reply.options) == (0, 1232, ())


def test_another_version_of_edns_is_refused() -> None:
    query = dns.message.make_query("web.service.consul", "A", use_edns=1)
    reply = many(1).send(query.to_wire())
    assert isinstance(reply, bytes)
    read = dns.message.from_wire(reply)
    assert (rcode(read), read.edns, texts(read)) == ("BADVERS", 0, [])


def test_a_client_subnet_comes_back_with_scope_0() -> None:
    option = dns.edns.ECSOption("10.1.2.0", 24, 0)
    query = dns.message.make_query("web.service.consul", "A", use_edns=0, options=[option])
    reply = many(1).send(query.to_wire())
    assert isinstance(reply, bytes)
    (echoed,) = dns.message.from_wire(reply).options
    assert isinstance(echoed, dns.edns.ECSOption)
    assert (echoed.address, echoed.srclen, echoed.scopelen) == ("10.1.2.0", 24, 0)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("example.com", "A", "REFUSED"),
        (".", "NS", "REFUSED"),
        ("consul", "AXFR", "NOTIMP"),
        ("web.service.consul", "IXFR", "NOTIMP"),
    ],
)
def test_what_is_not_offered_is_refused(name: str, kind: str, expected: str) -> None:
    query = dns.message.make_query(name, kind)
    reply = many(1).send(query.to_wire(), tcp=True)
    assert isinstance(reply, bytes)
    assert rcode(dns.message.from_wire(reply)) == expected


def test_each_instance_is_first_equally_often_and_orders_are_all_there_are() -> None:
    face = many(4)
    orders: Counter[bytes] = Counter()
    query = make_query("web.service.consul").to_wire()
    for _ in range(4800):
        reply = face.send(query)
        assert isinstance(reply, bytes)
        orders[reply[len(query) - 11 : -11][15::16]] += 1  # the last byte of each address
    first = Counter[int]()
    for order, times in orders.items():
        first[order[0]] += times
    assert len(orders) == 24
    assert set(first) == {0, 1, 2, 3}
    assert all(1050 < times < 1350 for times in first.values())  # 5 standard deviations
    assert all(130 < times < 270 for times in orders.values())
    assert face.ledger.counts[CACHE_HIT] == 4799


def test_what_is_left_out_is_drawn_anew_each_time() -> None:
    face = many(60)
    told = Counter(
        line for _ in range(100) for line in texts(face.ask("web.service.consul", "SRV"))
    )
    assert len(told) == 60
    assert max(told.values()) < 4 * min(told.values())


def test_the_nearest_comes_first_if_wanted() -> None:
    from gossipd.coordinate import Coordinate

    face = DnsFace(DnsConfig(sort="rtt"))
    for owner, place in (("a", 0.0), ("b", 0.05), ("c", 0.02)):
        face.show(owner, address={"a": "", "b": "10.0.0.2", "c": "10.0.0.3"}[owner])
        face.handle.coordinates[owner] = Coordinate(vec=(place, *[0.0] * 7))
    face.show("x", address="10.0.0.4")
    expected = ["10.0.0.1", "10.0.0.3", "10.0.0.2", "10.0.0.4"]
    for _ in range(3):
        found = [line.split()[-1] for line in texts(face.ask("web.service.consul"))]
        assert found == expected
    face.handle.coordinates["b"] = Coordinate(vec=(0.01, *[0.0] * 7))
    assert [line.split()[-1] for line in texts(face.ask("web.service.consul"))] == expected
    face.now += 10.0  # an order is not used for longer
    assert texts(face.ask("web.service.consul"))[1].endswith("10.0.0.2")


# -- what is kept --------------------------------------------------------------------


def test_a_kept_answer_ends_with_the_next_change_of_its_service() -> None:
    face = many(2)
    assert len(texts(face.ask("web.service.consul"))) == 2
    assert len(texts(face.ask("web.service.consul", tcp=True))) == 2
    assert face.ledger.counts[CACHE_HIT] == 1
    face.handle.hide("a", "web", "web-00001")
    assert len(texts(face.ask("web.service.consul"))) == 1
    face.handle.hide("a", "web", "web-00000")
    assert rcode(face.ask("web.service.consul")) == "NXDOMAIN"
    face.show("b", address="192.0.2.9")
    assert len(texts(face.ask("web.service.consul"))) == 1


def test_a_kept_answer_ends_when_one_of_just_the_spelling_comes() -> None:
    face = DnsFace()
    face.show("a", "Web", address="192.0.2.1")
    assert texts(face.ask("web.service.consul")) == ["web.service.consul. A 192.0.2.1"]
    face.show("b", "web", address="192.0.2.2")
    assert texts(face.ask("web.service.consul")) == ["web.service.consul. A 192.0.2.2"]
    face.handle.hide("b", "web")
    assert texts(face.ask("web.service.consul")) == ["web.service.consul. A 192.0.2.1"]


def test_tags_of_nodes_beside_an_answer_are_those_of_now() -> None:
    face = DnsFace(DnsConfig(node_meta_txt=True))
    face.show("a")
    assert "role=web" in texts(face.ask("web.service.consul"), "additional")[0]
    face.handle.current = make_view(make_member("a", "10.0.0.1", tags={"role": "old"}))
    assert "role=old" in texts(face.ask("web.service.consul"), "additional")[0]


def test_a_kept_answer_is_sent_to_each_as_it_asked() -> None:
    face = many(60)
    query = make_query("web.service.consul", "SRV")
    for payload, count in ((None, 7), (1232, 19), (600, 8), (None, 7)):
        message = raw(face, payload=payload)
        assert len(message) <= (payload or 512)
        assert len(texts(dns.message.from_wire(message))) == count
    assert len(texts(face.ask("web.service.consul", "SRV", tcp=True))) == 60
    first, second = (face.send(struct.pack("!H", id) + query.to_wire()[2:]) for id in (1, 2))
    assert isinstance(first, bytes)
    assert isinstance(second, bytes)
    assert (first[:2], second[:2]) == (b"\0\x01", b"\0\x02")
    assert len(raw(face, host=ABROAD, payload=8192)) <= UNPROVEN_BYTES_MAX


def test_cookies_do_not_fill_the_table_of_known_queries() -> None:
    face = many(1)
    for number in range(50):
        cookie = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, struct.pack("!Q", number))
        query = dns.message.make_query("web.service.consul", "A", use_edns=0, options=[cookie])
        face.send(query.to_wire())
    assert face.ledger.counts[CACHE_HIT] == 49
    assert not face.answering.cache._queries


def test_names_that_do_not_exist_are_not_kept_and_those_that_do_only_so_many() -> None:
    face = many(5)
    for number in range(100):
        face.ask(f"x{number}.service.consul")
        face.ask(f"{number:08x}.addr.consul")
    assert len(face.answering.cache) == 0
    query = make_query("web.service.consul").to_wire()
    for number in range(3000):
        bits = f"{number:014b}"
        name = "".join(
            c.upper() if bit == "1" else c for c, bit in zip("webservicecons", bits, strict=True)
        )
        spelt = f"\3{name[:3]}\7{name[3:10]}\6{name[10:]}ul".encode()
        reply = face.send(query.replace(b"\3web\7service\6consul", spelt))
        assert isinstance(reply, bytes)
        assert reply[12:32] == spelt + b"\0"
    cache = face.answering.cache
    assert len(cache) == 1
    assert len(cache._queries) == QUERIES_MAX
    for number in range(1000):
        face.show("a", f"{number:03}")
        other = f"\3{number:03}\7service\6consul".encode()
        face.send(query.replace(b"\3web\7service\6consul", other))
    assert 500 < len(cache) < 1000
    assert sum(reply.weight for reply in cache._replies.values()) <= RECORDS_MAX


# -- strangers ------------------------------------------------------------------------


def test_who_may_be_forged_is_sent_no_more_than_1232_bytes() -> None:
    face = many(300, DnsConfig(payload_max=8192))
    assert len(raw(face, host="127.0.0.9", payload=8192)) > 8000
    assert len(raw(face, host=ABROAD, payload=8192)) <= UNPROVEN_BYTES_MAX


def test_any_is_answered_to_strangers_by_tcp_only() -> None:
    face = many(3)
    reply = face.ask("web.service.consul", "ANY", host=ABROAD)
    assert (texts(reply), bool(reply.flags & dns.flags.TC)) == ([], True)
    assert len(texts(face.ask("web.service.consul", "ANY", host=ABROAD, tcp=True))) == 3
    assert len(texts(face.ask("web.service.consul", "ANY"))) == 3
    assert face.ledger.counts[TRUNCATED] == 1
    query = make_query("web.service.consul", "ANY").to_wire()
    replies = [face.send(query, host=host) for host in ("127.0.0.1", ABROAD)]
    assert [len(reply) > len(query) for reply in replies if isinstance(reply, bytes)] == [
        True,
        False,
    ]


def test_above_the_rate_a_source_is_told_to_come_by_tcp_or_nothing() -> None:
    face = many(3, DnsConfig(rate_limit=10))
    query = make_query("web.service.consul", "SRV").to_wire()
    replies = [face.send(query, host=ABROAD) for _ in range(20)]
    lengths = [len(reply) if isinstance(reply, bytes) else 0 for reply in replies]
    assert all(length > 100 for length in lengths[:10])
    assert lengths[10:] == [len(query) - 11, 0] * 5  # without OPT
    assert face.ledger.counts[DROPPED + "rate"] == 10
    assert isinstance(face.send(query, host="10.9.9.8"), bytes)
    assert len(texts(face.ask("web.service.consul", host=ABROAD, tcp=True))) == 3
    face.now += 0.2
    assert len(texts(face.ask("web.service.consul", host=ABROAD))) == 3


def test_this_host_has_no_rate() -> None:
    face = many(1, DnsConfig(rate_limit=1))
    for host in ("127.0.0.1", "127.3.3.3", "::1"):
        for _ in range(5):
            face.ask("web.service.consul", host=host)


def test_queries_and_replies_are_counted() -> None:
    face = many(1)
    face.ask("web.service.consul", "SRV")
    face.ask("nope.service.consul", "SRV")
    face.ask("nope.service.consul", "CAA")
    face.send(b"garbage that is long")
    counts = face.ledger.counts
    assert counts["gossipd.dns.query.SRV"] == 2
    assert counts["gossipd.dns.query.other"] == 1
    assert counts["gossipd.dns.reply.NOERROR"] == 1
    assert counts["gossipd.dns.reply.NXDOMAIN"] == 2
    assert sum(n for name, n in counts.items() if name.startswith(DROPPED)) == 1
