"""``NodeHandle``: what the faces (RPC, HTTP, DNS) are given of a running node.

No trio here: a face can be tested with a fake handle. Members and
suspicions are read from the view; commands are awaited until they took
effect or failed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol, TypeAlias

from gossipd.coordinate import Coordinate
from gossipd.node.events import NodeEvent
from gossipd.node.statistics import Statistics
from gossipd.node.view import View
from gossipd.serf.events import ApplicationEvent, QueryAcked, QueryAnswered
from gossipd.serf.question import KeyCommand, KeyReport, Question
from gossipd.value import Value

if TYPE_CHECKING:
    from gossipd.config.settings import Setting
    from gossipd.services.definition import CheckDefinition, Service
    from gossipd.services.instance import (
        Instance,
        ServiceChange,
        ServiceReset,
        ServiceSummary,
        ServiceView,
    )
    from gossipd.services.own import OwnServices


class JoinResult(Value):
    """How many addresses were contacted, and one line for each that was not."""

    contacted: int
    errors: tuple[str, ...] = ()


class ReloadReport(Value):
    """What came of a reload; names are keys as files have them, ``section.field`` or ``tags.x``.

    ``kept`` are tags that were changed at run time and stay as they are.
    """

    applied: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


class Lost(Value):
    """A subscriber read too slowly: ``count`` items are missing here."""

    count: int


class LogLine(Value):
    """One formatted log line, without newline; ``level`` is TRACE, DEBUG, INFO, WARN or ERR."""

    level: str
    text: str


EventStream: TypeAlias = AsyncIterator[ApplicationEvent | Lost]
Answers: TypeAlias = AsyncIterator[QueryAcked | QueryAnswered]
LogStream: TypeAlias = AsyncIterator[LogLine | Lost]
ServiceStream: TypeAlias = "AsyncIterator[ServiceReset | ServiceChange]"


class NodeHandle(Protocol):
    """A running node, as its faces see it."""

    def now(self) -> float:
        """Return the clock the view's times are in (seconds, monotonic)."""

    def view(self) -> View:
        """Return the current picture; the same object until something changes."""

    def statistics(self) -> Statistics:
        """Return the counters as they are now."""

    def degraded(self) -> Mapping[str, str]:
        """Return the members that behave worse than they usually do, and in what; by name.

        They are alive; empty when nobody watches for it. The same object until it changes.
        """

    def observe(self, take: Callable[[NodeEvent, float], None]) -> Callable[[], None]:
        """Have ``take`` called with every event and when it happened; returns what ends that.

        It is called within the node's step, for each ack, too: it must be quick, and neither
        wait nor command anything.
        """

    def settings(self) -> tuple[Setting, ...]:
        """Return what the daemon runs with now, and where it came from; secrets are hidden."""

    async def reload(self) -> ReloadReport:
        """Read the configuration again and apply what can change.

        Raises:
            ConfigError: it is wrong; nothing was changed.
            UsageError: there is none to read, or the tags do not fit; nothing was changed.
        """

    async def join(self, addresses: Sequence[str], *, replay: bool = False) -> JoinResult:
        """Join the cluster through ``addresses``; returns when each was tried.

        Raises:
            UsageError: this node has left or is leaving.
        """

    async def leave(self, *, drain: float = 0.0) -> None:
        """Leave gracefully; the daemon ends afterwards.

        Args:
            drain: seconds for which consumers are given time to turn away first.

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

    async def send_event(
        self,
        name: str,
        payload: bytes | None,
        *,
        may_coalesce: bool = False,
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Send a user event to the cluster, or only to some of its gossipd nodes.

        Raises:
            UsageError: it is too large, or a tag's expression is none.
        """

    def ask(self, question: Question) -> AbstractAsyncContextManager[Answers]:
        """Ask the cluster; iterate to get acks and answers until the query is closed.

        Leaving the context ends the waiting for answers.

        Raises:
            UsageError: the query is too large, reserved, or a tag's expression is none.
            Unavailable: too many queries are open.
        """

    async def respond(self, query: int, payload: bytes | None) -> None:
        """Answer the ``QueryReceived`` of that number.

        Raises:
            UsageError: no such query is open, it was answered already, its deadline has
                passed, or the answer is too large.
        """

    async def manage_keys(self, command: KeyCommand, key: bytes | None = None) -> KeyReport:
        """Install, use, remove or list keys on all members.

        Raises:
            UsageError: this node is leaving.
            Unavailable: too many queries are open.
        """

    def coordinate(self, node: str) -> Coordinate | None:
        """Return the network coordinate of ``node``; ``None`` if it is not known."""

    def subscribe(
        self,
        capacity: int = 512,
        *,
        coalesced: bool = True,
        may_answer: Callable[[str], bool] | None = None,
    ) -> AbstractAsyncContextManager[EventStream]:
        """Follow what applications are told from now on; a slow reader gets ``Lost``.

        Args:
            capacity: unread items kept.
            coalesced: gather member changes, and user events that allow it, for a moment
                (section 16); otherwise each is told at once and alone.
            may_answer: says of a query's name whether this reader may ``respond`` to it; as
                long as nobody may, the asker is told at once that no answer will come.
        """

    def follow_log(self, level: str, capacity: int = 512) -> AbstractAsyncContextManager[LogStream]:
        """Follow the log at ``level``, the kept lines first; a slow reader gets ``Lost``."""

    # -- services: what consumers ask ------------------------------------------

    def service(self, name: str) -> ServiceView:
        """Return all instances of one service; the same object until one of them changes."""

    def services(self) -> tuple[ServiceSummary, ...]:
        """Return a line for each known service by name; the same object until one changes."""

    def services_of(self, node: str) -> tuple[Instance, ...]:
        """Return the instances that ``node`` registered, sorted by id."""

    def watch_service(
        self, name: str, index: int = 0
    ) -> AbstractAsyncContextManager[ServiceStream]:
        """Follow one service: the set as it is, then each change once and in order.

        Args:
            name: need not exist yet.
            index: go on after the change of that index, without the set, if that is still
                remembered. A slow reader gets a ``ServiceReset`` in between.
        """

    def service_changes(self, name: str, index: int) -> tuple[ServiceChange, ...] | None:
        """Return the changes of a service after ``index``, ``None`` if too old to be remembered."""

    def on_service_change(self, name: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` after each change of a service; returns what ends that.

        What every watch stands on; it costs a place in a table. ``wake`` must neither wait
        nor command anything.
        """

    async def wait_for_services(self, index: int) -> int:
        """Return the newest index once it is above ``index``; any service counts."""

    # -- services: what providers command --------------------------------------

    def own_services(self) -> OwnServices:
        """Return what this node registers."""

    def register_service(self, service: Service, source: str) -> tuple[str, ...]:
        """Register ``service`` on this node, or replace the one of its id.

        Args:
            service: as ``services.reading`` makes it.
            source: one of ``services.own``; of a connection, the caller deregisters.

        Returns:
            Warnings: what will not work everywhere (a name that DNS cannot carry).

        Raises:
            UsageError: too large, or too many; its id or a check's is taken by another source.
            Unavailable: too many registrations in a short time.
        """

    def deregister_service(self, service: str) -> None:
        """Take back the service of that id.

        Raises:
            UsageError: this node registers none of that id.
        """

    def register_check(self, check: CheckDefinition, service: str = "") -> None:
        """Add a check to a service of this node, or to the node itself; errors as above."""

    def deregister_check(self, check: str) -> None:
        """Take a check back; errors as above."""

    def report_check(
        self, check: str, status: str, output: str = "", load: float | None = None
    ) -> None:
        """Take the word of a provider for its ``ttl`` or ``held`` check.

        Raises:
            UsageError: there is none of that id, or it is of another kind.
        """

    def report_load(self, service: str, load: float) -> None:
        """Take in how busy a service of this node is, 0 idle to 1 full; its weight follows.

        Raises:
            UsageError: there is none of that id, or it is no such number.
        """

    def set_maintenance(self, service: str, reason: str | None) -> None:
        """Take a service (empty: the whole node) out of ``passing`` and say why; ``None`` ends it.

        Raises:
            UsageError: this node registers none of that id.
        """

    def drain(self, service: str, seconds: float) -> None:
        """Give consumers time to turn away: weight 0 at once, out of ``passing`` after half of
        ``seconds``, gone at their end; empty is the whole node, whose services then stay
        out of ``passing`` instead of going. 0 or less ends a drain that runs.

        Raises:
            UsageError: this node registers none of that id.
        """
