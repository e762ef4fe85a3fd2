"""``AsyncServiceCalls``: what ``AsyncClient`` asks and says about services.

A base of ``AsyncClient`` and nothing else: the methods are the client's, but there are
too many of them for one file. What is said of the blocking ones in ``services.py``
holds here too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio

from gossipd.client.aio_link import LAST_WORDS_SECONDS, AsyncLink, Inbox
from gossipd.client.connection import DaemonUnreachable, RequestRefused
from gossipd.query import requests, service_requests
from gossipd.query.service_records import (
    read_change_untrusted,
    read_instances_untrusted,
    read_own_untrusted,
    read_summaries_untrusted,
    read_view_untrusted,
    read_warnings_untrusted,
)
from gossipd.services.instance import (
    Instance,
    ServiceChange,
    ServiceReset,
    ServiceSummary,
    ServiceView,
)
from gossipd.services.writing import check_table, service_table

if TYPE_CHECKING:
    from gossipd.services.definition import CheckDefinition, Service
    from gossipd.services.own import OwnServices


class AsyncServiceCalls:
    """The part of ``AsyncClient`` that is about services."""

    _link: AsyncLink

    def _another(self) -> AbstractAsyncContextManager[AsyncServiceCalls]:
        """Return a client of the same daemon, to be entered."""
        raise NotImplementedError

    # -- what consumers ask -----------------------------------------------------

    async def services(self) -> list[ServiceSummary]:
        """Return a line for each known service, by name."""
        return read_summaries_untrusted(await self._link.ask(requests.Plain("services")))

    async def service(
        self,
        name: str,
        *,
        tags: Sequence[str] = (),
        meta: Mapping[str, str] | None = None,
        zone: str = "",
        passing: bool = False,
        near: str = "",
    ) -> ServiceView:
        """Return the instances of one service; see ``Client.service``.

        Times in them are those of ``anyio.current_time``.

        Raises:
            RequestRefused: nothing is known of where ``near`` is.
        """
        request = service_requests.AskService(
            name, tags=tags, meta=meta, zone=zone, is_passing=passing, near=near
        )
        return read_view_untrusted(await self._link.ask(request), name, anyio.current_time())

    async def services_of(self, node: str = "") -> list[Instance]:
        """Return the instances that ``node`` registered, by id; empty is the daemon's own."""
        body = await self._link.ask(service_requests.AskServicesOf(node))
        return read_instances_untrusted(body, anyio.current_time())

    @asynccontextmanager
    async def watch(
        self, name: str, index: int = 0, *, keep: bool = False
    ) -> AsyncIterator[AsyncIterator[ServiceReset | ServiceChange]]:
        """Follow one service: the set as it is, then each change once and in order.

        Args:
            name: of the service; need not exist yet.
            index: go on after the change of that index, without the set, if the daemon
                still knows it.
            keep: go on when the daemon comes back after it was away, on a connection of
                its own; without it the iterator raises ``DaemonUnreachable`` then.
        """
        if keep:
            from gossipd.client.aio_keeping import keep_watching

            async with keep_watching(self._another, name, index) as kept:
                yield kept
            return
        watch = AsyncWatch(self._link, name, index)
        await watch.open()
        try:
            yield watch
        finally:
            await watch.close()

    # -- what providers say -----------------------------------------------------

    @asynccontextmanager
    async def register(
        self,
        service: str | Service | Mapping[str, object],
        *,
        keep: bool = False,
        **fields: Any,
    ) -> AsyncIterator[AsyncHeld]:
        """Register a service that lives as long as this context; see ``Client.register``.

        Args:
            service: its name, or a ``Service``, or a table as ``services.reading`` takes it.
            keep: register it again when the daemon comes back after it was away, on a
                connection of its own; ``on_change`` of what is yielded is told.
            fields: of the table: ``port``, ``tags``, ``check={"http": "/health"}`` and so on.

        Raises:
            RequestRefused: a field cannot be, which is named, or the daemon takes no more.
        """
        table = service_table(service, fields)
        if keep:
            from gossipd.client.aio_keeping import keep_registered

            async with keep_registered(self._another, table) as kept:
                yield kept
            return
        held = AsyncHeld(table)
        held.warnings = await self.register_held(table)
        try:
            yield held
        finally:
            # told even when the caller was cancelled; if it does not come through, the
            # registration goes with the connection
            with anyio.move_on_after(LAST_WORDS_SECONDS, shield=True):
                with suppress(DaemonUnreachable, RequestRefused):
                    await self.deregister(held.id)

    async def register_held(self, table: Mapping[str, object]) -> tuple[str, ...]:
        """Register a service that lives as long as this connection; returns warnings."""
        request = service_requests.RegisterService(table, is_held=True)
        service = str(table.get("id") or table.get("name"))
        warnings = await self._link.ask(request, undo=lambda: self.deregister(service))
        return read_warnings_untrusted(warnings)

    async def register_service(
        self, service: str | Service | Mapping[str, object], **fields: Any
    ) -> tuple[str, ...]:
        """Register a service for good, over restarts; returns warnings. See ``register``."""
        request = service_requests.RegisterService(service_table(service, fields))
        return read_warnings_untrusted(await self._link.ask(request))

    async def own_services(self) -> OwnServices:
        """Return what the daemon's own node registers, with all of its checks."""
        return read_own_untrusted(await self._link.ask(requests.Plain("own-services")))

    async def deregister(self, service: str) -> None:
        """Take back the service of that id."""
        await self._link.ask(service_requests.DeregisterService(service))

    async def register_check(
        self, check: CheckDefinition | Mapping[str, object], service: str = ""
    ) -> None:
        """Add a check to a service of this node, or to the node itself."""
        await self._link.ask(service_requests.RegisterCheck(check_table(check), service))

    async def deregister_check(self, check: str) -> None:
        """Take back the check of that id."""
        await self._link.ask(service_requests.DeregisterCheck(check))

    async def report(
        self,
        check: str,
        status: str,
        output: str = "",
        *,
        load: float | None = None,
        hold: bool = False,
    ) -> None:
        """Say how a ``ttl`` or ``held`` check is; see ``Client.report``."""
        await self._link.ask(service_requests.ReportCheck(check, status, output, load, hold))

    async def report_load(self, service: str, load: float) -> None:
        """Say how busy a service is, 0 idle to 1 full; its weight follows."""
        await self._link.ask(service_requests.ReportLoad(service, load))

    async def maintenance(self, service: str = "", reason: str | None = "maintenance") -> None:
        """Take a service (empty: the whole node) out of ``passing``; ``None`` ends that."""
        await self._link.ask(service_requests.Maintain(service, reason is not None, reason or ""))

    async def drain(
        self, service: str = "", seconds: float = 10.0, *, is_unshared: bool = False
    ) -> None:
        """Give consumers ``seconds`` to turn away; see ``Client.drain``."""
        await self._link.ask(service_requests.Drain(service, seconds, is_unshared))

    async def wait_for_end(self) -> None:
        """Return when the daemon is gone."""
        await self._link.wait_for_end()


