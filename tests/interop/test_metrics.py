"""Metrics of real processes on real sockets: statsd, statsite, SIGUSR1, and what Serf sends."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.agents import GOSSIPD, SERF, AgentProcess
from support.clusters import NewCluster
from support.waiting import wait_for

LINE = re.compile(r"serf-agent\.([^\s:]+):(\d+\.\d{6})\|(c|g|ms)(?:\|@[\d.]+)?")
OF_GO = {
    f"runtime.{name}"
    for name in ("alloc_bytes", "malloc_count", "free_count", "total_gc_pause_ns", "gc_pause_ns")
}
"""What Serf tells of Go's memory."""


class Sinks:
    """A statsd and a statsite that keep what they get, and the file that names them."""

    def __init__(self, folder: Path, name: str) -> None:
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._datagrams: list[bytes] = []
        self._stream: list[bytes] = []
        self._threads = [
            threading.Thread(target=self._take_datagrams, daemon=True),
            threading.Thread(target=self._take_stream, daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self.file = folder / f"{name}.json"
        self.file.write_text(
            json.dumps(
                {
                    "statsd_addr": f"127.0.0.1:{self._udp.getsockname()[1]}",
                    "statsite_addr": f"127.0.0.1:{self._tcp.getsockname()[1]}",
                    "event_handlers": ["user=true", "query=echo here"],
                    "snapshot_path": str(folder / f"{name}.snapshot"),
                }
            )
        )

    def _take_datagrams(self) -> None:
        while data := self._udp.recv(65536):
            self._datagrams.append(data)

    def _take_stream(self) -> None:
        connection, _ = self._tcp.accept()
        with connection:
            while data := connection.recv(65536):
                self._stream.append(data)

    def datagrams(self) -> list[str]:
        """Return the lines that came by UDP."""
        return b"\n".join(self._datagrams).decode().split("\n")

    def stream(self) -> list[str]:
        """Return the lines that came by TCP."""
        return b"".join(self._stream).decode().splitlines()

    def close(self) -> None:
        """End both; an empty datagram ends the loop of the one."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._udp.getsockname())
        self._threads[0].join(5)
        self._udp.close()
        self._tcp.close()


@contextmanager
def sinks(folder: Path, name: str) -> Iterator[Sinks]:
    opened = Sinks(folder, name)
    try:
        yield opened
    finally:
        opened.close()


def kinds(lines: list[str], host: str) -> dict[str, str]:
    """Return the kind of each name, without the host of gauges; every line must be legal."""
    found: dict[str, str] = {}
    for line in filter(None, lines):
        match = LINE.fullmatch(line)
        assert match is not None, line
        name, _, kind = match.groups()
        if kind == "g":
            assert name.startswith(f"{host}."), line
            name = name.removeprefix(f"{host}.")
        assert found.setdefault(name, kind) == kind
    return found


def total(lines: list[str], name: str) -> float:
    """Return the sum of the counter ``name``."""
    values = [LINE.fullmatch(line) for line in lines if line.startswith(f"serf-agent.{name}:")]
    return sum(float(match.group(2)) for match in values if match is not None)


def keep_busy(agent: AgentProcess) -> None:
    """Have an event sent and a query asked through ``agent``, and wait for the answer."""
    with agent.rpc() as probe:
        probe.members()
        probe.event("de:p loy", b"v1")
        probe.call("query", {"Name": "lo:ad", "RequestAck": True, "Timeout": 1_000_000_000})
        while probe.next_record(10.0).get("Type") != "done":
            pass


@pytest.mark.usefixtures("serf_program")
@pytest.mark.interop
def test_serf_and_gossipd_send_statsd_the_same_names_and_kinds(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    cluster = new_cluster()
    host = socket.gethostname()
    with sinks(tmp_path, "serf") as of_serf, sinks(tmp_path, "gossipd") as of_gossipd:
        serf = cluster.prepare(SERF, "ser:f", more=("-config-file", str(of_serf.file)))
        gossipd = cluster.prepare(GOSSIPD, "goss ipd", more=("--config-file", str(of_gossipd.file)))
        serf.start()
        gossipd.start()
        for one, other in ((serf, gossipd), (gossipd, serf)):  # each dials, each is dialled
            with one.rpc() as probe:
                assert probe.join(other.options.bind) == 1
        wait_for(lambda: len(gossipd.statuses()) == 2, 10, "both to be members")
        keep_busy(serf)
        keep_busy(gossipd)
        wait_for(
            lambda: "serf-agent.memberlist.probeNode" in str(of_serf.datagrams()), 15, "probes"
        )
        wait_for(lambda: "memberlist.probeNode" in str(of_gossipd.stream()), 25, "an interval")
        gossipd.leave()
        wait_for(lambda: serf.statuses()["goss ipd"] == "left", 15, "the leave to be known")
        serf.leave()
        theirs, ours = of_serf.datagrams(), of_gossipd.datagrams()
        of_stream = of_gossipd.stream()
    expected, found = kinds(theirs, host), kinds(ours, host)
    common = {name: kind for name, kind in expected.items() if name not in OF_GO}
    assert {name: found.get(name) for name in common} == common
    assert {"serf.events.de_p_loy", "serf.queries.lo_ad", "agent.invoke.echo_here"} <= set(common)
    assert kinds(of_stream, host) == found
    for name in ("serf.events", "serf.queries", "serf.query_acks", "serf.query_responses"):
        assert total(ours, name) == total(theirs, name) == total(of_stream, name), name
    assert total(ours, "serf.member.join") == total(theirs, "serf.member.join") == 2
    assert total(ours, "serf.member.left") == 1  # it has seen itself leave only


def test_sigusr1_writes_the_finished_intervals_to_stderr(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    (agent,) = cluster.start(gossipd=1)

    stamp = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d0 \+0000 UTC\]"
    wanted = (
        rf"^{stamp}\[G\] 'serf-agent\.gossipd\.members\.alive': 1\.000$",
        rf"^{stamp}\[C\] 'serf-agent\.serf\.member\.join': Count: 1 ",
        rf"^{stamp}\[G\] 'serf-agent\.runtime\.sys_bytes': \d+\.000$",
        rf"^{stamp}\[S\] 'serf-agent\.serf\.queue\.Intent': Count: 1 ",
    )

    def asked() -> bool:  # lines are written one by one: a look may come in between
        agent.signal(signal.SIGUSR1)
        log = agent.log()
        return all(re.search(line, log, re.M) for line in wanted)

    wait_for(asked, 20, "a finished interval", interval=0.5, seen=agent.log)
    assert agent.statuses() == {agent.options.name: "alive"}
    agent.leave()


def test_sinks_that_are_not_there_are_told_in_the_log_and_hold_nothing_up(
    new_cluster: NewCluster,
) -> None:
    cluster = new_cluster()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    agent = cluster.prepare(GOSSIPD, more=("--statsite-addr", f"127.0.0.1:{port}"))
    agent.start()
    text = f"agent: statsite 127.0.0.1:{port}: "
    wait_for(lambda: text in agent.log(), 25, "the complaint", seen=agent.log)
    agent.leave()
    assert agent.exit_code == 0
