"""Daemons with the HTTP face, and how they are asked."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.agents import GOSSIPD, AgentProcess
from support.certificates import write_certificate
from support.clusters import Cluster

PORT = 8500


@contextmanager
def one_daemon(
    folder: Path, *, http: bool = True, tls: bool = False
) -> Iterator[tuple[AgentProcess, str]]:
    """Run a daemon, with the HTTP face or without; yields it and its host."""
    folder.mkdir()
    cluster = Cluster(folder, log_level="warn")
    try:
        host = cluster.next_host()
        more = ["--http-addr", f"{host}:{PORT}"] if http else []
        if tls:
            cert, key = write_certificate(folder)
            file = folder / "tls.toml"
            file.write_text(f"[http]\ntls_cert = {cert!r}\ntls_key = {key!r}\n")
            more += ["--config-file", str(file)]
        agent = cluster.prepare(GOSSIPD, more=more)
        agent.start()
        yield agent, host
    finally:
        cluster.close()


def unverified() -> ssl.SSLContext:
    """Return what a client needs that believes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def call(
    host: str,
    path: str,
    method: str = "GET",
    body: object = None,
    tls: ssl.SSLContext | None = None,
) -> tuple[dict[str, str], bytes]:
    """Ask once; returns headers and body of a reply that must be 200."""
    connection = http.client.HTTPConnection(host, PORT, timeout=30)
    if tls is not None:
        connection = http.client.HTTPSConnection(host, PORT, timeout=30, context=tls)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        reply = connection.getresponse()
        text = reply.read()
        assert reply.status == 200, (path, reply.status, text)
        return {name.lower(): value for name, value in reply.getheaders()}, text
    finally:
        connection.close()


def register(host: str, name: str, instances: int, tls: ssl.SSLContext | None = None) -> None:
    """Register instances of a service."""
    for number in range(instances):
        body = {"Name": name, "ID": f"{name}-{number}", "Port": 8000 + number, "Tags": ["http"]}
        call(host, "/v1/agent/service/register", "PUT", body, tls)
