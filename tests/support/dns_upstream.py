"""A resolver on loopback, UDP and TCP on one port, that does to queries what a test says."""

from __future__ import annotations

from collections.abc import Callable

import dns.flags
import dns.message
import dns.rrset
import trio

Treat = Callable[[dns.message.Message, bool], bytes | list[bytes] | None]
"""Of a query, and whether it came by TCP: what is sent back, ``None`` for nothing."""


class Upstream:
    """Answers from ``treat``.

    Attributes:
        asked: queries as they came.
        ports: from which ports, by UDP.
        by_tcp: how many by TCP.
    """

    def __init__(self, treat: Treat) -> None:
        self._treat = treat
        self.asked: list[dns.message.Message] = []
        self.ports: list[int] = []
        self.by_tcp = 0
        self.address = ""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            await sock.bind(("127.0.0.1", port))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.serve_listeners, self._tcp, [listener])
                task_status.started()
                while True:
                    data, source = await sock.recvfrom(4096)
                    self.ports.append(source[1])
                    for reply in self._replies(data, by_tcp=False):
                        await sock.sendto(reply, source)

    async def _tcp(self, stream: trio.SocketStream) -> None:
        self.by_tcp += 1
        length = int.from_bytes(await stream.receive_some(2))
        for reply in self._replies(bytes(await stream.receive_some(length)), by_tcp=True):
            await stream.send_all(len(reply).to_bytes(2) + reply)
        await stream.aclose()

    def _replies(self, data: bytes, *, by_tcp: bool) -> list[bytes]:
        query = dns.message.from_wire(data)
        self.asked.append(query)
        replies = self._treat(query, by_tcp)
        if replies is None:
            return []
        return [replies] if isinstance(replies, bytes) else replies


def answer(query: dns.message.Message, *records: str, rcode: int = 0, flags: int = 0) -> bytes:
    """Return a reply with ``records``: ``owner type data``."""
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.RA | flags
    reply.set_rcode(dns.rcode.Rcode(rcode))
    for record in records:
        owner, kind, data = record.split(" ", 2)
        reply.answer.append(dns.rrset.from_text(owner, 60, "IN", kind, data))
    return reply.to_wire(max_size=65535)
