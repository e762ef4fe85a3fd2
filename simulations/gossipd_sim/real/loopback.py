"""Loopback addresses that nobody else on this machine is using (Linux).

Each cluster of processes gets a /24 of its own below 127.0.0.0/8. The claim is
an abstract unix socket that lives as long as the object, so several runs at
once, and tests in several processes, never meet.
"""

from __future__ import annotations

import contextlib
import os
import socket
from types import TracebackType

from gossipd.errors import Unavailable

FIRST_BLOCK, LAST_BLOCK = 16, 239
HOSTS_MAX = 254
FIRST_PORT, PORTS = 16_384, 16_384


class LoopbackRange:
    """The addresses 127.x.y.1 to 127.x.y.254 for one user; also a context manager.

    Raises:
        Unavailable: every range is in use.
    """

    def __init__(self) -> None:
        self._claim, self.prefix = _claim_block()
        self._last = 0

    def __enter__(self) -> LoopbackRange:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def next_host(self) -> str:
        """Return the next unused address as text, without a port.

        Raises:
            Unavailable: all ``HOSTS_MAX`` are given away.
        """
        self._last += 1
        if self._last > HOSTS_MAX:
            raise Unavailable(f"{self.prefix}.0/24 is used up")
        return f"{self.prefix}.{self._last}"

    def close(self) -> None:
        """Give the range back; whoever listened there must have ended."""
        self._claim.close()


def free_port(host: str) -> int:
    """Return a port of ``host`` that is free for UDP and for TCP right now.

    It is below those that the kernel hands out, so that nobody gets it by asking for any.

    Raises:
        Unavailable: none was found.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for step in range(64):
        port = FIRST_PORT + (os.getpid() * 64 + step) % PORTS
        with (
            socket.socket(family, socket.SOCK_STREAM) as stream,
            socket.socket(family, socket.SOCK_DGRAM) as packets,
            contextlib.suppress(OSError),
        ):
            stream.bind((host, port))
            packets.bind((host, port))
            return port
    raise Unavailable(f"no port of {host} is free for both UDP and TCP")


def _claim_block() -> tuple[socket.socket, str]:
    blocks = LAST_BLOCK - FIRST_BLOCK + 1
    start = os.getpid() % blocks
    for step in range(blocks * 255):
        block = FIRST_BLOCK + (start + step) % blocks
        prefix = f"127.{block}.{step // blocks}"
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0gossipd-loopback-{prefix}")
        except OSError:
            claim.close()
            continue
        return claim, prefix
    raise Unavailable("every loopback range is in use")
