"""Daemons with the HTTP face, and how they are asked."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.agents import GOSSIPD, AgentProcess
from support.clusters import Cluster

PORT = 8500


@contextmanager
def one_daemon(folder: Path, *, http: bool = True) -> Iterator[tuple[AgentProcess, str]]:
    """Run a daemon, with the HTTP face or without; yields it and its host."""
    folder.mkdir()
    cluster = Cluster(folder, log_level="warn")
    try:
        host = cluster.next_host()
        agent = cluster.prepare(GOSSIPD, more=["--http-addr", f"{host}:{PORT}"] if http else [])
        agent.start()
        yield agent, host
    finally:
        cluster.close()


def call(
    host: str, path: str, method: str = "GET", body: object = None
) -> tuple[dict[str, str], bytes]:
    """Ask once; returns headers and body of a reply that must be 200."""
    connection = http.client.HTTPConnection(host, PORT, timeout=30)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        reply = connection.getresponse()
        text = reply.read()
        assert reply.status == 200, (path, reply.status, text)
        return {name.lower(): value for name, value in reply.getheaders()}, text
    finally:
        connection.close()


def register(host: str, name: str, instances: int) -> None:
    """Register instances of a service."""
    for number in range(instances):
        body = {"Name": name, "ID": f"{name}-{number}", "Port": 8000 + number, "Tags": ["http"]}
        call(host, "/v1/agent/service/register", "PUT", body)
