"""A real daemon and clients that hang up in all ways: its books and the kernel's are as before."""

from __future__ import annotations

import http.client
import json
import os
import socket
import struct
import time
from collections.abc import Callable
from random import Random
from typing import Final

from support.agents import GOSSIPD, AgentProcess
from support.clusters import NewCluster
from support.waiting import wait_for

PORT: Final = 8500
ROUNDS: Final = 6
CLIENTS: Final = 120
"""Of each round, all at a time."""
WAITING: Final = (0, 1, 5)
"""Which deeds have the daemon hold a request."""
DEEDS: Final = 7
HELD_CLIENTS: Final = sum(number % DEEDS in WAITING for number in range(CLIENTS))
GROWTH_MAX: Final = 1_500_000
"""Bytes (PSS) between the second round and the last: room for what allocators keep."""
HELD = b"GET /v1/health/service/web?index=%d&wait=5m HTTP/1.1\r\nHost: localhost\r\n\r\n"
STREAM = b"GET /v1/gossipd/events?state HTTP/1.1\r\nHost: localhost\r\n\r\n"
READ = b"GET /v1/health/state/any HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_clients_that_hang_up_leave_nothing_behind(new_cluster: NewCluster) -> None:
    cluster = new_cluster(log_level="warn")
    host = cluster.next_host()
    agent = cluster.prepare(GOSSIPD, more=["--http-addr", f"{host}:{PORT}"])
    agent.start()
    body = {"Name": "web", "Port": 80, "Check": {"TTL": "1h", "Status": "passing"}}
    _ask(host, "/v1/agent/service/register", "PUT", body)
    index = int(_ask(host, "/v1/health/service/web")[0]["X-Consul-Index"])
    random = Random(11)
    deeds: tuple[Callable[[socket.socket], None], ...] = (
        lambda client: client.sendall(HELD % index),
        lambda client: client.sendall(STREAM),
        lambda client: client.sendall(READ[: random.randrange(1, len(READ))]),
        lambda client: client.sendall(READ * 50),
        lambda client: client.sendall(b"\x16\x03\x01 nonsense\r\n\r\n"),
        lambda client: client.sendall(HELD % index + READ * 3),
        lambda client: None,
    )
    assert len(deeds) == DEEDS
    before = _books(host)
    assert before == {"connections": 1, "waits": 0}, before
    descriptors, sizes = _settled(agent), []
    for round in range(ROUNDS):
        clients = [socket.create_connection((host, PORT)) for _ in range(CLIENTS)]
        for number, client in enumerate(clients):
            deeds[number % len(deeds)](client)
        wait_for(lambda: _books(host)["waits"] == HELD_CLIENTS, 10.0, "the held to wait")
        assert _descriptors(agent) > descriptors
        random.shuffle(clients)
        for number, client in enumerate(clients):
            if number % 2:  # with a reset, as a killed process does that had not read all
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        wait_for(lambda: _books(host) == before, 10.0, "the books to be as before")
        wait_for(lambda: _descriptors(agent) <= descriptors, 5.0, "all descriptors to be back")
        if round >= 1:
            sizes.append(_pss(agent))
    assert sizes[-1] - sizes[0] < GROWTH_MAX, sizes
    assert "[ERR]" not in agent.log()


def _ask(
    host: str, path: str, method: str = "GET", body: object = None
) -> tuple[dict[str, str], str]:
    connection = http.client.HTTPConnection(host, PORT, timeout=10)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        reply = connection.getresponse()
        text = reply.read().decode()
        assert reply.status == 200, text
        return dict(reply.getheaders()), text
    finally:
        connection.close()


def _books(host: str) -> dict[str, int]:
    """Return what the daemon says is open; one of it is who asks."""
    _, text = _ask(host, "/metrics")
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[:1] not in ("#", ""))
    return {
        name: int(float(values[f"gossipd_http_open_{name}"])) for name in ("connections", "waits")
    }


def _settled(agent: AgentProcess) -> int:
    """Return how many descriptors there are when the daemon has closed what was closed to it."""
    counts = []
    for _ in range(20):
        counts.append(_descriptors(agent))
        time.sleep(0.025)
    return min(counts)


def _descriptors(agent: AgentProcess) -> int:
    return len(os.listdir(f"/proc/{agent.pid}/fd"))


def _pss(agent: AgentProcess) -> int:
    with open(f"/proc/{agent.pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no Pss")
