"""One service as this node sees it: its instances, its changes, its guard."""

from __future__ import annotations

from bisect import bisect_left, insort
from operator import attrgetter

from gossipd.catalog.guard import Guard
from gossipd.catalog.journal import Journal
from gossipd.services.definition import CRITICAL, PASSING, WARNING
from gossipd.services.instance import CHANGED, DOWN, UP, Instance, ServiceSummary, ServiceView

_key = attrgetter("key")


class Shelf:
    """All instances of one service; view and summary are made when asked for.

    Args:
        name: of the service.
        index: everything that happened to the service above it will be put here.
    """

    __slots__ = ("_instances", "_summary", "_view", "guard", "index", "journal", "name", "sound")

    def __init__(self, name: str, index: int) -> None:
        self.name = name
        self.index = index
        self.journal = Journal(index)
        self.guard = Guard()
        self.sound = 0
        """Instances that pass, on nodes that are not failed."""
        self._instances: list[Instance] = []
        self._view: ServiceView | None = None
        self._summary: ServiceSummary | None = None

    def __bool__(self) -> bool:
        return bool(self._instances)

    def put(self, before: Instance | None, after: Instance | None, index: int) -> None:
        """Replace ``before`` by ``after`` (of the same key; ``None`` is not there) at ``index``."""
        if before is None:
            assert after is not None
            insort(self._instances, after, key=_key)
            self.journal.add(index, UP, after)
        else:
            place = bisect_left(self._instances, before.key, key=_key)
            if after is None:
                del self._instances[place]
                self.journal.add(index, DOWN, before)
            else:
                self._instances[place] = after
                self.journal.add(index, CHANGED, after)
        self.index = index
        self.look_again()

    def look_again(self) -> None:
        """Make view and summary anew when they are asked for."""
        self._view = self._summary = None

    def view(self) -> ServiceView:
        """Return all instances; the same object until one changes."""
        if self._view is None:
            self._view = ServiceView(
                name=self.name,
                index=self.index,
                instances=tuple(self._instances),
                is_guarded=self.guard.holds,
            )
        return self._view

    def summary(self) -> ServiceSummary:
        """Return a line about the service; the same object until something changes."""
        if self._summary is None:
            statuses = [instance.status for instance in self._instances]
            services = [instance.service for instance in self._instances]
            self._summary = ServiceSummary(
                name=self.name,
                index=self.index,
                passing=statuses.count(PASSING),
                warning=statuses.count(WARNING),
                critical=statuses.count(CRITICAL),
                doubtful=sum(instance.is_doubtful for instance in self._instances),
                tags=tuple(sorted({tag for service in services for tag in service.tags})),
                needs=tuple(sorted({need for service in services for need in service.needs})),
                is_guarded=self.guard.holds,
            )
        return self._summary
