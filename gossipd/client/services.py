"""``ServiceCalls``: what the blocking client asks and says about services.

A base of ``Client`` and nothing else: the methods are the client's, but there are too
many of them for one file. What only they need is loaded by the first that is called,
so that ``gossipd members`` starts as quickly as before.
"""

from __future__ import annotations

import time

from gossipd.client.link import Link, NoAnswer
from gossipd.query import requests

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Any, Self

    from gossipd.client.blocking import Client, Events
    from gossipd.client.keeping import KeptRegistration
    from gossipd.services.definition import CheckDefinition, Service
    from gossipd.services.instance import (
        Instance,
        ServiceChange,
        ServiceReset,
        ServiceSummary,
        ServiceView,
    )
    from gossipd.services.own import OwnServices


class ServiceCalls:
    """The part of ``Client`` that is about services."""

    _link: Link

    def _another(self) -> Client:
        """Return another connection to the same daemon."""
        raise NotImplementedError

    # -- what consumers ask -----------------------------------------------------

    def services(self) -> list[ServiceSummary]:
        """Return a line for each known service, by name."""
        from gossipd.query.service_records import read_summaries_untrusted

        return read_summaries_untrusted(self._link.ask(requests.Plain("services")))

    def service(
        self,
        name: str,
        *,
        tags: Sequence[str] = (),
        meta: Mapping[str, str] | None = None,
        zone: str = "",
        passing: bool = False,
        near: str = "",
    ) -> ServiceView:
        """Return the instances of one service; a name that nobody has, has none.

        Times in them (``learned_at``, ``suspected_at``) are those of ``time.monotonic``.

        Args:
            name: of the service.
            tags: only instances with all of these.
            meta: only instances with all of these values.
            zone: only instances there.
            passing: only those that pass and take their part.
            near: nearest to this node first, by round trip; ``_agent`` is the daemon's own.

        Raises:
            RequestRefused: nothing is known of where ``near`` is.
        """
        from gossipd.query import service_requests
        from gossipd.query.service_records import read_view_untrusted

        request = service_requests.AskService(
            name, tags=tags, meta=meta, zone=zone, is_passing=passing, near=near
        )
        return read_view_untrusted(self._link.ask(request), name, time.monotonic())

    def services_of(self, node: str = "") -> list[Instance]:
        """Return the instances that ``node`` registered, by id; empty is the daemon's own."""
        from gossipd.query import service_requests
        from gossipd.query.service_records import read_instances_untrusted

        body = self._link.ask(service_requests.AskServicesOf(node))
        return read_instances_untrusted(body, time.monotonic())

    def watch(self, name: str, index: int = 0) -> Watch:
        """Follow one service: the set as it is, then each change once and in order.

        Args:
            name: of the service; need not exist yet.
            index: go on after the change of that index, without the set, if the daemon
                still knows it.
        """
        return Watch(self._link, name, index)

    def changed_within(self, streams: Sequence[Watch | Events], seconds: float | None) -> bool:
        """Return whether one of ``streams`` has news within ``seconds``, and drop all of it.

        For callers that look afresh after any change; ``None`` waits for ever.
        """
        try:
            limit = None if seconds is None else max(seconds, 0.001)
            self._link.next_record(*[stream.seq for stream in streams], timeout=limit)
        except NoAnswer:
            return False
        for stream in streams:
            stream.skip_ready()
        return True

    # -- what providers say -----------------------------------------------------

    def register(self, service: str | Service | Mapping[str, object], **fields: Any) -> Held:
        """Register a service that lives as long as this connection; use the result in ``with``.

        The daemon takes it back when the ``with`` block or this process ends, however
        that happens. A daemon that restarts knows nothing of it; see ``keep_registered``.

        Args:
            service: its name, or a ``Service``, or a table as ``services.reading`` takes it.
            fields: of the table: ``port``, ``tags``, ``check={"http": "/health"}`` and so on.

        Raises:
            RequestRefused: a field cannot be, which is named, or the daemon takes no more.
        """
        service_id, warnings = self._register(service, fields, is_held=True)
        return Held(self, service_id, warnings)

    def keep_registered(
        self, service: str | Service | Mapping[str, object], **fields: Any
    ) -> KeptRegistration:
        """Register a service, and again whenever the daemon is back; use it in ``with``.

        It has a connection and a thread of its own, so it outlives this client. The service
        goes when it is released or this process ends. Args and errors as for ``register``.
        """
        from gossipd.client.keeping import KeptRegistration
        from gossipd.services.writing import service_table

        return KeptRegistration(self._another, service_table(service, fields))

    def register_service(
        self, service: str | Service | Mapping[str, object], **fields: Any
    ) -> tuple[str, ...]:
        """Register a service for good, over restarts; returns warnings. See ``register``."""
        return self._register(service, fields, is_held=False)[1]

    def _register(
        self,
        service: str | Service | Mapping[str, object],
        fields: Mapping[str, Any],
        is_held: bool,
    ) -> tuple[str, tuple[str, ...]]:
        from gossipd.query import service_requests
        from gossipd.query.service_records import read_warnings_untrusted
        from gossipd.services.writing import service_table

        table = service_table(service, fields)
        warnings = self._link.ask(service_requests.RegisterService(table, is_held))
        service_id = table.get("id") or table.get("name")
        return str(service_id), read_warnings_untrusted(warnings)

    def own_services(self) -> OwnServices:
        """Return what the daemon's own node registers, with all of its checks."""
        from gossipd.query.service_records import read_own_untrusted

        return read_own_untrusted(self._link.ask(requests.Plain("own-services")))

    def deregister(self, service: str) -> None:
        """Take back the service of that id.

        Raises:
            RequestRefused: this node registers none of that id.
        """
        from gossipd.query import service_requests

        self._link.ask(service_requests.DeregisterService(service))

    def register_check(
        self, check: CheckDefinition | Mapping[str, object], service: str = ""
    ) -> None:
        """Add a check to a service of this node, or to the node itself; replaces one of its id.

        Raises:
            RequestRefused: a field cannot be, which is named, or there is no such service.
        """
        from gossipd.query import service_requests
        from gossipd.services.writing import check_table

        self._link.ask(service_requests.RegisterCheck(check_table(check), service))

    def deregister_check(self, check: str) -> None:
        """Take back the check of that id.

        Raises:
            RequestRefused: this node has none of that id.
        """
        from gossipd.query import service_requests

        self._link.ask(service_requests.DeregisterCheck(check))

    def report(
        self,
        check: str,
        status: str,
        output: str = "",
        *,
        load: float | None = None,
        hold: bool = False,
    ) -> None:
        """Say how a ``ttl`` or ``held`` check is: passing, warning or critical.

        Args:
            check: its id; that of a service's first one is ``service:ID`` by default.
            status, output: what it says.
            load: how busy its service is, 0 idle to 1 full.
            hold: when this connection ends the check is critical.

        Raises:
            RequestRefused: this node has no such check, or runs it itself.
        """
        from gossipd.query import service_requests

        self._link.ask(service_requests.ReportCheck(check, status, output, load, hold))

    def report_load(self, service: str, load: float) -> None:
        """Say how busy a service is, 0 idle to 1 full; its weight follows within a second.

        Raises:
            RequestRefused: this node registers none of that id, or it is no such number.
        """
        from gossipd.query import service_requests

        self._link.ask(service_requests.ReportLoad(service, load))

    def maintenance(self, service: str = "", reason: str | None = "maintenance") -> None:
        """Take a service (empty: the whole node) out of ``passing`` and say why.

        Args:
            service: its id.
            reason: at most 512 bytes; ``None`` ends the maintenance.

        Raises:
            RequestRefused: this node registers none of that id, or the reason is too long.
        """
        from gossipd.query import service_requests

        self._link.ask(service_requests.Maintain(service, reason is not None, reason or ""))

    def drain(self, service: str = "", seconds: float = 10.0, *, is_unshared: bool = False) -> None:
        """Give consumers ``seconds`` to turn away from a service (empty: the whole node).

        Returns at once. A service is gone at the end; 0 ends a drain that runs. With
        ``is_unshared`` it is refused if several connections hold the service: it is not one
        of them that ends it.

        Raises:
            RequestRefused: this node registers none of that id, or others hold it too.
        """
        from gossipd.query import service_requests

        self._link.ask(service_requests.Drain(service, seconds, is_unshared))

    # -- the connection itself --------------------------------------------------

    def wait_for_end(self) -> None:
        """Return when the daemon is gone, or ``shut_down`` was called."""
        self._link.wait_for_end()

    def shut_down(self) -> None:
        """Hang up from another thread: whoever waits here is told that the daemon is gone."""
        self._link.shut_down()


