"""Names of others: asked of real sockets on loopback (dns.md, section 7)."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from random import SystemRandom

import dns.flags
import dns.message
import dns.rcode
import pytest
import trio

from gossipd.config.faces import DnsConfig
from gossipd.dns.answering import Pending
from gossipd.dns.defects import Defects
from gossipd.dns.forwarding import Forwarding
from gossipd.dns.recursor import (
    FAILED,
    FORGED,
    FORGED_MAX,
    FORWARDED,
    IN_FLIGHT_MAX,
    Recursor,
)
from gossipd.dns.udp import LOOPS, Datagrams
from support.dns_face import ABROAD, DnsFace, make_query, rcode, texts
from support.dns_upstream import Treat, Upstream, answer

ADDRESS = "example.com. A 203.0.113.7"


class Recursive:
    """A face with recursors."""

    def __init__(self, *addresses: str, **settings: object) -> None:
        settings.setdefault("recursor_timeout", 10.0)
        config = DnsConfig(recursors=addresses, **settings)  # type: ignore[arg-type]
        self.face = DnsFace(config)
        self.recursor = Recursor(config, self.face.ledger, SystemRandom())
        self.forwarding = Forwarding(self.face.answering, self.recursor)
        self.logged: list[str] = []
        self.defects = Defects(
            self.face.ledger, lambda _, line: self.logged.append(line), trio.current_time
        )

    async def ask(self, name: str, kind: str = "A", **more: object) -> dns.message.Message:
        tcp, host = bool(more.pop("tcp", False)), str(more.pop("host", "127.0.0.1"))
        query = make_query(name, kind, **more)  # type: ignore[arg-type]
        pending = self.face.send(query.to_wire(), tcp=tcp, host=host)
        reply = await self.forwarding.complete(pending) if isinstance(pending, Pending) else pending
        assert isinstance(reply, bytes)
        read = dns.message.from_wire(reply)
        assert read.id == query.id
        assert read.question == query.question
        return read


@asynccontextmanager
async def recursive(
    *treats: Treat, **settings: object
) -> AsyncIterator[tuple[Recursive, list[Upstream]]]:
    upstreams = [Upstream(treat) for treat in treats]
    async with trio.open_nursery() as nursery:
        for upstream in upstreams:
            await nursery.start(upstream.run)
        yield Recursive(*(upstream.address for upstream in upstreams), **settings), upstreams
        nursery.cancel_scope.cancel()


async def test_another_name_is_forwarded_and_its_reply_passed_on() -> None:
    async with recursive(lambda query, _: answer(query, ADDRESS)) as (face, (upstream,)):
        reply = await face.ask("ExAmPlE.com")
        assert texts(reply) == ["ExAmPlE.com. A 203.0.113.7"]
        assert reply.flags & dns.flags.RA
        assert reply.edns == 0
        assert (await face.ask("example.com", payload=None)).edns == -1
        assert len({query.id for query in upstream.asked}) == 2
        assert len(set(upstream.ports)) == 2
        assert [query.edns for query in upstream.asked] == [0, -1]


async def test_our_own_names_stay_here_and_say_that_others_could_be_asked() -> None:
    async with recursive(lambda query, _: answer(query)) as (face, (upstream,)):
        reply = await face.ask("nope.service.consul")
        assert (rcode(reply), bool(reply.flags & dns.flags.RA)) == ("NXDOMAIN", True)
        assert not upstream.asked


async def test_who_does_not_want_recursion_or_is_anywhere_gets_none() -> None:
    async with recursive(lambda query, _: answer(query, ADDRESS)) as (face, (upstream,)):
        assert rcode(await face.ask("example.com", flags=0)) == "REFUSED"
        assert rcode(await face.ask("example.com", host="8.8.4.4")) == "REFUSED"
        assert rcode(await face.ask("example.com", host="8.8.4.4", tcp=True)) == "REFUSED"
        assert rcode(await face.ask("example.com", host=ABROAD)) == "NOERROR"
        assert len(upstream.asked) == 1


async def test_the_next_is_asked_if_one_is_silent_or_useless() -> None:
    silent: Treat = lambda query, _: None  # noqa: E731
    useless: Treat = lambda query, _: answer(query, rcode=dns.rcode.SERVFAIL)  # noqa: E731
    good: Treat = lambda query, _: answer(query, ADDRESS)  # noqa: E731
    async with recursive(silent, useless, good, recursor_timeout=1.0) as (face, upstreams):
        assert texts(await face.ask("example.com"))
        assert [len(upstream.asked) for upstream in upstreams] == [1, 1, 1]
        assert face.face.ledger.counts[FAILED] == 2


async def test_a_denial_is_an_answer() -> None:
    deny: Treat = lambda query, _: answer(query, rcode=dns.rcode.NXDOMAIN)  # noqa: E731
    async with recursive(deny, deny) as (face, upstreams):
        assert rcode(await face.ask("example.com")) == "NXDOMAIN"
        assert [len(upstream.asked) for upstream in upstreams] == [1, 0]


async def test_if_nobody_answers_it_is_servfail() -> None:
    face = Recursive("127.0.0.1:9", "127.0.0.1:9")
    assert rcode(await face.ask("example.com")) == "SERVFAIL"


async def test_by_chance_each_is_asked_first() -> None:
    good: Treat = lambda query, _: answer(query, ADDRESS)  # noqa: E731
    async with recursive(good, good, recursor_strategy="random") as (face, upstreams):
        for _ in range(40):
            await face.ask("example.com")
        assert all(len(upstream.asked) > 5 for upstream in upstreams)


async def test_forged_replies_are_ignored() -> None:
    def forge(query: dns.message.Message, by_tcp: bool) -> list[bytes]:
        right = answer(query, ADDRESS)
        other_id = bytes((right[0] ^ 1,)) + right[1:]
        other_name = right.replace(b"\x07example", b"\x07exomple")
        return [b"", b"x", other_id, other_name, query.to_wire(), right]

    async with recursive(forge) as (face, _):
        assert texts(await face.ask("example.com")) == ["example.com. A 203.0.113.7"]
        assert face.face.ledger.counts[FORGED] == 5


async def test_after_many_forged_replies_the_wait_is_given_up() -> None:
    async with recursive(lambda query, _: [b"x"] * (FORGED_MAX + 5)) as (face, _):
        assert rcode(await face.ask("example.com")) == "SERVFAIL"
        assert face.face.ledger.counts[FORGED] <= FORGED_MAX


def long_answer(query: dns.message.Message, by_tcp: bool) -> bytes:
    if not by_tcp:
        return answer(query, flags=dns.flags.TC)
    return answer(query, *(f"example.com. A 203.0.113.{n}" for n in range(200)))


async def test_what_is_truncated_is_asked_for_again_by_tcp() -> None:
    async with recursive(long_answer) as (face, (upstream,)):
        assert len(texts(await face.ask("example.com", tcp=True))) == 200
        assert upstream.by_tcp == 1
        by_udp = await face.ask("example.com")
        assert (texts(by_udp), bool(by_udp.flags & dns.flags.TC)) == ([], True)


async def test_the_addresses_behind_a_host_name_are_added() -> None:
    chain = ("db.example.com. CNAME x.example.net.", "x.example.net. A 203.0.113.9")
    async with recursive(lambda query, _: answer(query, *chain)) as (face, (upstream,)):
        face.face.show("a", address="db.example.com")
        reply = await face.ask("web.service.consul")
        assert texts(reply) == [
            "web.service.consul. CNAME db.example.com.",
            "db.example.com. CNAME x.example.net.",
            "x.example.net. A 203.0.113.9",
        ]
        assert str(upstream.asked[0].question[0].name) == "db.example.com."


async def test_without_an_answer_the_alias_alone_is_told() -> None:
    face = Recursive("127.0.0.1:9")
    face.face.show("a", address="db.example.com")
    assert texts(await face.ask("web.service.consul")) == [
        "web.service.consul. CNAME db.example.com."
    ]


@pytest.mark.parametrize(("code", "expected"), [("NXDOMAIN", "NXDOMAIN"), ("YXDOMAIN", "NOERROR")])
async def test_an_alias_for_nothing_is_a_denial(code: str, expected: str) -> None:
    deny: Treat = lambda query, _: answer(query, rcode=dns.rcode.from_text(code))  # noqa: E731
    async with recursive(deny) as (face, _):
        face.face.show("a", address="db.example.com")
        reply = await face.ask("web.service.consul")
        assert texts(reply) == ["web.service.consul. CNAME db.example.com."]
        assert rcode(reply) == expected


@pytest.mark.parametrize("tail", [b"\xc0\xff\0\1", b"\xc0\x0c" * 3, b"\x3fabc", b""])
async def test_a_reply_that_cannot_be_read_adds_nothing(tail: bytes) -> None:
    def broken(query: dns.message.Message, by_tcp: bool) -> bytes:
        good = answer(query)
        return good[:6] + b"\0\1" + good[8:] + tail

    async with recursive(broken) as (face, _):
        face.face.show("a", address="db.example.com")
        assert len(texts(await face.ask("web.service.consul"))) == 1


async def test_the_same_question_is_asked_once_at_a_time() -> None:
    replies: list[dns.message.Message] = []

    async def ask(name: str, kind: str = "A", payload: int | None = 4096) -> None:
        replies.append(await face.ask(name, kind, payload=payload))

    async with recursive(lambda query, _: answer(query, ADDRESS)) as (face, (upstream,)):
        async with trio.open_nursery() as nursery:
            for name in ("example.com", "EXAMPLE.com", "example.COM"):
                nursery.start_soon(ask, name)
            nursery.start_soon(partial(ask, "example.com", payload=None))  # wants another reply
            nursery.start_soon(partial(ask, "example.com", kind="NS"))
        assert len(upstream.asked) == 3
        assert {texts(reply)[0].split()[0] for reply in replies} == {
            "example.com.", "EXAMPLE.com.", "example.COM.",
        }  # fmt: skip
        await face.ask("example.com")
        assert len(upstream.asked) == 4  # nothing is kept


@asynccontextmanager
async def served(
    *recursors: str, at: str = "127.0.0.1", asks_itself: bool = True, timeout: float = 10.0
) -> AsyncIterator[tuple[Recursive, str]]:
    """Serve a face by UDP that asks itself, then ``recursors``; also gives its address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind((at, 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        asked = (address, *recursors) if asks_itself else recursors
        face = Recursive(*asked, recursor_timeout=timeout)
        datagrams = Datagrams(
            bound, face.face.answering, face.forwarding, face.face.ledger, face.defects
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(datagrams.run)
            yield face, address
            nursery.cancel_scope.cancel()


async def ask_by_udp(address: str, name: str) -> dns.message.Message:
    host, _, port = address.partition(":")
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
        await sock.connect((host, int(port)))
        await sock.send(make_query(name).to_wire())
        with trio.fail_after(5):
            return dns.message.from_wire(await sock.recv(4096))


@pytest.mark.parametrize("at", ["127.0.0.1", "0.0.0.0"])
async def test_a_recursor_that_is_this_daemon_is_noticed(at: str) -> None:
    async with served(at=at) as (face, address):
        for _ in range(3):
            assert rcode(await ask_by_udp(address, "example.com")) == "SERVFAIL"
        counts = face.face.ledger.counts
        assert (counts[LOOPS], counts[FORWARDED]) == (3, 3)
        (line,) = face.logged
        assert "dns.recursors leads to this daemon itself" in line


async def test_a_good_recursor_beside_this_daemon_is_asked() -> None:
    upstream = Upstream(lambda query, _: answer(query, ADDRESS))
    async with trio.open_nursery() as nursery:
        await nursery.start(upstream.run)
        async with served(upstream.address) as (_, address):
            assert texts(await ask_by_udp(address, "example.com")) == [ADDRESS]
        nursery.cancel_scope.cancel()


async def test_a_loop_through_another_resolver_goes_round_once() -> None:
    async def pass_on(query: bytes) -> None:  # as dnsmasq: from a port and with an id of its own
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            await sock.connect(("127.0.0.1", back[0]))
            await sock.send(b"\0\7" + query[2:])
            with trio.move_on_after(5):
                await sock.recv(4096)

    def treat(query: dns.message.Message, by_tcp: bool) -> None:
        nursery.start_soon(pass_on, query.to_wire())

    back: list[int] = []
    async with trio.open_nursery() as nursery:
        upstream = Upstream(treat)
        await nursery.start(upstream.run)
        async with served(upstream.address, asks_itself=False, timeout=0.5) as (_, address):
            back.append(int(address.partition(":")[2]))
            assert rcode(await ask_by_udp(address, "example.com")) == "SERVFAIL"
        assert len(upstream.asked) == 1
        nursery.cancel_scope.cancel()


async def test_only_so_many_are_under_way() -> None:
    async with recursive(lambda q, _: None) as (face, _), trio.open_nursery() as nursery:
        for _n in range(IN_FLIGHT_MAX):
            nursery.start_soon(face.ask, "example.com")
        await trio.testing.wait_all_tasks_blocked()
        assert face.forwarding.is_busy
        assert rcode(await face.ask("example.com")) == "SERVFAIL"
        nursery.cancel_scope.cancel()
    assert not face.forwarding.is_busy
