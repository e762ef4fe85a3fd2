"""A hundred thousand random requests to one real daemon, over many connections at a time.

python tests/bench/web/noise.py HOST PORT COUNT SEED
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import trio

from bench.report import Row
from bench.usage import proportional_bytes
from bench.web.daemons import PORT, call, one_daemon, register
from support.agents import AgentProcess
from support.http_fuzz import Report

REQUESTS, WARM_UP = 90_000, 10_000
CONNECTIONS = 32
PATIENCE_SECONDS = 0.2
SETTLED_SECONDS = 5.0
SAMPLED_SECONDS = 0.25
HANG_SECONDS = 10.0
GROWTH_BAR_MB = 8.0
LEFT_OUT = ("/v1/agent/leave", "/v1/agent/join/{address}")
"""They would end the daemon, and have it ask strangers."""


def send(host: str, port: int, count: int, seed: int) -> dict[str, object]:
    """Send them; returns what became of them."""
    from gossipd.config.faces import HttpConfig
    from gossipd.rest.table import all_routes
    from support.http_noise import Noise

    report, began = Report(), time.perf_counter()
    routes = tuple(route for route in all_routes(HttpConfig()) if route.pattern not in LEFT_OUT)

    async def connect() -> trio.socket.SocketType:
        client = trio.socket.socket()
        await client.connect((host, port))
        return client

    noise = Noise(connect, routes, report, PATIENCE_SECONDS)
    trio.run(noise.send, seed, count, CONNECTIONS)
    return {
        "sent": report.sent,
        "seconds": time.perf_counter() - began,
        "statuses": report.statuses,
        "kinds": report.kinds,
        "failures": report.failures,
    }


class Sent:
    """What became of some requests, and how the daemon fared meanwhile."""

    def __init__(self, agent: AgentProcess, host: str, count: int, seed: int) -> None:
        self.peak = 0
        self.slowest = 0.0
        words = [sys.executable, __file__, host, str(PORT), str(count), str(seed)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as sender:
            while sender.poll() is None and agent.is_running:
                began = time.perf_counter()
                call(host, "/v1/health/service/web")
                self.slowest = max(self.slowest, time.perf_counter() - began)
                self.peak = max(self.peak, proportional_bytes(agent.pid))
                time.sleep(SAMPLED_SECONDS)
            if not agent.is_running:
                sender.kill()
            assert sender.stdout is not None
            text = sender.stdout.read()
        found = json.loads(text or "{}")
        self.count: int = found.get("sent", 0)
        self.seconds: float = found.get("seconds", 0.0)
        self.statuses: dict[str, int] = found.get("statuses", {})
        self.kinds: dict[str, int] = found.get("kinds", {})
        self.failures: list[str] = found.get("failures", ["whoever sends them has failed"])


def measure(folder: Path) -> tuple[list[Row], dict[str, str]]:
    """Return lines of the table, and further figures."""
    with one_daemon(folder / "noise") as (agent, host):
        register(host, "web", 3)
        fresh = proportional_bytes(agent.pid)
        first = Sent(agent, host, WARM_UP, 0)
        time.sleep(SETTLED_SECONDS)
        before = proportional_bytes(agent.pid)
        sent = Sent(agent, host, REQUESTS, 1)
        time.sleep(SETTLED_SECONDS)
        failures = first.failures + sent.failures + _defects(agent, host)
        after = proportional_bytes(agent.pid)
    for failure in failures[:10]:
        sys.stderr.write(f"{failure}\n")
    count, slowest = first.count + sent.count, max(first.slowest, sent.slowest)
    rows = [
        Row(f"defects and illegal replies in {count:,} random requests", "",
            float(len(failures)), 1.0, "the bar", 0.5),
        Row("memory that grew from the first tenth of them to the last", "MB",
            (after - before) / 1e6, GROWTH_BAR_MB, "the bar", 1.0),
        Row("slowest answer to a client like any other meanwhile", "s", slowest, HANG_SECONDS,
            "the bar", 1.0),
    ]  # fmt: skip
    memory = ((fresh, "before"), (before, "after a tenth"), (sent.peak, "most"), (after, "after"))
    return rows, {
        "replies to random requests by status": _told(first.statuses, sent.statuses),
        "how they were sent": _told(first.kinds, sent.kinds),
        "time they took": f"{first.seconds + sent.seconds:.0f} s, {CONNECTIONS} connections",
        "memory": ", ".join(f"{size / 1e6:.1f} MB {when}" for size, when in memory),
    }


def _defects(agent: AgentProcess, host: str) -> list[str]:
    """Return what the daemon says of itself afterwards that it should not."""
    if not agent.is_running:
        return [f"the daemon ended with {agent.exit_code}: {agent.log()[-2000:]}"]
    found = [line for line in agent.log().splitlines() if "[ERR]" in line]
    _, text = call(host, "/metrics")
    of = partial(_metric, text.decode())
    waits, connections = of("gossipd_http_open_waits"), of("gossipd_http_open_connections")
    if waits:
        found.append(f"{waits:g} requests are held, and all clients are gone")
    if connections > 1:
        found.append(f"{connections:g} connections are open, and ours is one")
    return found


def _metric(text: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    if found is None:
        raise LookupError(f"no metric {name}")
    return float(found[1])


def _told(*counted: dict[str, int]) -> str:
    total: dict[str, int] = {}
    for counts in counted:
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
    return ", ".join(f"{name}: {count:,}" for name, count in sorted(total.items()))


if __name__ == "__main__":
    host, port, count, seed = sys.argv[1:]
    sys.stdout.write(json.dumps(send(host, int(port), int(count), int(seed))) + "\n")
