"""Packets made to break a DNS server: good questions, turned bits, cut ends, noise.

As a program it sends very many of them to a face and says what it found:
``python tests/support/dns_fuzz.py 100000``.
"""

from __future__ import annotations

import struct
import sys
import time
from collections.abc import Iterator
from math import inf
from pathlib import Path
from random import Random

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (1, 2)]

import dns.message

from gossipd.config.faces import DnsConfig
from gossipd.dns.answering import Pending
from gossipd.dns.kinds import TCP_BYTES_MAX, UDP_BYTES_PLAIN
from gossipd.dns.limits import UNPROVEN_BYTES_MAX
from support.dns_face import ABROAD, DnsFace

LABELS = [
    b"web", b"service", b"consul", b"node", b"addr", b"north", b"dc", b"zone", b"_web", b"_tcp",
    b"a", b"", b"x" * 63, b"\xff\xfe", b"a.b", b"7f000001", b"query", b"ns", b"arpa", b"in-addr",
    b"10", b"0", b"1", b"*", b"blue", b"\xc3\xa4",
]  # fmt: skip
NAMES = [
    b"web.service.consul", b"blue.web.service.north.consul", b"_web._tcp.service.consul",
    b"_web._tcp.consul", b"web.service.x.zone.consul", b"a.service.consul", b"a.node.consul",
    b"db.service.consul", b"1.0.0.10.in-addr.arpa", b"consul", b"web.service.corp", b"ns.corp",
    b"blue.node.consul", b"example.com",
]  # fmt: skip
KINDS = [33, 33, 33, 255, 1, 1, 2, 5, 6, 12, 16, 28, 33, 41, 251, 252, 255, 0, 65535]
SLOW_SECONDS = 0.05
"""Of the processor for one packet, in a run by hand; a long answer takes a thousandth of it."""
STRANGERS = (ABROAD, "8.8.4.4", "2001:db8::7")


def packets(random: Random, count: int) -> Iterator[bytes]:
    """Yield packets: a third are questions, the rest such ones spoilt, or noise."""
    for _ in range(count):
        choice = random.random()
        if choice < 0.1:
            yield random.randbytes(random.randrange(0, 600))
            continue
        packet = bytearray(_question(random))
        if choice < 0.4:
            yield bytes(packet)
            continue
        for _ in range(random.randrange(1, 6)):
            _spoil(packet, random)
        yield bytes(packet)


def _question(random: Random) -> bytes:
    labels = random.choice(NAMES).split(b".")
    if random.random() < 0.4:
        labels = [random.choice(LABELS) for _ in range(random.randrange(0, 8))] + [b"consul"]
    elif random.random() < 0.2:
        labels[random.randrange(len(labels))] = random.choice(LABELS)
    name = b"".join(bytes((len(label),)) + label for label in labels if label) + b"\0"
    question = name + struct.pack(
        "!HH", random.choice(KINDS), random.choice((1, 1, 1, 1, 1, 1, 3, 255))
    )
    opt = b""
    if random.random() < 0.6:
        options = b""
        if random.random() < 0.4:
            value = random.randbytes(random.randrange(0, 20))
            options = struct.pack("!HH", random.choice((8, 10, 3)), len(value)) + value
        payload = random.choice((0, 100, 512, 1232, 4096, 65535))
        ttl = random.choice((0, 0, 0, 0x8000, 1 << 16))
        opt = b"\0" + struct.pack("!HHIH", 41, payload, ttl, len(options)) + options
    flags = random.choice((0x0100, 0x0100, 0x0100, 0, 0x0110, 0x8100, 0x2900, 0xFFFF))
    counts = (1, 0, 0, bool(opt))
    return struct.pack("!HHHHHH", random.getrandbits(16), flags, *counts) + question + opt


def _spoil(packet: bytearray, random: Random) -> None:
    match random.randrange(5):
        case 0 if packet:
            packet[random.randrange(len(packet))] = random.getrandbits(8)
        case 1:
            del packet[random.randrange(len(packet) + 1) :]
        case 2:
            at = random.randrange(len(packet) + 1)
            packet[at:at] = random.randbytes(random.randrange(1, 20))
        case 3:
            at = random.randrange(len(packet) + 1)
            packet[at : at + 2] = struct.pack("!H", 0xC000 | random.randrange(0, 64))
        case _:
            packet += random.randbytes(random.randrange(1, 400))


def faces() -> list[DnsFace]:
    """Return faces of different settings, with things to find."""
    configs = [
        DnsConfig(rate_limit=0),
        DnsConfig(
            rate_limit=0, payload_max=8192, node_meta_txt=True, sort="rtt", alt_domain="corp",
            enable_truncate=False, recursors=("127.0.0.1:9",),
        ),
    ]  # fmt: skip
    external = {"external-node": "blue", "external-node:rack": "1"}
    found = [DnsFace(config, seed) for seed, config in enumerate(configs)]
    for face in found:
        face.show_many(80, tags=("blue", "a"), zone="x")
        face.show("a", "a", address="db.example.com")
        face.show("b", "db", address="a.service.consul")
        face.show("b", "mail", "blue/mail", address="192.0.2.1", meta=external)
    return found


def check(face: DnsFace, packet: bytes, host: str, *, tcp: bool, slow: float) -> str:
    """Send one packet and return what is wrong with what came of it; nothing if all is well."""
    began = time.process_time()
    reply = face.send(packet, host=host, tcp=tcp)
    took = time.process_time() - began
    if took > slow:
        return f"took {took:.3f} s"
    if isinstance(reply, Pending):
        reply = face.answering.failed(reply)
    if reply is None:
        return ""
    if reply[:2] != packet[:2] or not reply[2] & 0x80 or reply[2] & 0x78 != packet[2] & 0x78:
        return "an answer to something else"
    room = _room(face, packet, host, tcp=tcp)
    if len(reply) > room:
        return f"{len(reply)} bytes where {room} are allowed"
    dns.message.from_wire(reply, ignore_trailing=False)
    return ""


def _room(face: DnsFace, packet: bytes, host: str, *, tcp: bool) -> int:
    if tcp:
        return TCP_BYTES_MAX
    at = packet.rfind(b"\0\0\x29")
    payload = int.from_bytes(packet[at + 3 : at + 5]) if at > 0 else 0
    most = UNPROVEN_BYTES_MAX if host in STRANGERS else face.config.payload_max
    # bytes that look like an OPT may be none: who has none gets the least
    return max(UDP_BYTES_PLAIN, min(payload, most))


def hunt(count: int, seed: int, slow: float = inf) -> list[str]:
    """Send ``count`` packets; return what went wrong, with the packets.

    Args:
        count, seed: how many, and which.
        slow: seconds above which a packet took too long.
    """
    random = Random(seed)
    everybody = faces()
    found = []
    for packet in packets(random, count):
        face = random.choice(everybody)
        host, tcp = random.choice(("127.0.0.1", *STRANGERS)), random.random() < 0.3
        fault = check(face, packet, host, tcp=tcp, slow=slow)
        if fault:
            found.append(f"{fault}: {packet.hex()}")
    return found


if __name__ == "__main__":
    started = time.perf_counter()
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    faults = hunt(count, seed, SLOW_SECONDS)
    for fault in faults[:20]:
        sys.stdout.write(fault + "\n")
    took = time.perf_counter() - started
    sys.stdout.write(f"{count} packets, seed {seed}, {took:.0f} s: {len(faults)} faults\n")
    sys.exit(bool(faults))
