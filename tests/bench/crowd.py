"""Many members at no cost: a push/pull that tells a daemon of nodes that do not exist."""

from __future__ import annotations

import socket

import msgpack

PUSH_PULL = b"\x06"
VERSIONS = bytes((1, 5, 2, 2, 5, 5))
TAGS_MAGIC = b"\xff"


def push_pull(count: int) -> bytes:
    """Return the stream that announces ``count`` members ``m0000``, ``m0001``, ..."""
    header = {"Join": False, "Nodes": count, "UserStateLen": 0}
    parts = [PUSH_PULL, _pack(header)]
    meta = TAGS_MAGIC + _pack({"role": "web", "dc": "east"})
    for number in range(count):
        parts.append(
            _pack(
                {
                    "Addr": bytes((127, 250, number // 250, 1 + number % 250)),
                    "Incarnation": 1,
                    "Meta": meta,
                    "Name": f"m{number:04}",
                    "Port": 7946,
                    "State": 0,
                    "Vsn": VERSIONS,
                }
            )
        )
    return b"".join(parts)


def announce(where: str, count: int) -> None:
    """Send the push/pull to the gossip address ``where`` and read the reply away."""
    host, _, port = where.rpartition(":")
    with socket.create_connection((host, int(port)), 10.0) as stream:
        stream.sendall(push_pull(count))
        stream.shutdown(socket.SHUT_WR)
        while stream.recv(65536):
            pass


def _pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=False)
    return packed
