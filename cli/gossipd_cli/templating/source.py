"""What a template asks, asked of a running daemon; and what of it changed since."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gossipd_cli.members import MEMBER_EVENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gossipd.client.blocking import Client, Events
    from gossipd.client.services import Watch
    from gossipd.query.records import MemberRecord
    from gossipd.services.instance import Instance, ServiceSummary
    from gossipd_cli.templating.engine import Asked

LIST_SECONDS = 1.0
"""How often a template of all services looks whether there is a new one: the services that
it shows are watched and need no looking."""


class DaemonSource:
    """One rendering's view of the cluster: of each thing it is asked for once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._services: Sequence[ServiceSummary] | None = None
        self._members: Sequence[MemberRecord] | None = None
        self._instances: dict[tuple[str, str], Sequence[Instance]] = {}
        self.indexes: dict[str, int] = {}
        """Of the services that were asked for: where a watch goes on."""

    def services(self) -> Sequence[ServiceSummary]:
        """Return a line for each known service."""
        if self._services is None:
            self._services = self._client.services()
        return self._services

    def instances(self, name: str, near: str) -> Sequence[Instance]:
        """Return the instances of a service, nearest to ``near`` first if it is not empty."""
        key = name, near
        if key not in self._instances:
            view = self._client.service(name, near=near)
            self._instances[key] = view.instances
            self.indexes.setdefault(name, view.index)
        return self._instances[key]

    def members(self) -> Sequence[MemberRecord]:
        """Return all members."""
        if self._members is None:
            self._members = self._client.members()
        return self._members

    def node(self) -> str:
        """Return the name of the daemon's own node."""
        return self._client.stats().get("agent", {}).get("name", "")


class Interest:
    """Follows over one connection what a template asked for, and only that."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._watches: dict[str, Watch] = {}
        self._events: Events | None = None
        self._listed: Sequence[ServiceSummary] | None = None
        self._look_at = 0.0

    def become(self, asked: Asked, source: DaemonSource) -> bool:
        """Follow what was asked for in a rendering from ``source``.

        Returns:
            Whether something may have changed before it was followed.
        """
        for name in [name for name in self._watches if name not in asked.services]:
            self._watches.pop(name).close()
        for name in asked.services:
            if name not in self._watches:
                self._watches[name] = self._client.watch(name, source.indexes.get(name, 0))
        is_late = False
        if asked.members and self._events is None:
            self._events = self._client.stream(MEMBER_EVENTS, immediate=True, never_answers=True)
            is_late = True
        if asked.all_services and self._listed is None:
            self._look_at = time.monotonic() + LIST_SECONDS
        self._listed = source.services() if asked.all_services else None
        return is_late

    def wait(self, seconds: float | None) -> bool:
        """Return whether something changed within ``seconds`` (``None``: whenever it does).

        Raises:
            DaemonUnreachable: the daemon is gone.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            now = time.monotonic()
            wakes = [deadline] if deadline is not None else []
            if self._listed is not None:
                wakes.append(self._look_at)
            remaining = max(0.0, min(wakes) - now) if wakes else None
            streams: list[Watch | Events] = [*self._watches.values()]
            if self._events is not None:
                streams.append(self._events)
            if self._took_record(streams, remaining):
                return True
            if self._listed is not None and time.monotonic() >= self._look_at:
                self._look_at = time.monotonic() + LIST_SECONDS
                if self._client.services() != self._listed:
                    return True
            if deadline is not None and time.monotonic() >= deadline:
                return False

    def _took_record(self, streams: Sequence[Watch | Events], seconds: float | None) -> bool:
        if not streams:
            time.sleep(LIST_SECONDS if seconds is None else seconds)
            return False
        return self._client.changed_within(streams, seconds)
