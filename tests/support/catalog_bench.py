"""Provider and shelves of one node, over a replica that hears others without a network."""

from __future__ import annotations

from random import Random

from gossipd.address import Address
from gossipd.catalog.effects import CatalogEffect
from gossipd.catalog.events import CatalogEvent
from gossipd.catalog.own_records import OwnRecords
from gossipd.catalog.owners import Owners, Standing
from gossipd.catalog.provider import Provider, ProviderTimer
from gossipd.catalog.replica import Replica
from gossipd.catalog.shelves import Shelves
from gossipd.config.model import CatalogConfig
from gossipd.errors import UsageError
from gossipd.outbox import Outbox
from gossipd.services.definition import NodeState, Service, ServiceState
from gossipd.services.instance import ServiceView
from gossipd.timers import Timers
from gossipd.value import Value

FIRST_INDEX = 1000
US = "us"
WHERE = Address(bytes([10, 0, 0, 1]), 7946)


class Voice(OwnRecords):
    """What one owner says; ``puts`` are the parts it wrote, in order: (part, id)."""

    def __init__(self, bench: CatalogBench, name: str) -> None:
        def changed(id: str, now: float) -> None:
            bench.shelves.records_changed(name, (id,), now)

        super().__init__(bench.config, name, 1, bench.replica, changed)
        self.puts: list[tuple[str, str]] = []
        self.is_full = False

    def put_service(self, service: Service, now: float) -> None:
        super().put_service(service, now)
        self.puts.append(("service", service.id))

    def put_state(self, id: str, state: ServiceState, now: float) -> None:
        if self.is_full:
            raise UsageError("services of this node are too many bytes together")
        super().put_state(id, state, now)
        self.puts.append(("state", id))

    def put_outputs(self, id: str, outputs: tuple[str, ...], now: float) -> None:
        super().put_outputs(id, outputs, now)
        self.puts.append(("outputs", id))

    def put_node(self, state: NodeState, now: float) -> None:
        super().put_node(state, now)
        self.puts.append(("node", ""))


class CatalogBench:
    """One node; time is told to each call, ``run_until`` lets timers come due."""

    def __init__(self, config: CatalogConfig | None = None) -> None:
        self.config = config or CatalogConfig()
        self.outbox: Outbox[CatalogEffect, CatalogEvent] = Outbox()
        self.timers: Timers[ProviderTimer] = Timers()
        self.owners = Owners(US)
        self.replica = Replica(self.config)
        self.shelves = Shelves(
            self.config, self.owners, self.replica, self.outbox, index=FIRST_INDEX
        )
        self.own = Voice(self, US)
        self.provider = Provider(self.config, self.own, self.timers, self.outbox, Random(1))
        self._voices: dict[str, Voice] = {}
        self.join(US)

    @property
    def puts(self) -> list[tuple[str, str]]:
        """What this node said of its services."""
        return self.own.puts

    # -- others --------------------------------------------------------------------

    def join(
        self,
        owner: str,
        now: float = 0.0,
        *,
        status: str = "alive",
        suspected_at: float | None = None,
        epoch: int | None = 1,
    ) -> None:
        """Make ``owner`` a member, or let it stand otherwise."""
        self.owners.put(Standing(owner, WHERE, status, suspected_at, epoch))
        self.shelves.owner_changed(owner, now)

    def part(self, owner: str, now: float = 0.0) -> None:
        """Let ``owner`` have left."""
        self.owners.remove(owner)
        self.shelves.owner_changed(owner, now)

    def hear(
        self, owner: str, service: Service, state: ServiceState | None = None, now: float = 0.0
    ) -> None:
        """Let ``owner`` have registered ``service``."""
        self._voice(owner).put_service(service, now)
        if state is not None:
            self.hear_state(owner, service.id, state, now)

    def hear_state(self, owner: str, id: str, state: ServiceState, now: float = 0.0) -> None:
        """Let ``owner`` have said how a service is."""
        self._voice(owner).put_state(id, state, now)

    def hear_gone(self, owner: str, id: str, now: float = 0.0) -> None:
        """Let ``owner`` have taken back a service."""
        self._voice(owner).remove(id, now)

    def hear_node(self, owner: str, node: NodeState, now: float = 0.0) -> None:
        """Let ``owner`` have said something of itself."""
        self._voice(owner).put_node(node, now)

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

    def _voice(self, owner: str) -> Voice:
        voice = self._voices.get(owner)
        if voice is None:
            voice = self._voices[owner] = Voice(self, owner)
        return voice
