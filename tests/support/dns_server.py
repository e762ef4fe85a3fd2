"""A name server on loopback, in the test's own process: answers from a table, or is silent."""

from __future__ import annotations

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import trio


class DnsServer:
    """Zone ``records``: (name, type) to texts; names in ``silent`` are never answered."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.silent: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.port = 0

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            await sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
            task_status.started()
            while True:
                data, source = await sock.recvfrom(4096)
                reply = self._reply(dns.message.from_wire(data))
                if reply is not None:
                    await sock.sendto(reply.to_wire(), source)

    def _reply(self, query: dns.message.Message) -> dns.message.Message | None:
        (question,) = query.question
        name = question.name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if name in self.silent:
            return None
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        texts = self.records.get((name, kind))
        if texts is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        else:
            reply.answer.append(dns.rrset.from_text(question.name, 5, "IN", kind, *texts))
        return reply

    def resolver(self) -> dns.asyncresolver.Resolver:
        """Return a resolver that asks this server alone."""
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self.port
        return resolver
