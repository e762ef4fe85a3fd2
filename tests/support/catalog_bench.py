"""Provider and shelves of one node, with the least of replication that they need."""

from __future__ import annotations

from random import Random

from gossipd.address import Address
from gossipd.catalog.effects import CatalogEffect
from gossipd.catalog.events import CatalogEvent
from gossipd.catalog.provider import Provider, ProviderTimer
from gossipd.catalog.shelves import Shelves
from gossipd.config.model import CatalogConfig
from gossipd.outbox import Outbox
from gossipd.services.definition import NodeState, Service, ServiceState
from gossipd.services.instance import ServiceView
from gossipd.timers import Timers
from gossipd.value import Value

FIRST_INDEX = 1000
US = "us"


class Standing(Value, kw_only=True):
    """What membership says of an owner."""

    name: str
    address: Address = Address(bytes([10, 0, 0, 1]), 7946)
    status: str = "alive"
    suspected_at: float | None = None
    epoch: int | None = 1


class Owners:
    """Standings by name."""

    def __init__(self) -> None:
        self.standings: dict[str, Standing] = {}

    def get(self, name: str) -> Standing | None:
        return self.standings.get(name)


class Item:
    """A service as it is stored."""

    def __init__(self) -> None:
        self.service: Service | None = None
        self.state = ServiceState()
        self.outputs: tuple[str, ...] = ()
        self.version = 0
        self.learned_at = 0.0


class Records:
    """What one owner said in one life."""

    def __init__(self, epoch: int = 1) -> None:
        self.epoch = epoch
        self.node = NodeState()
        self.items: dict[str, Item] = {}
        self.version = 0


class Replica:
    """Records by owner."""

    def __init__(self) -> None:
        self.owners: dict[str, Records] = {}

    def records(self, owner: str) -> Records | None:
        return self.owners.get(owner)


class CatalogBench:
    """One node; time is told to each call, ``run_until`` lets timers come due.

    ``puts`` are the parts that were written, in order: (part, id).
    """

    def __init__(self, config: CatalogConfig | None = None) -> None:
        self.config = config or CatalogConfig()
        self.outbox: Outbox[CatalogEffect, CatalogEvent] = Outbox()
        self.timers: Timers[ProviderTimer] = Timers()
        self.owners = Owners()
        self.replica = Replica()
        self.shelves = Shelves(
            self.config, self.owners, self.replica, self.outbox, index=FIRST_INDEX
        )
        self.puts: list[tuple[str, str]] = []
        self.provider = Provider(self.config, self, self.timers, self.outbox, Random(1))
        self.join(US)

    # -- as OwnRecords -----------------------------------------------------------

    def put_service(self, service: Service, now: float) -> None:
        self._item(US, service.id, now).service = service
        self._changed(US, "service", service.id, now)

    def put_state(self, id: str, state: ServiceState, now: float) -> None:
        self._item(US, id, now).state = state
        self._changed(US, "state", id, now)

    def put_outputs(self, id: str, outputs: tuple[str, ...], now: float) -> None:
        self._item(US, id, now).outputs = outputs
        self._changed(US, "outputs", id, now)

    def put_node(self, state: NodeState, now: float) -> None:
        self._records(US).node = state
        self._changed(US, "node", "", now)

    def remove(self, id: str, now: float) -> None:
        del self._records(US).items[id]
        self._changed(US, "remove", id, now)

    # -- others --------------------------------------------------------------------

    def join(self, owner: str, now: float = 0.0, **standing: object) -> None:
        """Make ``owner`` a member, or let it stand otherwise."""
        self.owners.standings[owner] = Standing(name=owner, **standing)  # type: ignore[arg-type]
        self.shelves.owner_changed(owner, now)

    def part(self, owner: str, now: float = 0.0) -> None:
        """Let ``owner`` have left."""
        self.owners.standings.pop(owner, None)
        self.shelves.owner_changed(owner, now)

    def hear(
        self,
        owner: str,
        service: Service,
        state: ServiceState | None = None,
        now: float = 0.0,
    ) -> None:
        """Let ``owner`` have registered ``service``."""
        item = self._item(owner, service.id, now)
        item.service = service
        item.state = state or ServiceState(weight=service.weight)
        self.shelves.records_changed(owner, (service.id,), now)

    def hear_gone(self, owner: str, id: str, now: float = 0.0) -> None:
        """Let ``owner`` have taken back a service."""
        del self._records(owner).items[id]
        self.shelves.records_changed(owner, (id,), now)

    def hear_node(self, owner: str, node: NodeState, now: float = 0.0) -> None:
        """Let ``owner`` have said something of itself."""
        self._records(owner).node = node
        self.shelves.records_changed(owner, ("",), now)

    # -- what came of it -------------------------------------------------------------

    def run_until(self, now: float) -> None:
        """Let all timers come due up to ``now``."""
        while (deadline := self.timers.next_deadline()) is not None and deadline <= now:
            timer = self.timers.pop_due(deadline)
            assert timer is not None
            self.provider.handle_timer(timer, deadline)

    def view(self, name: str) -> ServiceView:
        """Return what consumers are told."""
        return self.shelves.service(name)

    def statuses(self, name: str) -> dict[str, str]:
        """Return the status of each instance, by owner."""
        return {instance.owner: instance.status for instance in self.view(name).instances}

    def own_status(self, name: str) -> str:
        """Return the status of the one instance that this node has of a service."""
        return self.statuses(name)[US]

    def events(self, kind: type[Value]) -> list[CatalogEvent]:
        """Return and forget what was told; of it, those of one kind."""
        return [event for event in self.outbox.take_events() if isinstance(event, kind)]

    def _records(self, owner: str) -> Records:
        return self.replica.owners.setdefault(owner, Records())

    def _item(self, owner: str, id: str, now: float) -> Item:
        records = self._records(owner)
        records.version += 1
        item = records.items.setdefault(id, Item())
        item.version, item.learned_at = records.version, now
        return item

    def _changed(self, owner: str, part: str, id: str, now: float) -> None:
        self.puts.append((part, id))
        self.shelves.records_changed(owner, (id,), now)
