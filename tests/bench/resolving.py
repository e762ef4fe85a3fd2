"""``make bench-dns``: what an answer of the DNS face costs, and the face itself.

Real daemons on loopback, asked by a program of its own; and, within this process, answers
that are kept beside answers that are made. Writes ``docs/benchmarks-dns.md`` with
``--write``. Exit code 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.report import HEADINGS, Row, as_text
from bench.usage import processor_seconds, resident_mb
from gossipd.client.blocking import Client
from gossipd.dns.rolls import Rolls
from support.agents import GOSSIPD, PROJECT, AgentProcess
from support.clusters import Cluster
from support.dns_face import DnsFace, make_query

PORT = 8600
SECONDS, ROUNDS = 3.0, 3
UNDER_WAY = 16
"""Queries that the asking program has out at a time."""
RATE_BAR = 5000.0
KEPT_BAR = 10.0
MEMORY_BAR_MB = 4.0
SETTLED_SECONDS = 3.0
NAME = "_web._tcp.service.consul"


def ask_all_the_time(host: str, name: str, kind: str, seconds: float, *, anew: bool) -> int:
    """Return how many replies came; ``anew`` gives each query another spelling."""
    query = make_query(name, kind, payload=1232).to_wire()
    queries = [query]
    if anew:
        random = Random(1)
        queries = [_respelt(query, random) for _ in range(20_000)]
    replies = sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((host, PORT))
        sock.settimeout(1.0)
        ends = time.perf_counter() + seconds
        for _ in range(UNDER_WAY):
            sock.send(queries[sent % len(queries)])
            sent += 1
        while time.perf_counter() < ends:
            reply = sock.recv(4096)
            assert not reply[3] & 0xF, "an answer without error"
            replies += 1
            sock.send(queries[sent % len(queries)])
            sent += 1
    return replies


def _respelt(query: bytes, random: Random) -> bytes:
    end = query.index(b"\0", 12)
    name = bytes(c ^ 0x20 if 97 <= c | 0x20 <= 122 and random.random() < 0.5 else c
                 for c in query[12:end])  # fmt: skip
    return query[:12] + name + query[end:]


class Load:
    """Medians of one kind of question."""

    def __init__(self, agent: AgentProcess, host: str, kind: str) -> None:
        rates, costs = [], []
        for _ in range(ROUNDS):
            before = processor_seconds(agent.pid)
            words = [sys.executable, __file__, "--ask", host, kind]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            replies = int(done.stdout)
            rates.append(replies / SECONDS)
            costs.append((processor_seconds(agent.pid) - before) / replies * 1e6)
        self.rate, self.cost_us = median(rates), median(costs)


def kept_and_made(count: int, kind: str) -> tuple[float, float]:
    """Return microseconds of an answer that is kept, and of one that has to be made."""
    face = DnsFace()
    face.show_many(count)
    query = make_query(NAME, kind, payload=1232).to_wire()
    answering = face.answering

    def kept() -> None:
        answering.datagram(query, "127.0.0.1")

    def made() -> None:
        answering.cache.forget(query[12:-11].lower())
        answering.cache.unknow(query[2:])
        answering._zone.rolls = Rolls(only_passing=False)
        answering.datagram(query, "127.0.0.1")

    hits, misses = [], []
    for _ in range(15):
        hits.append(_each(kept, 1000))
        misses.append(_each(made, 100))
    return min(hits), min(misses)  # a busy machine only adds


def _each(call: object, times: int) -> float:
    assert callable(call)
    began = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - began) / times * 1e6


@contextmanager
def one_agent(folder: Path, *, dns: bool, instances: int) -> Iterator[tuple[AgentProcess, str]]:
    """Run a daemon with so many instances of ``web``."""
    folder.mkdir()
    cluster = Cluster(folder, log_level="warn")
    try:
        host = cluster.next_host()
        agent = cluster.prepare(GOSSIPD, more=["--dns-addr", f"{host}:{PORT}"] if dns else [])
        agent.start()
        with Client(agent.options.rpc) as client:
            for number in range(instances):
                address = f"127.1.0.{number + 1}"
                client.register_service(
                    {"name": "web", "id": f"web-{number}", "port": 9000, "address": address}
                )
        yield agent, host
    finally:
        cluster.close()


def memory(folder: Path) -> dict[str, float]:
    """Return megabytes of a daemon without DNS, with it, and after 20,000 different queries."""
    found: dict[str, list[float]] = {"without": [], "with": [], "asked": []}
    for number in range(ROUNDS):
        for dns in (False, True):
            with one_agent(folder / f"memory-{number}-{dns}", dns=dns, instances=0) as (
                agent,
                host,
            ):
                time.sleep(SETTLED_SECONDS)
                found["with" if dns else "without"].append(resident_mb(agent.pid))
                if dns:
                    with Client(agent.options.rpc) as client:
                        client.register_service({"name": "web", "port": 9000})
                    before = resident_mb(agent.pid)
                    words = [sys.executable, __file__, "--ask", host, "SRV", "--anew"]
                    subprocess.run(words, capture_output=True, check=True)
                    grown = resident_mb(agent.pid) - before
                    found["asked"].append(found["with"][-1] + grown)
    return {key: median(values) for key, values in found.items()}


def measure(folder: Path) -> tuple[list[Row], dict[str, object]]:
    """Return the lines of the table, and further figures."""
    rows: list[Row] = []
    further: dict[str, object] = {}
    for count in (3, 60):
        with one_agent(folder / f"load-{count}", dns=True, instances=count) as (agent, host):
            for kind in ("SRV", "A"):
                kept = Load(agent, host, kind)
                what = f"{kind}, {count} instances: answers a second"
                # a bar on a rate is one on its inverse: Row's ratios are upper bounds
                rows.append(Row(what, "", RATE_BAR, kept.rate, "the bar, divided", 1.0))
                further[f"{kind} {count}"] = (
                    f"{kept.rate:.0f} a second, {kept.cost_us:.0f} us of the processor each"
                )
    for count in (1, 3, 10, 60):
        for kind in ("SRV", "A"):
            hit, miss = kept_and_made(count, kind)
            bar = 1 / KEPT_BAR if kind == "SRV" else 0.0
            what = f"{kind}, {count} instances: kept beside made, in process"
            rows.append(Row(what, "us", hit, miss, "made anew", bar))
    used = memory(folder)
    for what, key, bar in (
        ("memory that DNS adds to an idle daemon", "with", 1.0),
        ("the same, after 20,000 spellings of a name", "asked", 1.0),
    ):
        rows.append(Row(what, "MB", used[key] - used["without"], MEMORY_BAR_MB, "the bar", bar))
    further["memory"] = f"{used['without']:.1f} MB without, {used['with']:.1f} MB with DNS"
    return rows, further


def document(rows: list[Row], further: dict[str, object]) -> str:
    """Return the page."""
    table = "\n".join("| " + " | ".join(row.cells()) + " |" for row in rows)
    loads = "\n".join(f"- {key}: {text}" for key, text in further.items())
    return f"""# Benchmarks of DNS

