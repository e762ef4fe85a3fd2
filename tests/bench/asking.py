"""The program that asks the DNS face in ``make bench-dns``, and what it measures itself against.

``ask`` keeps so many queries under way by UDP and times each; ``echo`` is a server that
sends back one reply and does nothing else: what the asking program reaches there is the
most that it could see of any server. Both print one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import time
from pathlib import Path
from random import Random

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from support.dns_face import make_query

LOST_SECONDS = 0.25
"""A reply that has not come by then is taken for lost, and another question asked."""
BATCH = 50
"""Random messages after which one question is asked, so that none is lost for want of room."""


class Times:
    """What one run saw."""

    def __init__(self) -> None:
        self.replies = self.lost = 0
        self.took: list[float] = []

    def told(self, seconds: float, used: float) -> dict[str, float]:
        """Return the figures: a second, microseconds, and how many replies did not come."""
        self.took.sort()
        count = len(self.took)
        return {
            "rate": self.replies / seconds,
            "p50_us": 1e6 * self.took[count // 2] if count else float("nan"),
            "p99_us": 1e6 * self.took[int(count * 0.99)] if count else float("nan"),
            "lost": self.lost,
            "replies": self.replies,
            "client_us": 1e6 * used / max(self.replies, 1),
        }


def ask(
    address: tuple[str, int], queries: list[bytes], *, seconds: float, count: int, under_way: int
) -> dict[str, float]:
    """Ask in turn until ``seconds`` are over or, if given, ``count`` replies are here."""
    times, sent_at = Times(), {}
    clock = time.perf_counter
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        sock.settimeout(LOST_SECONDS)
        number, used, began = 0, time.process_time(), clock()
        ends = began + seconds
        for _ in range(under_way):
            sent_at[number & 0xFFFF] = clock()
            sock.send((number & 0xFFFF).to_bytes(2) + queries[number % len(queries)][2:])
            number += 1
        while clock() < ends and (not count or times.replies < count):
            try:
                reply = sock.recv(65535)
                at = sent_at.pop(int.from_bytes(reply[:2]), None)
                if at is None:
                    continue  # it was given up
                if reply[3] & 0xF:
                    raise SystemExit(f"an answer with code {reply[3] & 0xF}")
                times.took.append(clock() - at)
                times.replies += 1
            except TimeoutError:
                oldest = next(iter(sent_at))
                del sent_at[oldest]
                times.lost += 1
            sent_at[number & 0xFFFF] = clock()
            sock.send((number & 0xFFFF).to_bytes(2) + queries[number % len(queries)][2:])
            number += 1
        return times.told(clock() - began, time.process_time() - used)


def pester(address: tuple[str, int], count: int, seed: int, query: bytes) -> dict[str, float]:
    """Send ``count`` random messages, a question between each ``BATCH``; tell what came back."""
    from support.dns_fuzz import packets

    replies = answered = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        sock.settimeout(5.0)
        for number, packet in enumerate(packets(Random(seed), count)):
            sock.send(packet)
            if number % BATCH:
                continue
            mark = b"\xfe" + (answered & 0xFF).to_bytes(1)
            sock.send(mark + query[2:])
            while True:  # fails after five seconds: then it hangs, or is gone
                reply = sock.recv(65535)
                if reply[:2] == mark and reply[12 : len(query) - 11] == query[12:-11]:
                    break
                replies += 1
            if reply[3] & 0xF:
                raise SystemExit(f"between random messages an answer with code {reply[3] & 0xF}")
            answered += 1
    return {"sent": count, "replies": replies, "answered": answered}


def echo(host: str, reply: bytes) -> None:
    """Answer with ``reply`` for ever; prints the port first."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        sys.stdout.write(f"{sock.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            data, source = sock.recvfrom(4096)
            sock.sendto(data[:2] + reply, source)


def respelt(query: bytes, count: int) -> list[bytes]:
    """Return so many spellings of a question: letters in either case, by chance."""
    random = Random(1)
    end = query.index(b"\0", 12)
    found = []
    for _ in range(count):
        name = bytes(
            c ^ 0x20 if 97 <= c | 0x20 <= 122 and random.random() < 0.5 else c
            for c in query[12:end]
        )
        found.append(query[:12] + name + query[end:])
    return found


def main() -> int:
    """Do what the words say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("ask", "echo", "pester"))
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("name")
    parser.add_argument("kind")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--under-way", type=int, default=16)
    parser.add_argument("--spellings", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bytes", type=int, default=0, help="of what echo sends")
    words = parser.parse_args()
    query = make_query(words.name, words.kind, payload=1232).to_wire()
    address = words.host, words.port
    if words.what == "echo":
        echo(words.host, b"\x81\x80" + bytes(words.bytes - 4))
        return 0
    if words.what == "pester":
        told = pester(address, words.count, words.seed, query)
    else:
        queries = respelt(query, words.spellings) if words.spellings else [query]
        told = ask(address, queries, seconds=words.seconds, count=words.count,
                   under_way=words.under_way)  # fmt: skip
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
