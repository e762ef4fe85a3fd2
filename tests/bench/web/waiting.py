"""Clients that wait: what each takes, what they cost at rest, how soon they are told."""

from __future__ import annotations

import resource
import select
import socket
import ssl
import time
from pathlib import Path
from statistics import median

from bench.report import Row
from bench.usage import processor_seconds, proportional_bytes
from bench.web.asking import read_reply, request_for
from bench.web.daemons import PORT, call, one_daemon, register, unverified
from support.agents import AgentProcess

PATH = "/v1/health/service/web"
WAITERS, TLS_WAITERS, WARM_UP = 2000, 500, 100
BYTES_BAR = 6 * 1024
REST_SECONDS = 10.0
REST_BAR = 0.005
"""Share of a CPU by which waiting clients may raise that of a daemon at rest."""
CHANGES = 20
TOLD_BAR_MS = 20.0
DESCRIPTORS = 8192


def waiting(
    host: str, count: int, name: str = "web", tls: ssl.SSLContext | None = None
) -> list[socket.socket]:
    """Return so many clients that wait for another answer than they have."""
    path = f"/v1/health/service/{name}"
    headers, _ = call(host, path, tls=tls)
    raw = request_for(f"{path}?index={headers['x-consul-index']}&wait=10m", host)
    clients = []
    for _ in range(count):
        client = socket.create_connection((host, PORT))
        if tls is not None:
            client = tls.wrap_socket(client)
        client.sendall(raw)
        clients.append(client)
    return clients


def at_rest(agent: AgentProcess) -> float:
    """Return the share of a CPU that a daemon takes while nothing happens."""
    time.sleep(2.0)
    before = processor_seconds(agent.pid)
    time.sleep(REST_SECONDS)
    return (processor_seconds(agent.pid) - before) / REST_SECONDS


def change(host: str, name: str, number: int) -> None:
    """Make the answer about a service another one."""
    body = {"Name": name, "ID": f"{name}-0", "Port": 9000 + number}
    call(host, "/v1/agent/service/register", "PUT", body)


def told(host: str, clients: list[socket.socket], number: int) -> list[float]:
    """Return the seconds from before a change is sent until each client has its reply."""
    poller = select.epoll()
    by_descriptor = {client.fileno(): client for client in clients}
    for descriptor in by_descriptor:
        poller.register(descriptor, select.EPOLLIN)
    began = time.perf_counter()
    change(host, "web", number)
    taken = []
    while by_descriptor:
        for descriptor, _ in poller.poll(10.0):
            read_reply(by_descriptor.pop(descriptor))
            poller.unregister(descriptor)
            taken.append(time.perf_counter() - began)
    return taken


def unasked(clients: list[socket.socket]) -> int:
    """Return how many clients have got something by now."""
    poller = select.poll()
    for client in clients:
        poller.register(client, select.POLLIN)
    return len(poller.poll(500))


def measure(folder: Path) -> tuple[list[Row], dict[str, str]]:
    """Return lines of the table, and further figures."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))
    with one_daemon(folder / "waiting") as (agent, host):
        register(host, "web", 1)
        register(host, "mail", 1)
        quiet = at_rest(agent)
        warm = waiting(host, WARM_UP)
        time.sleep(1.0)
        before = proportional_bytes(agent.pid)
        clients = waiting(host, WAITERS)
        time.sleep(3.0)
        each = (proportional_bytes(agent.pid) - before) / WAITERS
        watched = at_rest(agent)
        for number in range(CHANGES):
            change(host, "mail", number)
        for_nothing = unasked(clients)
        all_told = told(host, clients + warm, 0)
        for client in clients + warm:
            client.close()
        single = []
        for number in range(CHANGES):
            (client,) = waiting(host, 1)
            time.sleep(0.05)
            single += told(host, [client], 1 + number)
            client.close()
        held = [_after_round(agent, host) for _ in range(4)]
    within_tls = _each_within_tls(folder)
    rows = [
        Row(f"memory of each of {WAITERS} clients that wait", "B", each, BYTES_BAR, "the bar", 1.0),
        Row(f"memory of each of {TLS_WAITERS} clients that wait within TLS", "B", within_tls,
            BYTES_BAR, "the bar of plain ones"),
        Row("CPU that they add at rest", "%", max(0.0, watched - quiet) * 100, REST_BAR * 100,
            "the bar", 1.0),
        Row("a change until a client that waits has its answer, slowest", "ms",
            max(single) * 1e3, TOLD_BAR_MS, "the bar", 1.0),
        Row(f"clients told of {CHANGES} changes of another service", "", float(for_nothing), 1.0,
            "the bar", 0.5),
    ]  # fmt: skip
    return rows, {
        "a change until a client that waits has its answer": (
            f"median {median(single) * 1e3:.1f} ms of {len(single)}, the write itself included"
        ),
        f"a change until all {WAITERS + WARM_UP} have their answers": f"{max(all_told):.2f} s",
        "CPU at rest": f"{quiet * 100:.2f} % without clients, {watched * 100:.2f} % with them",
        f"memory after {WAITERS} clients came and hung up, four times": (
            ", ".join(f"{each / 2**20:.1f} MiB" for each in held)
        ),
    }


def _each_within_tls(folder: Path) -> float:
    """Return what each client that waits within TLS takes."""
    tls = unverified()
    with one_daemon(folder / "tls", tls=True) as (agent, host):
        register(host, "web", 1, tls)
        clients = waiting(host, WARM_UP, tls=tls)
        time.sleep(1.0)
        before = proportional_bytes(agent.pid)
        clients += waiting(host, TLS_WAITERS, tls=tls)
        time.sleep(3.0)
        each = (proportional_bytes(agent.pid) - before) / TLS_WAITERS
        for client in clients:
            client.close()
        return each


def _after_round(agent: AgentProcess, host: str) -> int:
    """Let all clients come and hang up; returns what the daemon takes then."""
    for client in waiting(host, WAITERS):
        client.close()
    time.sleep(1.0)
    return proportional_bytes(agent.pid)