Written by `make bench-dns`; do not edit. One real daemon on loopback, asked by one program
with {UNDER_WAY} queries under way; the program is Python, too, and takes the other core.

- Date: {datetime.now(UTC):%Y-%m-%d}
- Machine: {os.cpu_count()} cores, Linux {platform.machine()}, Python {platform.python_version()}

| {" | ".join(HEADINGS)} |
| --- | ---: | ---: | --- | ---: | ---: |
{table}

Answers a second are the bar divided by what was measured. An answer is "made anew" when
the service changed since the last query.

{loads}
"""


def main() -> int:
    """Measure, print, write; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument(
        "--ask", nargs=2, metavar=("HOST", "TYPE"), help="what it calls itself with"
    )
    parser.add_argument("--anew", action="store_true")
    words = parser.parse_args()
    if words.ask:
        host, kind = words.ask
        sys.stdout.write(f"{ask_all_the_time(host, NAME, kind, SECONDS, anew=words.anew)}\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="gossipd-bench-") as name:
        rows, further = measure(Path(name))
    sys.stdout.write(as_text(rows) + "\n" + json.dumps(further, indent=1) + "\n")
    if words.write:
        (PROJECT / "docs" / "benchmarks-dns.md").write_text(document(rows, further), "utf-8")
    missed = [row.what for row in rows if not row.is_met]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
