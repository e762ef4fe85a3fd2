"""A client that asks all the time over a few connections, as a process of its own.

    python tests/bench/web/asking.py HOST PORT PATH CONNECTIONS SECONDS [--anew]

It only looks for the end of each reply, so that the server is measured. Prints JSON.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time


def request_for(path: str, host: str) -> bytes:
    """Return a request as a client with keep-alive sends it."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
    ).encode()


def read_reply(connected: socket.socket) -> bytes:
    """Return one reply with a length, whole."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += connected.recv(65536)
    head, _, body = raw.partition(b"\r\n\r\n")
    length = next(
        int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    while len(body) < length:
        body += connected.recv(65536)
    return head + b"\r\n\r\n" + body


def ask(
    host: str, port: int, path: str, connections: int, seconds: float, *, anew: bool
) -> dict[str, float]:
    """Ask for ``seconds``; returns how many replies came, and how long they took.

    Args:
        anew: give each request a head that the server has not read before.
    """
    poller = select.epoll()
    clients: dict[int, socket.socket] = {}
    began: dict[int, float] = {}
    taken: list[float] = []
    number = 0
    requests = [request_for(path, host)]
    if anew:
        requests = [request_for(f"{path}?unknown={n}", host) for n in range(50_000)]
    for _ in range(connections):
        client = socket.create_connection((host, port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(requests[0])
        length = len(read_reply(client))
        clients[client.fileno()] = client
        poller.register(client, select.EPOLLIN)
    missing = dict.fromkeys(clients, length)
    ends = time.perf_counter() + seconds
    for descriptor, client in clients.items():
        began[descriptor] = time.perf_counter()
        client.send(requests[0])
    while time.perf_counter() < ends:
        for descriptor, _ in poller.poll(1.0):
            client = clients[descriptor]
            missing[descriptor] -= len(client.recv(65536))
            if missing[descriptor] == 0:
                now = time.perf_counter()
                taken.append(now - began[descriptor])
                missing[descriptor] = length
                number += 1
                began[descriptor] = now
                client.send(requests[number % len(requests)])
    taken.sort()
    for client in clients.values():
        client.close()
    return {
        "replies": len(taken),
        "bytes": length,
        "p50": taken[len(taken) // 2],
        "p99": taken[len(taken) * 99 // 100],
    }


if __name__ == "__main__":
    host, port, path, connections, seconds, *more = sys.argv[1:]
    found = ask(host, int(port), path, int(connections), float(seconds), anew="--anew" in more)
    sys.stdout.write(json.dumps(found) + "\n")
