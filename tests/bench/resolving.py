"""``make bench-dns``: what an answer of the DNS face costs, and the face itself.

Real daemons on loopback, asked by a program of its own (``asking.py``); and, within this
process, answers that are kept beside answers that are made. Medians of several rounds with
the least and the greatest, latencies, what the asking program costs and could reach at
most, memory as the kernel shares it out (PSS), and what 100,000 random messages leave of a
daemon. Writes ``docs/benchmarks-dns.md`` with ``--write``. Exit code 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.report import HEADINGS, Row, as_text
from bench.usage import processor_seconds, proportional_bytes
from gossipd.client.blocking import Client
from gossipd.dns.rolls import Rolls
from support.agents import GOSSIPD, PROJECT, AgentProcess
from support.clusters import Cluster
from support.dns_face import DnsFace, make_query

ASKING = str(Path(__file__).with_name("asking.py"))
PORT = 8600
SECONDS, ROUNDS = 3.0, 5
UNDER_WAY = 16
"""Queries that the asking program has out at a time, where the most is wanted."""
RATE_BAR = 5000.0
KEPT_BAR = 10.0
MEMORY_BAR_MB = 4.0
SETTLED_SECONDS = 3.0
SPELLINGS = 20_000
RANDOM_MESSAGES = 100_000
NAME = "_web._tcp.service.consul"
KEPT_ROUNDS, KEPT_CALLS, MADE_CALLS = 15, 1000, 100


def run_asking(*words: object) -> dict[str, float]:
    """Return what the asking program measured; it fails at a wrong answer."""
    line = [sys.executable, ASKING, *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(line[2:])}: {done.stderr.strip()}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


class Load:
    """One kind of question, in rounds: replies a second, latencies, what each side needs."""

    def __init__(self, pid: int, place: tuple[object, ...]) -> None:
        self.rounds: list[dict[str, float]] = []
        self._pid = pid
        self._place = place

    def look(self) -> None:
        """Ask for one round with ``UNDER_WAY`` queries out, and for a short one with one out."""
        before = processor_seconds(self._pid)
        many = run_asking("ask", *self._place, "--seconds", SECONDS, "--under-way", UNDER_WAY)
        used = processor_seconds(self._pid) - before
        one = run_asking("ask", *self._place, "--seconds", SECONDS / 3, "--under-way", 1)
        self.rounds.append(
            {
                "rate": many["rate"],
                "many_p99_ms": many["p99_us"] / 1000,
                "one_p50_us": one["p50_us"],
                "one_p99_us": one["p99_us"],
                "daemon_us": used / many["replies"] * 1e6,
                "client_us": many["client_us"],
                "lost": many["lost"] + one["lost"],
            }
        )

    def __getitem__(self, key: str) -> float:
        return median(each[key] for each in self.rounds)

    def told(self) -> str:
        """Return all of it in one line."""
        rates = sorted(each["rate"] for each in self.rounds)
        lost = sum(each["lost"] for each in self.rounds)
        return (
            f"{self['rate']:.0f} a second ({rates[0]:.0f} to {rates[-1]:.0f}),"
            f" {self['daemon_us']:.0f} us of the server's processor each and"
            f" {self['client_us']:.0f} us of the asking program's; with {UNDER_WAY} under way"
            f" p99 {self['many_p99_ms']:.2f} ms; one at a time p50 {self['one_p50_us']:.0f} us,"
            f" p99 {self['one_p99_us']:.0f} us; {lost:.0f} replies lost"
        )


def ceiling(host: str, size: int) -> Load:
    """Return what the asking program reaches of a server that only sends back ``size`` bytes."""
    words = [sys.executable, ASKING, "echo", host, "0", NAME, "SRV", "--bytes", str(size)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            load = Load(server.pid, (host, int(server.stdout.readline()), NAME, "SRV"))
            for _ in range(ROUNDS):
                load.look()
        finally:
            server.kill()
    return load


def kept_and_made(count: int, kind: str) -> tuple[list[float], list[float]]:
    """Return microseconds of an answer that is kept, and of one that has to be made, by round.

    From the query's bytes to the reply's, sockets left out. Made anew is what follows a change
    of the service: the query is read, its instances are looked through, records are written.
    """
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
    for _ in range(KEPT_ROUNDS):
        hits.append(_each(kept, KEPT_CALLS))
        misses.append(_each(made, MADE_CALLS))
    return hits, misses


def _each(call: Callable[[], None], times: int) -> float:
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


def megabytes(agent: AgentProcess) -> float:
    """Return the proportional memory of a daemon, in 10^6 bytes."""
    return proportional_bytes(agent.pid) / 1e6


def memory(folder: Path) -> dict[str, float]:
    """Return megabytes of a daemon without DNS and with it, and how much questions add to it."""
    found: dict[str, list[float]] = {"without": [], "with": [], "asked": [], "pestered": []}
    for number in range(ROUNDS):
        for dns in (False, True):
            place = folder / f"memory-{number}-{dns}"
            with one_agent(place, dns=dns, instances=0) as (agent, host):
                time.sleep(SETTLED_SECONDS)
                before = megabytes(agent)
                found["with" if dns else "without"].append(before)
                if not dns:
                    continue
                with Client(agent.options.rpc) as client:
                    client.register_service({"name": "web", "port": 9000})
                known = megabytes(agent)
                asked = ("--count", SPELLINGS, "--spellings", SPELLINGS)
                run_asking("ask", host, PORT, NAME, "SRV", *asked)
                found["asked"].append(before + megabytes(agent) - known)
                if number == 0:
                    told = pester(agent, host)
                    found["pestered"].append(before + megabytes(agent) - known)
    return {key: median(values) for key, values in found.items()} | {
        "dropped": told["dropped"], "replies": told["replies"],
    }  # fmt: skip


def pester(agent: AgentProcess, host: str) -> dict[str, float]:
    """Send a daemon random messages; it must answer questions in between and be there still."""
    told = run_asking("pester", host, PORT, NAME, "SRV", "--count", RANDOM_MESSAGES)
    log = agent.log()
    if not agent.is_running or "Traceback" in log:
        raise SystemExit(f"random messages ended the daemon, or found a defect: {log[-2000:]}")
    return told | {"dropped": kernel_drops(host)}


def kernel_drops(host: str) -> float:
    """Return how many datagrams the kernel had no room for at the face's socket."""
    at = "".join(f"{int(part):02X}" for part in reversed(host.split("."))) + f":{PORT:04X}"
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == at:
            return float(fields[-1])
    raise SystemExit(f"no socket at {host}:{PORT}")