class Held:
    """A registration that lives as long as its connection; ``with`` takes it back at the end.

    Attributes:
        id: of the service.
        warnings: what will not work everywhere, such as a name that DNS cannot carry.
    """

    __slots__ = ("_calls", "id", "warnings")

    def __init__(self, calls: ServiceCalls, service_id: str, warnings: tuple[str, ...]) -> None:
        self._calls = calls
        self.id = service_id
        self.warnings = warnings

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Take the service back, if it is there still."""
        from gossipd.client.connection import DaemonUnreachable, RequestRefused

        try:
            self._calls.deregister(self.id)
        except (DaemonUnreachable, NoAnswer, RequestRefused):
            return  # the daemon is gone and it with it, or somebody else took it back


class Watch:
    """What changes of one service, in order; a ``for`` over it ends with the daemon.

    Yields ``ServiceReset`` (the whole set: what it begins with, and what replaces
    everything before when too much was missed) and ``ServiceChange``.

    Attributes:
        seq: number of its records on the connection.
        index: of the last change that was yielded: where another watch goes on.
    """

    __slots__ = ("_link", "_name", "index", "seq")

    def __init__(self, link: Link, name: str, index: int) -> None:
        self._link = link
        self._name = name
        self.index = index
        self.seq = self._open()

    def _open(self) -> int:
        from gossipd.query import service_requests

        return self._link.open(service_requests.WatchService(self._name, self.index))

    def __iter__(self) -> Watch:
        return self

    def __next__(self) -> ServiceReset | ServiceChange:
        """Wait for the next change.

        Raises:
            DaemonUnreachable: the daemon is gone; another watch goes on at ``index``.
        """
        while True:
            change = self._read(self._link.next_record(self.seq)[1])
            if change is not None:
                return change

    def next_within(self, seconds: float) -> ServiceReset | ServiceChange | None:
        """Return the next change, ``None`` if none comes within ``seconds``."""
        while True:
            try:
                body = self._link.next_record(self.seq, timeout=max(seconds, 0.001))[1]
            except NoAnswer:
                return None
            change = self._read(body)
            if change is not None:
                return change

    def skip_ready(self) -> int:
        """Drop what has been received already; for callers that look afresh after a change."""
        return self._link.drop_records(self.seq)

    def close(self) -> None:
        """Follow no more; the connection goes on."""
        self._link.ask(requests.Stop(self.seq))
        self._link.drop_records(self.seq)
        self._link.forget(self.seq)

    def _read(self, body: object) -> ServiceReset | ServiceChange | None:
        from gossipd.query.service_records import read_change_untrusted
        from gossipd.services.instance import ServiceReset

        if isinstance(body, dict) and body.get("Event") == "gap":
            # Read far too late: some of them are lost here, but not to the daemon.
            self.close()
            self.seq = self._open()
            return None
        change = read_change_untrusted(body, self._name, time.monotonic())
        self.index = change.view.index if isinstance(change, ServiceReset) else change.index
        return change
