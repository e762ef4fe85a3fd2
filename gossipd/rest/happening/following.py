"""``Follower``: what one reader of the event stream has yet to be shown.

Names only, each once: whoever reads slowly is shown how things are when it reads, not
all that they were in between. So a reader is bounded by what there is.
"""

from __future__ import annotations

import trio


class Follower:
    """Members and services that changed since the reader looked; wakes the reader.

    Args:
        wants_state: the reader shows members and services, not only what happened.
    """

    __slots__ = ("_changed", "_members", "_services", "_wants_state")

    def __init__(self, wants_state: bool) -> None:
        self._wants_state = wants_state
        self._members: dict[str, None] = {}
        self._services: dict[str, None] = {}
        self._changed = trio.Event()

    def wake(self) -> None:
        """Something happened."""
        self._changed.set()

    def member_changed(self, name: str) -> None:
        """Show that member again."""
        if self._wants_state:
            self._members[name] = None
            self._changed.set()

    def service_changed(self, name: str) -> None:
        """Show that service again."""
        if self._wants_state:
            self._services[name] = None
            self._changed.set()

    def take(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return members and services to show now; from then on they are shown."""
        members, services = tuple(self._members), tuple(self._services)
        self._members.clear()
        self._services.clear()
        self._changed = trio.Event()
        return members, services

    async def wait(self) -> None:
        """Return when there is something to take."""
        await self._changed.wait()
