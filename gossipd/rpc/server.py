"""The local socket's server: listeners in, one task per connection.

It is handed a running node (``NodeHandle``) and knows nothing of the agent.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

import trio

from gossipd.node.handle import NodeHandle
from gossipd.query.framing import OBJECT_BYTES_MAX
from gossipd.rpc import answers
from gossipd.rpc.connection import Connection
from gossipd.value import Value
from gossipd.version import __version__

LOST_LOG_SECONDS = 1.0
"""Losses of slow readers, and what clients can cause at will, are logged at most this often."""
ACCEPT_PAUSE_SECONDS = 0.1
"""Time to wait for a descriptor to become free."""


class Limits(Value, kw_only=True):
    """Bounds of what clients may ask for; durations in seconds."""

    connections_max: int = 512
    """Connections at a time; the next one is closed at once."""
    object_bytes_max: int = OBJECT_BYTES_MAX
    """One request header or body."""
    object_seconds_max: float = 30.0
    """Time to complete a header or body that has begun."""
    streams_max: int = 64
    """Event streams of one connection."""
    streams_in_all_max: int = 1024
    """Event streams of all connections: each record is made, and kept, for each of them."""
    queries_max: int = 64
    """Queries of one connection at a time."""
    farewell_seconds: float = 0.25
    """How long a client that was told that we left may take to hang up."""
    last_words_seconds: float = 1.0
    """How long an error before closing may wait for the client to read."""


def _no_count(name: str) -> None:
    """Count nothing: nobody asked for metrics."""


def _no_log(level: str, text: str) -> None:
    """Drop the line: nobody asked for a log."""


class SeldomWarner:
    """Logs a warning that clients can cause at will; the ones in between are counted only."""

    def __init__(self, log: Callable[[str, str], None]) -> None:
        self._log = log
        self._logged_at = float("-inf")
        self._silenced = 0

    def warn(self, text: str) -> None:
        """Log ``text``, unless that was done a moment ago."""
        now = trio.current_time()
        if now - self._logged_at < LOST_LOG_SECONDS:
            self._silenced += 1
            return
        more = f" ({self._silenced} more since the last such line)" if self._silenced else ""
        self._logged_at, self._silenced = now, 0
        self._log("WARN", text + more)


class Service:
    """What all connections share."""

    def __init__(
        self,
        handle: NodeHandle,
        auth: str | None,
        limits: Limits,
        log: Callable[[str, str], None],
        count: Callable[[str], None] = _no_count,
    ) -> None:
        self.count = count
        self.handle = handle
        self.auth = auth
        self.limits = limits
        self.log = log
        self.members = answers.MembersReply()
        self.connections = 0
        self.streams = 0
        self.untrusted = SeldomWarner(log)
        self._refused = SeldomWarner(log)
        self._lost: dict[tuple[str, str], int] = {}
        self._lost_logged_at = float("-inf")

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
        return answers.stats_message(seq, view, counters, runtime, __version__)

    async def serve_connection(self, stream: trio.abc.Stream) -> None:
        """Serve one accepted connection until it ends."""
        peer = _peer_name(stream)
        if self.connections >= self.limits.connections_max:
            self._refused.warn(f"agent.ipc: Refused client: {peer} (too many connections)")
            await trio.aclose_forcefully(stream)
            return
        self.connections += 1
        try:
            self.count("agent.ipc.accept")
            self.log("INFO", f"agent.ipc: Accepted client: {peer}")
            await Connection(stream, self, peer).serve()
        except Exception:
            # A defect met by one client's request must not end the daemon.
            import traceback

            self.log("ERR", f"agent.ipc: {peer}: {traceback.format_exc().rstrip()}")
        finally:
            self.connections -= 1
            self.flush_lost()


def _peer_name(stream: trio.abc.Stream) -> str:
    if not isinstance(stream, trio.SocketStream):
        return "local"
    try:
        name = stream.socket.getpeername()
    except OSError:
        return "gone"
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "local"


async def serve_rpc(
    listeners: Sequence[trio.abc.Listener[trio.SocketStream]],
    handle: NodeHandle,
    *,
    auth: str | None = None,
    limits: Limits | None = None,
    log: Callable[[str, str], None] = _no_log,
    count: Callable[[str], None] = _no_count,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve Serf's RPC on ``listeners`` until cancelled; closes them at the end.

    Args:
        listeners: unix and TCP listeners, already bound.
        handle: the node that is asked.
        auth: the token clients must show; ``None`` or empty for none.
        limits: bounds of what clients may ask for.
        log: gets (level, line without date), for example
            ``("INFO", "agent.ipc: Accepted client: 127.0.0.1:5000")``.
        count: told the metric's name for each client and each command.
    """
    service = Service(handle, auth or None, limits or Limits(), log, count)
    patient = [_PatientListener(listener, log) for listener in listeners]
    await trio.serve_listeners(service.serve_connection, patient, task_status=_Started(task_status))


class _PatientListener(trio.abc.Listener[trio.SocketStream]):
    """A listener that outlives a lack of descriptors and callers that are gone already.

    Trio's own server logs a traceback ten times a second for the one, and ends for the other.
    """

    def __init__(
        self, listener: trio.abc.Listener[trio.SocketStream], log: Callable[[str, str], None]
    ) -> None:
        self._listener = listener
        self._failures = SeldomWarner(log)

    async def accept(self) -> trio.SocketStream:
        while True:
            try:
                return await self._listener.accept()
            except OSError as error:
                self._failures.warn(f"agent.ipc: Failed to accept client: {error.strerror}")
                await trio.sleep(ACCEPT_PAUSE_SECONDS)

    async def aclose(self) -> None:
        await self._listener.aclose()


class _Started:
    """Hands a start report on without the value it carries."""

    def __init__(self, task_status: trio.TaskStatus[None]) -> None:
        self._task_status = task_status

    def started(self, value: object = None) -> None:
        self._task_status.started()