def loads(folder: Path, further: dict[str, str]) -> Iterator[Row]:
    """Yield the lines of answers a second."""
    for count in (3, 60):
        with one_agent(folder / f"load-{count}", dns=True, instances=count) as (agent, host):
            found = {kind: Load(agent.pid, (host, PORT, NAME, kind)) for kind in ("SRV", "A")}
            for _ in range(ROUNDS):  # in turns, so that a busy moment hits all alike
                for load in found.values():
                    load.look()
            for kind, load in found.items():
                what = f"{kind}, {count} instances: answers a second"
                # a bar on a rate is one on its inverse: Row's ratios are upper bounds
                yield Row(what, "", RATE_BAR, load["rate"], "the bar, divided", 1.0)
                further[f"{kind}, {count} instances"] = load.told()
            if count == 3:
                further["A server that only echoes 300 bytes"] = ceiling(host, 300).told()


def kept(further: dict[str, str]) -> Iterator[Row]:
    """Yield the lines of answers that are kept."""
    for count in (1, 3, 10, 60):
        for kind in ("SRV", "A"):
            hits, misses = kept_and_made(count, kind)
            hit, miss = median(hits), median(misses)
            bar = 1 / KEPT_BAR if kind == "SRV" else 0.0
            what = f"{kind}, {count} instances: kept beside made, in process"
            yield Row(what, "us", hit, miss, "made anew", bar)
            further[f"{kind}, {count} instances, kept and made"] = (
                f"{hit:.1f} us ({min(hits):.1f} to {max(hits):.1f}) and"
                f" {miss:.0f} us ({min(misses):.0f} to {max(misses):.0f}): {miss / hit:.1f} times"
            )


def measure(folder: Path) -> tuple[list[Row], dict[str, str]]:
    """Return the lines of the table, and further figures."""
    further = {"Processes that ran when it began": f"{os.getloadavg()[0]:.1f} (one minute's mean)"}
    rows = [*loads(folder, further), *kept(further)]
    used = memory(folder)
    for what, key in (
        ("memory that DNS adds to an idle daemon", "with"),
        (f"the same, after {SPELLINGS:,} spellings of a name", "asked"),
        (f"the same, after {RANDOM_MESSAGES:,} random messages as well", "pestered"),
    ):
        rows.append(Row(what, "MB", used[key] - used["without"], MEMORY_BAR_MB, "the bar", 1.0))
    further["Memory (PSS)"] = f"{used['without']:.1f} MB without, {used['with']:.1f} MB with DNS"
    further["Random messages"] = (
        f"{RANDOM_MESSAGES:,} were sent and {used['replies']:.0f} got a reply; the kernel"
        f" dropped {used['dropped']:.0f} for want of room; every question in between was"
        " answered, and the log has no defect"
    )
    return rows, further


def document(rows: list[Row], further: dict[str, str]) -> str:
    """Return the page."""
    table = "\n".join("| " + " | ".join(row.cells()) + " |" for row in rows)
    lines = "\n".join(f"- {key}: {text}" for key, text in further.items())
    return f"""# Benchmarks of DNS

Written by `make bench-dns`; do not edit. One real daemon on loopback, asked by one program
of Python, which takes the other core. Medians of {ROUNDS} rounds of {SECONDS:.0f} s.

- Date: {datetime.now(UTC):%Y-%m-%d}
- Machine: {os.cpu_count()} cores, Linux {platform.machine()}, Python {platform.python_version()}

| {" | ".join(HEADINGS)} |
| --- | ---: | ---: | --- | ---: | ---: |
{table}

Answers a second are the bar divided by what was measured, and no more than the asking program
can take: what it reaches of a server that only echoes is said below. Kept and made
are from the query's bytes to the reply's within one process, sockets left out: an answer
is made anew when the service changed since the last query. On the wire a reply costs what
"of the server's processor" says, most of which is the kernel's.

{lines}
"""


def main() -> int:
    """Measure, print, write; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gossipd-bench-") as name:
        rows, further = measure(Path(name))
    sys.stdout.write(as_text(rows) + "\n" + json.dumps(further, indent=1) + "\n")
    if words.write:
        (PROJECT / "docs" / "benchmarks-dns.md").write_text(document(rows, further), "utf-8")
    missed = [row.what for row in rows if not row.is_met]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
