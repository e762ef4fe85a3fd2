"""The local socket's server: listeners in, one task per connection.

It is handed a running node (``NodeHandle``) and knows nothing of the agent. What
only a client needs is loaded with the first one (``service.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from gossipd.node.handle import NodeHandle
from gossipd.value import Value

if TYPE_CHECKING:
    from gossipd.rpc.service import Service

LOST_LOG_SECONDS = 1.0
"""Losses of slow readers, and what clients can cause at will, are logged at most this often."""
ACCEPT_PAUSE_SECONDS = 0.1
"""Time to wait for a descriptor to become free."""


class Limits(Value, kw_only=True):
    """Bounds of what clients may ask for; durations in seconds."""

    connections_max: int = 4096
    """Connections at a time, and no more than half of the descriptors that the process may
    have; the next one is closed at once."""
    object_bytes_max: int = 2**20
    """One request header or body; as ``OBJECT_BYTES_MAX`` of ``query/framing.py``."""
    object_seconds_max: float = 30.0
    """Time to complete a header or body that has begun."""
    streams_max: int = 64
    """Event streams of one connection."""
    streams_in_all_max: int = 1024
    """Event streams of all connections: each record is made, and kept, for each of them."""
    watches_max: int = 4096
    """Watches of services of one connection."""
    watches_in_all_max: int = 16_384
    """Watches of all connections: each is told of every change of its service."""
    held_max: int = 1024
    """Registrations and checks that one connection holds."""
    queries_max: int = 64
    """Queries of one connection at a time."""
    farewell_seconds: float = 0.25
    """How long a client that was told that we left may take to hang up."""
    last_words_seconds: float = 1.0
    """How long an error before closing may wait for the client to read."""


def no_count(name: str) -> None:
    """Count nothing: nobody asked for metrics."""


def no_measure(name: str, value: float) -> None:
    """Measure nothing, likewise."""


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


async def serve_rpc(
    listeners: Sequence[trio.abc.Listener[trio.SocketStream]],
    handle: NodeHandle,
    *,
    auth: str | None = None,
    limits: Limits | None = None,
    log: Callable[[str, str], None] = _no_log,
    count: Callable[[str], None] = no_count,
    measure: Callable[[str, float], None] = no_measure,
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
        measure: told the metric's name and the milliseconds of each answer.
    """
    made: Service | None = None
    failures = SeldomWarner(log)

    async def serve_connection(stream: trio.SocketStream) -> None:
        nonlocal made
        if made is None:
            try:
                made = _service(handle, auth or None, limits or Limits(), log, nursery)
                made.count, made.measure = count, measure
            except ImportError as error:  # no client may end the daemon
                failures.warn(f"agent.ipc: Refused client: restart, the program changed: {error}")
                await trio.aclose_forcefully(stream)
                return
        await made.serve_connection(stream)

    patient = [_PatientListener(listener, log) for listener in listeners]
    async with trio.open_nursery() as nursery:
        await trio.serve_listeners(
            serve_connection, patient, handler_nursery=nursery, task_status=_Started(task_status)
        )


def _service(
    handle: NodeHandle,
    auth: str | None,
    limits: Limits,
    log: Callable[[str, str], None],
    nursery: trio.Nursery,
) -> Service:
    from gossipd.rpc.service import Service  # with the first client

    return Service(handle, auth, limits, log, nursery=nursery)


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
