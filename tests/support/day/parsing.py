"""What clients make of texts: metrics, server-sent events, replies of DNS."""

from __future__ import annotations

import json
from typing import Any

import dns.message
import dns.rdatatype
import trio

from support.day.oracle import Wrong
from support.day.wire import Ended


def grown(before: dict[str, float], text: str) -> dict[str, float]:
    """Return the counters of a scrape, none of which is below what it was."""
    now: dict[str, float] = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if not line.startswith("#") and name.partition("{")[0].endswith("_total"):
            now[name] = float(value)
    for name, former in before.items():
        if now.get(name, -1.0) < former:
            raise Wrong(f"{name} fell from {former} to {now.get(name)}")
    if not now:
        raise Wrong("no counters in the metrics")
    return now


def events(piece: bytes) -> list[tuple[str, str, Any]]:
    """Return kind, id and data of the server-sent events in a piece."""
    found = []
    for block in piece.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "data" in fields:
            found.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
    return found


async def srv(stream: trio.abc.Stream, name: str) -> set[tuple[str, int]]:
    """Return addresses and ports of the SRV records of ``name``."""
    query = dns.message.make_query(name, dns.rdatatype.SRV).to_wire()
    buffer = b""
    try:
        await stream.send_all(len(query).to_bytes(2, "big") + query)
        while len(buffer) < 2 or len(buffer) < 2 + int.from_bytes(buffer[:2], "big"):
            data = await stream.receive_some(65536)
            if not data:
                raise Ended
            buffer += data
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        raise Ended from None
    reply = dns.message.from_wire(buffer[2:])
    addresses = {
        rrset.name: rrset[0].to_text()
        for rrset in reply.additional
        if rrset.rdtype == dns.rdatatype.A
    }
    return {(addresses[record.target], record.port) for rrset in reply.answer for record in rrset}
