"""Replies a second with keep-alive, beside Hypercorn and Starlette serving the same bytes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from statistics import median

from bench.report import Row
from bench.usage import processor_seconds
from bench.web import asking, beside
from bench.web.daemons import PORT, call, one_daemon, register
from support.waiting import wait_for

PATH = "/v1/health/service/web"
INSTANCES = 2
"""They make a body of about 2 KB."""
CONNECTIONS = 16
SECONDS, ROUNDS = 3.0, 5
BAR = 1 / 4
OTHER_PORT = 8501


class Measured:
    """Medians of one server."""

    def __init__(self, pid: int, host: str, port: int, *more: str) -> None:
        self._pid = pid
        words = [sys.executable, asking.__file__, host, str(port), PATH, str(CONNECTIONS)]
        self._words = [*words, str(SECONDS), *more]
        self._found: list[tuple[float, float, float]] = []

    def measure(self) -> None:
        """Ask for one round."""
        before = processor_seconds(self._pid)
        done = subprocess.run(self._words, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        used = processor_seconds(self._pid) - before
        replies = found["replies"]
        self._found.append((SECONDS / replies * 1e6, used / replies * 1e6, found["p99"] * 1e3))

    @property
    def spacing_us(self) -> float:
        """Microseconds from one reply to the next."""
        return median(found[0] for found in self._found)

    @property
    def processor_us(self) -> float:
        """Microseconds of processor time for each."""
        return median(found[1] for found in self._found)

    @property
    def p99_ms(self) -> float:
        """The slowest hundredth, in milliseconds."""
        return median(found[2] for found in self._found)

    def told(self) -> str:
        """Return the figures as text."""
        return (
            f"{1e6 / self.spacing_us:,.0f} a second, {self.processor_us:.0f} us of processor"
            f" time each, slowest hundredth {self.p99_ms:.1f} ms"
        )


def measure(folder: Path) -> tuple[list[Row], dict[str, str]]:
    """Return lines of the table, and further figures."""
    with one_daemon(folder / "throughput") as (agent, host):
        register(host, "web", INSTANCES)
        _, body = call(host, PATH)
        (folder / "body").write_bytes(body)
        words = [sys.executable, beside.__file__, f"{host}:{OTHER_PORT}", PATH, f"{folder}/body"]
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as other:
            try:
                wait_for(lambda: _serves(host), 30, "Hypercorn to serve")
                ours = Measured(agent.pid, host, PORT)
                anew = Measured(agent.pid, host, PORT, "--anew")
                theirs = Measured(other.pid, host, OTHER_PORT)
                for _ in range(ROUNDS):
                    for measured in (ours, theirs, anew):
                        measured.measure()
            finally:
                other.kill()
    what = f"a lookup of {len(body)} bytes, {CONNECTIONS} connections"
    rows = [
        Row(f"{what}: time from reply to reply", "us", ours.spacing_us, theirs.spacing_us,
            "Hypercorn", BAR),
        Row(f"{what}: processor time", "us", ours.processor_us, theirs.processor_us,
            "Hypercorn", BAR),
        Row("the same with heads never seen before", "us", anew.spacing_us, theirs.spacing_us,
            "Hypercorn"),
    ]  # fmt: skip
    return rows, {
        "gossipd": ours.told(),
        "gossipd, heads never seen before": anew.told(),
        "Hypercorn and Starlette": theirs.told(),
    }


def _serves(host: str) -> bool:
    try:
        socket.create_connection((host, OTHER_PORT), 1).close()
    except OSError:
        return False
    return True
