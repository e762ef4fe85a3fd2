"""``Service``: what all clients of the local socket share, and the life of each connection.

It is loaded with the first client: most daemons run for weeks without one.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from gossipd.node.handle import NodeHandle
from gossipd.rpc import answers
from gossipd.rpc.connection import Connection
from gossipd.rpc.server import LOST_LOG_SECONDS, Limits, SeldomWarner, no_count, no_measure
from gossipd.version import __version__

if TYPE_CHECKING:
    from gossipd.rpc.service_desk import ServiceDesk


class Service:
    """What all connections share."""

    def __init__(
        self,
        handle: NodeHandle,
        auth: str | None,
        limits: Limits,
        log: Callable[[str, str], None],
        *,
        nursery: trio.Nursery,
    ) -> None:
        self.nursery = nursery
        """In which what is for several connections, or outlives a request, runs."""
        self.count: Callable[[str], None] = no_count
        self.measure: Callable[[str, float], None] = no_measure
        """Told a metric's name and milliseconds; set by who serves."""
        self.handle = handle
        self.auth = auth
        self.limits = limits
        self.log = log
        self.members = answers.MembersReply()
        self.connections = 0
        self.streams = 0
        self._desk: ServiceDesk | None = None
        self.untrusted = SeldomWarner(log)
        self._refused = SeldomWarner(log)
        self._lost: dict[tuple[str, str], int] = {}
        self._lost_logged_at = float("-inf")

    @property
    def desk(self) -> ServiceDesk:
        """What connections share that ask about services; made with the first of them."""
        if self._desk is None:
            from gossipd.rpc.service_desk import ServiceDesk

            self._desk = ServiceDesk(self)
        return self._desk

    async def contain(self, peer: str, work: Callable[..., Awaitable[None]], *args: object) -> None:
        """Run ``work``; a defect met by one client's request must not end the daemon."""
        try:
            await work(*args)
        except Exception:
            self.report_defect(peer)

    def report_defect(self, peer: str) -> None:
        """Log the exception that is being handled: a defect met by what ``peer`` asked."""
        import traceback

        self.log("ERR", f"agent.ipc: {peer}: {traceback.format_exc().rstrip()}")

    def report_lost(self, what: str, peer: str, count: int) -> None:
        """Note that ``peer`` lost ``count`` events or log lines; logged once per second."""
        self._lost[what, peer] = self._lost.get((what, peer), 0) + count
        now = trio.current_time()
        if now - self._lost_logged_at < LOST_LOG_SECONDS:
            return
        self._lost_logged_at = now
        self.flush_lost()

    def flush_lost(self) -> None:
        """Log the losses that are not logged yet."""
        lost, self._lost = self._lost, {}
        for (kind, client), total in lost.items():
            self.log("WARN", f"agent.ipc: Dropping {kind} to ipc.client: {client} ({total} lost)")

    def stats_message(self, seq: int) -> bytes:
        """Return the answer to ``stats``."""
        cpus = str(os.cpu_count() or 1)
        runtime = {
            "arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(
                os.uname().machine, os.uname().machine
            ),
            "cpu_count": cpus,
            "goroutines": str(trio.lowlevel.current_statistics().tasks_living),
            "max_procs": cpus,
            "os": os.uname().sysname.lower(),
            "version": "python" + ".".join(str(part) for part in sys.version_info[:3]),
        }
        view, counters = self.handle.view(), self.handle.statistics()
        degraded = self.handle.degraded()
        return answers.stats_message(seq, view, counters, runtime, __version__, degraded)

    def may_run_commands(self, stream: trio.abc.Stream) -> bool:
        """Say whether a client may have commands run here, as script checks are.

        It may if it showed the token, or came by the local socket, whose file's mode says
        who may connect.
        """
        is_tcp = isinstance(stream, trio.SocketStream) and (
            stream.socket.family != trio.socket.AF_UNIX
        )
        return self.auth is not None or not is_tcp

    async def serve_connection(self, stream: trio.abc.Stream) -> None:
        """Serve one accepted connection until it ends."""
        peer = _peer_name(stream)
        if self.connections >= min(self.limits.connections_max, _descriptors() // 2):
            self._refused.warn(f"agent.ipc: Refused client: {peer} (too many connections)")
            await trio.aclose_forcefully(stream)
            return
        self.connections += 1
        try:
            self.count("agent.ipc.accept")
            self.log("INFO", f"agent.ipc: Accepted client: {peer}")
            await self.contain(peer, Connection(stream, self, peer).serve)
        finally:
            self.connections -= 1
            self.flush_lost()


def _descriptors() -> int:
    """Return how many descriptors we may have; peers and checks need some of them too."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def _peer_name(stream: trio.abc.Stream) -> str:
    if not isinstance(stream, trio.SocketStream):
        return "local"
    try:
        name = stream.socket.getpeername()
    except OSError:
        return "gone"
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "local"
