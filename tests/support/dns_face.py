"""The DNS face without sockets: questions by name, replies as dnspython reads them."""

from __future__ import annotations

from random import Random
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from gossipd.config.faces import DnsConfig
from gossipd.dns.answering import Answering, Pending
from gossipd.dns.zone import Zone
from gossipd.ledger import Ledger
from gossipd.value import replace
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance

ABROAD = "10.9.9.9"
"""A host that is not this one."""
DATACENTER = "north"
WALL = 1_700_000_000.0


class DnsFace:
    """A node ``a`` that knows ``b`` and ``c``, and answers.

    Attributes:
        handle: what it knows.
        now: the clock.
        ready: whether it knows its cluster.
    """

    def __init__(self, config: DnsConfig | None = None, seed: int = 0) -> None:
        self.handle = FakeHandle(
            make_view(
                make_member("a", "10.0.0.1", tags={"role": "web"}),
                make_member("b", "10.0.0.2"),
                make_member("c", "fd00::3"),
            )
        )
        self.config = config or DnsConfig()
        self.ledger = Ledger()
        self.now = 100.0
        self.ready = True
        zone = Zone(
            self.handle,
            self.config,
            DATACENTER,
            wall=lambda: WALL,
            is_ready=lambda: self.ready,
        )
        self.answering = Answering(zone, self.config, self.ledger, Random(seed), lambda: self.now)

    def show(self, owner: str, name: str = "web", service_id: str = "", **more: Any) -> None:
        """Have an instance; its owner's address is the member's."""
        member = next((m for m in self.handle.current.members if m.name == owner), None)
        host = "10.0.0.9" if member is None else member.address.host
        instance = make_instance(owner, name, service_id, **more)
        self.handle.show(replace(instance, owner_address=host))

    def show_many(self, count: int, **more: Any) -> None:
        """Have so many instances of ``web``, each with an address and a port of its own."""
        instances = []
        for number in range(count):
            address = f"192.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            fields = {"address": address, "port": 1000 + number, **more}
            instances.append(make_instance("a", "web", f"web-{number:05}", **fields))
        self.handle.show_together("web", instances)

    def ask(
        self,
        name: str,
        kind: str = "A",
        *,
        host: str = "127.0.0.1",
        payload: int | None = 4096,
        tcp: bool = False,
        flags: int = dns.flags.RD,
    ) -> dns.message.Message:
        """Return the reply; it must be there, and be no longer than it may."""
        query = make_query(name, kind, payload=payload, flags=flags)
        reply = self.send(query.to_wire(), host=host, tcp=tcp)
        assert isinstance(reply, bytes), reply
        read = dns.message.from_wire(reply)
        assert read.id == query.id
        return read

    def send(
        self, data: bytes, *, host: str = "127.0.0.1", tcp: bool = False
    ) -> bytes | Pending | None:
        """Return what comes of ``data``."""
        return self.answering.message(data, host) if tcp else self.answering.datagram(data, host)


def make_query(
    name: str, kind: str = "A", *, payload: int | None = 4096, flags: int = dns.flags.RD
) -> dns.message.QueryMessage:
    """Return a question; ``payload`` is EDNS's, ``None`` for none."""
    if payload is None:
        query = dns.message.make_query(name, kind, use_edns=False, flags=flags)
    else:
        query = dns.message.make_query(name, kind, use_edns=0, payload=payload, flags=flags)
    return query


def texts(reply: dns.message.Message, section: str = "answer") -> list[str]:
    """Return the records of a section as ``owner type data``."""
    return [
        f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)} {rdata}"
        for rrset in getattr(reply, section)
        for rdata in rrset
    ]


def rcode(reply: dns.message.Message) -> str:
    """Return the name of the reply's code."""
    return dns.rcode.to_text(reply.rcode())
