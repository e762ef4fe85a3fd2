"""Counting what agents of one address range send, by listening on the loopback interface.

Needs the right to open a packet socket (root). Only gossip is counted: UDP
and TCP with the gossip port at either end.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType

from gossipd.value import Value

ETH_P_IP = 0x0800
PACKET_HOST = 0
"""Each packet passes the loopback interface twice; the arriving copy is counted."""
HEADERS_MAX = 120
RECEIVE_BUFFER_BYTES = 8 << 20
UDP, TCP = 17, 6


class Traffic(Value):
    """What was sent in some time, by all agents together; bytes are payload."""

    seconds: float
    udp_packets: int = 0
    udp_bytes: int = 0
    tcp_bytes: int = 0

    def per_node(self, nodes: float) -> tuple[float, float]:
        """Return packets and bytes (UDP and TCP payload) per node and second."""
        share = nodes * self.seconds
        return self.udp_packets / share, (self.udp_bytes + self.tcp_bytes) / share


class Capture:
    """Counts while the ``with`` block runs; ``traffic`` tells the counts so far."""

    def __init__(self, prefix: str, port: int) -> None:
        self._network = socket.inet_aton(f"{prefix}.0")[:3]
        self._port = port
        self._packets = self._udp = self._tcp = 0
        self._stopping = False
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._socket.bind(("lo", ETH_P_IP))
        self._socket.settimeout(0.2)
        self._thread = threading.Thread(target=self._count, daemon=True)

    def __enter__(self) -> Capture:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping = True
        self._thread.join()
        self._socket.close()

    def traffic(self, seconds: float) -> Traffic:
        """Return the counts so far, said to have taken ``seconds``."""
        return Traffic(seconds, self._packets, self._udp, self._tcp)

    def _count(self) -> None:
        while not self._stopping:
            try:
                head, source = self._socket.recvfrom(HEADERS_MAX)
            except TimeoutError:
                continue
            if source[2] == PACKET_HOST:
                self._add(head)

    def _add(self, head: bytes) -> None:
        if head[12:15] != self._network and head[16:19] != self._network:
            return
        ip_header = (head[0] & 15) * 4
        total: int = struct.unpack_from(">H", head, 2)[0]
        if self._port not in struct.unpack_from(">HH", head, ip_header):
            return
        if head[9] == UDP:
            self._packets += 1
            self._udp += total - ip_header - 8
        elif head[9] == TCP:
            self._tcp += max(0, total - ip_header - (head[ip_header + 12] >> 4) * 4)