class AsyncHeld:
    """A registration that lives as long as its context.

    Attributes:
        id: of the service.
        warnings: what will not work everywhere, such as a name that DNS cannot carry.
        is_registered: with ``keep``, false while the daemon is away or refuses.
        trouble: why it is not, if so.
        on_change: called without arguments when ``is_registered`` or ``trouble`` changes.
    """

    __slots__ = ("id", "is_registered", "on_change", "trouble", "warnings")

    def __init__(self, table: Mapping[str, object]) -> None:
        self.id = str(table.get("id") or table.get("name"))
        self.warnings: tuple[str, ...] = ()
        self.is_registered = True
        self.trouble: Exception | None = None
        self.on_change: Callable[[], None] | None = None


class AsyncWatch:
    """What changes of one service, in order, as ``services.Watch``.

    Attributes:
        index: of the last change that was yielded: where another watch goes on.
    """

    __slots__ = ("_inbox", "_link", "_name", "_seq", "index")

    def __init__(self, link: AsyncLink, name: str, index: int) -> None:
        self._link = link
        self._name = name
        self._seq = 0
        self._inbox: Inbox
        self.index = index

    async def open(self) -> None:
        """Begin, or go on after what was yielded last."""
        request = service_requests.WatchService(self._name, self.index)
        self._seq, self._inbox = await self._link.follow(request)

    async def close(self) -> None:
        """Follow no more; the connection goes on."""
        await self._link.unfollow(self._seq, self._inbox)

    def __aiter__(self) -> AsyncWatch:
        return self

    async def __anext__(self) -> ServiceReset | ServiceChange:
        while True:
            body, lost = await self._link.next_record(self._inbox)
            if not lost:
                break
            # Read far too late: some are lost here, but not to the daemon.
            await self.close()
            await self.open()
        change = read_change_untrusted(body, self._name, anyio.current_time())
        self.index = change.view.index if isinstance(change, ServiceReset) else change.index
        return change
