"""``Shelves``: the answers to consumers, kept up to date by what changes of records and members.

The dispatcher says which records or which owner changed; only what that touches
is looked at again, so the cost is that of the instances of one owner, never of
all. Each change of an instance gets an index of its own, which grows over all
services and over restarts; a service has that of its last change, so a change
of ``db`` is none of ``web``.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from operator import attrgetter

from gossipd.catalog.answers import (
    checks_of,
    instance_of,
    is_sound,
    look_the_same,
    status_by_record,
    status_by_standing,
)
from gossipd.catalog.effects import CatalogEffect
from gossipd.catalog.events import CatalogEvent, GuardChanged, ServiceChanged
from gossipd.catalog.shelf import Shelf
from gossipd.services.definition import PASSING, NodeState
from gossipd.services.instance import (
    OWNER_FAILED,
    Instance,
    ServiceChange,
    ServiceSummary,
    ServiceView,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gossipd.catalog.guard import Key
    from gossipd.catalog.item import Item
    from gossipd.catalog.owners import Owners, Standing
    from gossipd.catalog.replica import Replica
    from gossipd.config.model import CatalogConfig
    from gossipd.outbox import Outbox
    from gossipd.services.definition import CheckState, Service

EMPTY_KEPT = 1024
"""Services without instances whose changes are remembered for those who watch them."""
SHARED_KEPT = 512
"""Different states of checks that do not pass, which instances share instead of having copies."""

_id_of = attrgetter("service.id")


class Shelves:
    """All services as this node sees them.

    Args:
        config: the guard's numbers; read when they are needed.
        owners: what the cluster thinks of those who register services.
        replica: what they registered.
        outbox: for ``ServiceChanged`` and ``GuardChanged``.
        index: where the count of changes starts, above that of any life before.
    """

    def __init__(
        self,
        config: CatalogConfig,
        owners: Owners,
        replica: Replica,
        outbox: Outbox[CatalogEffect, CatalogEvent],
        index: int,
    ) -> None:
        self._config = config
        self.index = index
        """Of the newest change of any service."""
        self._owners = owners
        self._replica = replica
        self._outbox = outbox
        self._known_since = index
        """Changes above it are remembered, but for those that a service's journal dropped."""
        self._origin = index
        self._shelves: dict[str, Shelf] = {}
        self._names: list[str] = []
        """Of services with instances, sorted."""
        self._empty: dict[str, None] = {}
        """Names of services without, longest empty first."""
        self._by_owner: dict[str, dict[str, Instance]] = {}
        self._summaries: tuple[ServiceSummary, ...] | None = None
        self._shared_checks: dict[tuple[CheckState, ...], tuple[CheckState, ...]] = {}

    # -- what is asked ----------------------------------------------------------

    def service(self, name: str) -> ServiceView:
        """Return all instances of a service; the same object until one of them changes."""
        shelf = self._shelves.get(name)
        return ServiceView(name=name, index=self._known_since) if shelf is None else shelf.view()

    def summaries(self) -> tuple[ServiceSummary, ...]:
        """Return a line for each service by name; the same object until one changes."""
        if self._summaries is None:
            self._summaries = tuple(self._shelves[name].summary() for name in self._names)
        return self._summaries

    def of_owner(self, name: str) -> tuple[Instance, ...]:
        """Return the instances that a node registered, sorted by id."""
        return tuple(sorted(self._by_owner.get(name, {}).values(), key=_id_of))

    def changes(self, service: str, index: int) -> tuple[ServiceChange, ...] | None:
        """Return the changes of a service above ``index``, oldest first.

        ``None`` if that cannot be told: some are forgotten, or the index is not one of ours.
        """
        if not self._origin <= index <= self.index:
            return None
        shelf = self._shelves.get(service)
        if shelf is not None:
            return shelf.journal.after(index)
        return () if index >= self._known_since else None

    # -- what happens -----------------------------------------------------------

    def records_changed(self, owner: str, ids: Iterable[str] | None, now: float) -> None:
        """Take in that the replica holds something else of ``owner``.

        Args:
            owner: name of a node.
            ids: of its services; an empty one stands for its ``NodeState``, ``None`` for all.
            now: seconds, monotonic.
        """
        if ids is not None:
            ids = tuple(dict.fromkeys(ids))
            if "" in ids:
                ids = None
        self._look_again(owner, ids, now)

    def owner_changed(self, owner: str, now: float) -> None:
        """Take in that the cluster thinks otherwise of ``owner``, or forgot it."""
        self._look_again(owner, None, now)

    def guard_changed(self, now: float) -> None:
        """Take in that the guard's numbers are others: what holds may have to let go."""
        told: dict[str, Shelf] = {}
        guarded = {name: shelf for name, shelf in self._shelves.items() if shelf.guard.holds}
        for owner, id in self._judge_guards(guarded, now):
            self._place_again(owner, id, told)
        for name in told:
            self._outbox.events.append(ServiceChanged(name, self.index))

    def _look_again(self, owner: str, ids: tuple[str, ...] | None, now: float) -> None:
        standing = self._owners.get(owner)
        items, node, epoch = self._records_that_count(owner, standing)
        known = self._by_owner.get(owner, {})
        if ids is None:
            ids = (*known, *(id for id in items if id not in known))
        if not ids:
            return
        touched: dict[str, Shelf] = {}
        for id in ids:
            self._take_stock(owner, known.get(id), items.get(id), node, standing, touched, now)
        again = self._judge_guards(touched, now)
        told: dict[str, Shelf] = {}
        for id in ids:
            self._place(owner, id, items.get(id), node, standing, epoch, told)
        for other, id in again:
            if other != owner or id not in ids:
                self._place_again(other, id, told)
        for name in told:
            self._outbox.events.append(ServiceChanged(name, self.index))
        self._forget_empty(told)

    def _records_that_count(
        self, owner: str, standing: Standing | None
    ) -> tuple[Mapping[str, Item], NodeState, int]:
        """Return what ``owner`` registered in the life that its membership announces."""
        records = self._replica.records(owner)
        if standing is None or records is None or records.epoch != standing.epoch:
            return {}, NodeState(), 0
        return records.items, records.node, records.epoch

    def _take_stock(
        self,
        owner: str,
        before: Instance | None,
        item: Item | None,
        node: NodeState,
        standing: Standing | None,
        touched: dict[str, Shelf],
        now: float,
    ) -> None:
        """Count what passes of a service, and what of it was just lost."""
        service = None if item is None else item.service
        if before is not None:
            shelf = touched[before.service.name] = self._shelves[before.service.name]
            shelf.sound -= is_sound(before)
            if service is None or service.name != before.service.name:
                shelf.guard.settle(before.key)
        if item is None or service is None or standing is None:
            return
        shelf = touched[service.name] = self._shelf(service.name)
        status = status_by_record(service, item.state, node)
        if standing.status != OWNER_FAILED:
            shelf.guard.settle((owner, service.id))
            shelf.sound += status_by_standing(status, standing.status, is_kept=False) == PASSING
        elif status != PASSING:
            shelf.guard.settle((owner, service.id))
        elif is_sound(before):
            shelf.guard.lose((owner, service.id), now)

    def _judge_guards(self, touched: dict[str, Shelf], now: float) -> list[Key]:
        """Decide which guards hold, and return the instances that this changes."""
        again: list[Key] = []
        for shelf in touched.values():
            guard = shelf.guard
            if not guard.lost and not guard.holds:
                continue
            held = guard.holds
            flipped = guard.judge(shelf.sound, self._config, now)
            if guard.holds == held:
                continue
            again += flipped
            shelf.look_again()
            self._summaries = None
            lost = len(flipped)
            self._outbox.events.append(
                GuardChanged(shelf.name, guard.holds, lost, shelf.sound + lost)
            )
        return again

    def _place_again(self, owner: str, id: str, told: dict[str, Shelf]) -> None:
        standing = self._owners.get(owner)
        items, node, epoch = self._records_that_count(owner, standing)
        self._place(owner, id, items.get(id), node, standing, epoch, told)

    def _place(
        self,
        owner: str,
        id: str,
        item: Item | None,
        node: NodeState,
        standing: Standing | None,
        epoch: int,
        told: dict[str, Shelf],
    ) -> None:
        """Make the instance anew and put it on its shelf, if it looks otherwise now."""
        known = self._by_owner.get(owner)
        before = None if known is None else known.get(id)
        service = None if item is None else item.service
        after = None
        if item is not None and service is not None and standing is not None:
            after = instance_of(
                service,
                item,
                node,
                standing,
                epoch,
                is_kept=self._shelf(service.name).guard.keeps((owner, id)),
                checks=self._shared(service, checks_of(item, node)),
            )
        if before is not None and after is not None:
            if look_the_same(before, after):
                return
            if before.service.name != after.service.name:
                self._put(before, None, told)
                before = None
        if before is None and after is None:
            return
        self._put(before, after, told)

    def _put(self, before: Instance | None, after: Instance | None, told: dict[str, Shelf]) -> None:
        instance = before if after is None else after
        assert instance is not None
        name, owner = instance.service.name, instance.owner
        self.index += 1
        shelf = told[name] = self._shelf(name)
        was_empty = not shelf
        shelf.put(before, after, self.index)
        if was_empty:
            insort(self._names, name)
            self._empty.pop(name, None)
        elif not shelf:
            del self._names[bisect_left(self._names, name)]
        self._summaries = None
        if after is not None:
            self._by_owner.setdefault(owner, {})[instance.service.id] = after
            return
        known = self._by_owner[owner]
        del known[instance.service.id]
        if not known:
            del self._by_owner[owner]

    def _shelf(self, name: str) -> Shelf:
        shelf = self._shelves.get(name)
        if shelf is None:
            shelf = self._shelves[name] = Shelf(name, self._known_since)
        return shelf

    def _forget_empty(self, told: dict[str, Shelf]) -> None:
        """Forget the services that have been without instances for longest, if they are many."""
        for name, shelf in told.items():
            if not shelf:
                self._empty.pop(name, None)
                self._empty[name] = None
        while len(self._empty) > EMPTY_KEPT:
            name = next(iter(self._empty))
            del self._empty[name]
            self._known_since = max(self._known_since, self._shelves.pop(name).index)

    def _shared(self, service: Service, checks: tuple[CheckState, ...]) -> tuple[CheckState, ...]:
        """Return an equal tuple that other instances have too, if nothing in it is their own."""
        if checks is service.checks or any(check.output for check in checks):
            return checks
        shared = self._shared_checks
        if len(shared) >= SHARED_KEPT:
            shared.clear()
        return shared.setdefault(checks, checks)
