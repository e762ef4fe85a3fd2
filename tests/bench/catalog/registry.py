"""A central registry beside which ours is measured: one etcd with leases and watches.

A service is a key under a lease that its provider keeps alive; a consumer watches
the prefix. One server on loopback, no replication: what etcd does at its fastest.
Spoken over its JSON gateway with plain sockets, so the client costs little.
"""

from __future__ import annotations

import base64
import http.client
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from support.waiting import wait_for

ETCD = shutil.which("etcd") or ""
LEASE_SECONDS = 5
"""A usual lease of a registered service."""
KEEP_ALIVE_SHARE = 3
"""A lease is renewed so many times within it."""


def has_etcd() -> bool:
    """Return whether this machine has the program."""
    return bool(ETCD)


class Etcd:
    """One etcd server on ``host``; also a context manager."""

    def __init__(self, folder: Path, host: str = "127.0.0.77") -> None:
        self.host = host
        self.port = 2379
        with (folder / "etcd.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    ETCD,
                    f"--data-dir={folder / 'etcd'}",
                    f"--listen-client-urls=http://{host}:{self.port}",
                    f"--advertise-client-urls=http://{host}:{self.port}",
                    f"--listen-peer-urls=http://{host}:2380",
                    f"--initial-advertise-peer-urls=http://{host}:2380",
                    f"--initial-cluster=default=http://{host}:2380",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for(self._answers, 20.0, "etcd to answer")

    def __enter__(self) -> Etcd:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(20.0)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), 1.0):
                return True
        except OSError:
            return False


class EtcdClient:
    """Requests to one etcd over one kept connection."""

    def __init__(self, etcd: Etcd) -> None:
        self._connection = http.client.HTTPConnection(etcd.host, etcd.port, timeout=30)

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one request."""
        self._connection.request("POST", path, json.dumps(body))
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return answer

    def grant(self, seconds: int = LEASE_SECONDS) -> str:
        """Return the id of a new lease."""
        return str(self.ask("/v3/lease/grant", {"TTL": seconds})["ID"])

    def keep_alive(self, lease: str) -> None:
        """Renew a lease once."""
        self.ask("/v3/lease/keepalive", {"ID": lease})

    def put(self, key: str, value: str, lease: str) -> None:
        """Write a key that goes with its lease."""
        self.ask("/v3/kv/put", {"key": _text(key), "value": _text(value), "lease": lease})

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class EtcdWatch:
    """A watch on all keys that begin with ``prefix``; readable by a selector."""

    def __init__(self, etcd: Etcd, prefix: str) -> None:
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        body = json.dumps({"create_request": {"key": _text(prefix), "range_end": _text(end)}})
        self._socket = socket.create_connection((etcd.host, etcd.port), 30.0)
        head = f"POST /v3/watch HTTP/1.1\r\nHost: etcd\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.sendall((head + body).encode())
        self._seen = b""
        while b'"created":true' not in self._seen:
            self._read()

    def fileno(self) -> int:
        """Return the socket's descriptor, for selectors."""
        return self._socket.fileno()

    def heard(self, key: str) -> bool:
        """Take in what has arrived; return whether any of it was about ``key``."""
        self._read()
        return _text(key).encode() in self._seen

    def forget(self) -> None:
        """Begin anew: what was heard before counts no more."""
        self._seen = b""

    def close(self) -> None:
        """End the watch."""
        self._socket.close()

    def _read(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("etcd ended a watch")
        self._seen += data


def _text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def time_of(watches: list[EtcdWatch], key: str, began: float, timeout: float = 30.0) -> list[float]:
    """Return for each watch how long after ``began`` (monotonic) it heard of ``key``."""
    import selectors

    selector = selectors.DefaultSelector()
    for watch in watches:
        selector.register(watch, selectors.EVENT_READ, watch)
    times: list[float] = []
    while len(times) < len(watches) and time.monotonic() - began < timeout:
        for found, _ in selector.select(0.2):
            ready: EtcdWatch = found.data
            if ready.heard(key):
                times.append(time.monotonic() - began)
                selector.unregister(ready)
    selector.close()
    return times
