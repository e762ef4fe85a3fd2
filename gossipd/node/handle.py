"""``NodeHandle``: what the faces (RPC today; HTTP, DNS later) are given of a running node.

No trio here: a face can be tested with a fake handle. Members and
suspicions are read from the view; commands are awaited until they took
effect or failed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from gossipd.node.events import NodeEvent
from gossipd.node.statistics import Statistics
from gossipd.node.view import View
from gossipd.value import Value


class JoinResult(Value):
    """How many addresses were contacted, and one line for each that was not."""

    contacted: int
    errors: tuple[str, ...] = ()


class Lost(Value):
    """A subscriber read too slowly: ``count`` items are missing here."""

    count: int


class LogLine(Value):
    """One formatted log line, without newline; ``level`` is TRACE, DEBUG, INFO, WARN or ERR."""

    level: str
    text: str


EventStream: TypeAlias = AsyncIterator[NodeEvent | Lost]
LogStream: TypeAlias = AsyncIterator[LogLine | Lost]


class NodeHandle(Protocol):
    """A running node, as its faces see it."""

    def now(self) -> float:
        """Return the clock the view's times are in (seconds, monotonic)."""

    def view(self) -> View:
        """Return the current picture; the same object until something changes."""

    def statistics(self) -> Statistics:
        """Return the counters as they are now."""

    async def join(self, addresses: Sequence[str], *, replay: bool = False) -> JoinResult:
        """Join the cluster through ``addresses``; returns when each was tried.

        Raises:
            UsageError: this node has left or is leaving.
        """

    async def leave(self) -> None:
        """Leave gracefully; the daemon ends afterwards.

        Raises:
            UsageError: a leave is already in progress.
        """

    async def force_leave(self, node: str, *, prune: bool = False) -> None:
        """Announce that ``node`` left; returns when that was gossiped.

        Raises:
            Unavailable: it could not be gossiped in time.
        """

    async def set_tags(self, tags: Mapping[str, str], delete: Sequence[str]) -> None:
        """Delete tags, then set tags, and wait until the change was gossiped.

        Raises:
            UsageError: the encoded tags exceed 512 bytes; nothing was changed.
            Unavailable: the change is made but could not be gossiped in time.
        """

    def ask_reachability(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Ask every member for a sign of life (the internal query ``_serf_ping``).

        The iterator yields each node's name as its ack arrives and ends when
        every alive member has answered, or at the default query timeout.
        """

    def subscribe(self, capacity: int = 512) -> AbstractAsyncContextManager[EventStream]:
        """Follow the node's events from now on; a slow reader gets ``Lost``."""

    def follow_log(self, level: str, capacity: int = 512) -> AbstractAsyncContextManager[LogStream]:
        """Follow the log at ``level``, the kept lines first; a slow reader gets ``Lost``."""
