"""Programs that ask DNS: ``dig``, HAProxy and Prometheus, started against one agent."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.peers import skip_or_fail
from support.waiting import wait_for

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
HAPROXY = """
global
    stats socket {socket} level admin
defaults
    mode tcp
    timeout connect 1s
    timeout client 1s
    timeout server 1s
resolvers gossip
    nameserver n1 {nameserver}
    accepted_payload_size 8192
    timeout resolve 200ms
    timeout retry 200ms
    hold valid 200ms
    hold obsolete 400ms
    hold nx 400ms
backend web
    server-template srv {slots} {name} resolvers gossip resolve-prefer ipv4 init-addr none
"""


def program(name: str, package: str) -> str:
    """Return the path of a program; without it the test is skipped, or fails in CI."""
    found = shutil.which(name, path=PATH)
    if found is None:
        skip_or_fail(f"needs {name} (Debian package {package})")
    return found


class Dig:
    """``dig`` at one server."""

    def __init__(self, host: str, port: int) -> None:
        self._words = [program("dig", "bind9-dnsutils"), f"@{host}", "-p", str(port)]

    def __call__(self, *words: str) -> str:
        """Return all that it prints."""
        done = subprocess.run(
            [*self._words, "+tries=1", "+time=5", *words],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def short(self, *words: str) -> list[str]:
        """Return the data of the answers, sorted."""
        return sorted(self(*words, "+short").splitlines())

    def status(self, *words: str) -> str:
        """Return the rcode."""
        return self(*words).partition("status: ")[2].partition(",")[0]


class Haproxy:
    """A running HAProxy with one backend ``web``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def servers(self) -> dict[str, tuple[str, str, int]]:
        """Return address, status and weight of each slot that has an address, by ``ip:port``."""
        found = {}
        for row in self._table("show stat"):
            address = row.get("addr", "")
            if row["pxname"] == "web" and row["svname"].startswith("srv") and address:
                found[address] = (row["svname"], row["status"], int(row["weight"]))
        return {
            address: row
            for address, row in found.items()
            if row[1] not in ("MAINT", "MAINT (resolution)")
        }

    def resolutions(self) -> dict[str, int]:
        """Return the counters of the name server."""
        counters = {}
        for line in self._ask("show resolvers gossip").splitlines():
            name, colon, count = line.strip().partition(":")
            if colon and count.strip().isdigit():
                counters[name] = int(count)
        return counters

    def _table(self, command: str) -> list[dict[str, str]]:
        text = self._ask(command).removeprefix("# ")
        return list(csv.DictReader(io.StringIO(text)))

    def _ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5.0)
            sock.connect(str(self._path))
            sock.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: sock.recv(65536), b"")).decode()


@contextmanager
def haproxy(folder: Path, nameserver: str, name: str, slots: int = 6) -> Iterator[Haproxy]:
    """Run HAProxy with a server template for ``name`` (with a port, if it is none of SRV)."""
    path = folder / "haproxy.sock"
    config = folder / "haproxy.cfg"
    config.write_text(
        HAPROXY.format(socket=path, nameserver=nameserver, name=name, slots=slots), "utf-8"
    )
    words = [program("haproxy", "haproxy"), "-db", "-q", "-f", str(config)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield Haproxy(path)
    finally:
        process.kill()
        process.wait()


@contextmanager
def dnsmasq(config: Path, host: str) -> Iterator[int]:
    """Run dnsmasq with a file on some port of ``host``; yields the port when it answers."""
    with socket.create_server((host, 0)) as taken:
        port = taken.getsockname()[1]
    words = [
        program("dnsmasq", "dnsmasq-base"),
        "--keep-in-foreground",
        "--no-resolv",
        "--no-hosts",
    ]
    words += ["--user=", "--pid-file", f"--conf-file={config}", "--bind-interfaces"]
    process = subprocess.Popen([*words, f"--listen-address={host}", f"--port={port}"])
    try:
        wait_for(lambda: _answers(host, port), 10, "dnsmasq")
        yield port
    finally:
        process.kill()
        process.wait()


def _answers(host: str, port: int) -> bool:
    with socket.create_connection((host, port), 1):
        return True


PROMETHEUS = """
global:
  scrape_interval: 1h
scrape_configs:
  - job_name: srv
    dns_sd_configs:
      - names: ["_web._tcp.service.consul"]
        refresh_interval: 1s
  - job_name: a
    dns_sd_configs:
      - names: ["web.service.consul"]
        type: A
        port: 9000
        refresh_interval: 1s
"""


class Prometheus:
    """A running Prometheus; what it found by DNS."""

    def __init__(self, address: str) -> None:
        self._address = address

    def targets(self, job: str) -> set[str]:
        """Return ``host:port`` of each target that a job has now."""
        with urllib.request.urlopen(f"http://{self._address}/api/v1/targets", timeout=5) as reply:
            active: list[dict[str, Any]] = json.load(reply)["data"]["activeTargets"]
        return {
            one["discoveredLabels"]["__address__"] for one in active if one["scrapePool"] == job
        }


@contextmanager
def prometheus(folder: Path, nameserver: str, host: str) -> Iterator[Prometheus]:
    """Run Prometheus on ``host`` with ``nameserver`` (an IP, port 53) in its ``resolv.conf``.

    It asks those alone, so it gets a file of its own, in a mount namespace (root).
    """
    found = program("prometheus", "prometheus")
    if os.geteuid() != 0:
        skip_or_fail("needs root, for a resolv.conf of its own")
    (folder / "resolv.conf").write_text(f"nameserver {nameserver}\n", "utf-8")
    (folder / "prometheus.yml").write_text(PROMETHEUS, "utf-8")
    with socket.create_server((host, 0)) as taken:
        address = f"{host}:{taken.getsockname()[1]}"
    run = (
        f"mount --bind {folder}/resolv.conf /etc/resolv.conf && exec {found}"
        f" --config.file={folder}/prometheus.yml --storage.tsdb.path={folder}/data"
        f" --web.listen-address={address} --log.level=warn"
    )
    process = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", run], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        yield Prometheus(address)
    finally:
        process.kill()
        process.communicate()
