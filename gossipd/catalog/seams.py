"""What ``provider.py`` and ``shelves.py`` need of the rooms beside them, by shape.

So each can be tested with a few lines in the place of replication.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from gossipd.address import Address
from gossipd.services.definition import NodeState, Service, ServiceState


class Item(Protocol):
    """A service of some owner as the replica holds it; a tombstone has no ``service``."""

    @property
    def service(self) -> Service | None:
        """Its definition."""

    @property
    def state(self) -> ServiceState:
        """What changes of it while it runs."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Of its checks, in the order of the definition."""

    @property
    def version(self) -> int:
        """The highest of its parts."""

    @property
    def learned_at(self) -> float:
        """When we learned of that version."""


class OwnerRecords(Protocol):
    """All that one owner said in one of its lives."""

    @property
    def epoch(self) -> int:
        """Which life."""

    @property
    def node(self) -> NodeState:
        """What it said of itself."""

    @property
    def items(self) -> Mapping[str, Any]:
        """Return its services by id, tombstones too."""


class Replica(Protocol):
    """What this node holds of all owners."""

    def records(self, owner: str) -> OwnerRecords | None:
        """Return all of one owner."""


class Standing(Protocol):
    """What the cluster thinks of an owner."""

    @property
    def name(self) -> str:
        """Of the node."""

    @property
    def address(self) -> Address:
        """Where it is."""

    @property
    def status(self) -> str:
        """``alive``, ``suspect``, ``leaving`` or ``failed``."""

    @property
    def suspected_at(self) -> float | None:
        """Since when it is suspected."""

    @property
    def epoch(self) -> int | None:
        """Which life it announces; ``None`` is a plain Serf agent."""


class Owners(Protocol):
    """Members, as far as the catalog cares."""

    def get(self, name: str) -> Standing | None:
        """Return the standing of a member; ``None`` if it is unknown or left."""


class OwnRecords(Protocol):
    """Where this node says something of itself: stored, versioned and spread."""

    def put_service(self, service: Service, now: float) -> None:
        """Say what a service is."""

    def put_state(self, id: str, state: ServiceState, now: float) -> None:
        """Say how it is."""

    def put_outputs(self, id: str, outputs: tuple[str, ...], now: float) -> None:
        """Say what its checks printed."""

    def put_node(self, state: NodeState, now: float) -> None:
        """Say how the node is."""

    def remove(self, id: str, now: float) -> None:
        """Say that a service is gone."""


class Clockwork(Protocol):
    """Where timers are set."""

    def set(self, deadline: float, timer: Any) -> Any:
        """Arm ``timer`` for ``deadline`` (seconds, monotonic)."""
