"""What a consumer is told of a service: its instances, and how far they can be trusted.

An answer combines what the owner said of its service with what the cluster
thinks of the owner. Nothing here is stored; ``catalog/shelves.py`` makes it
from records and membership, and clients read the same values from the local
socket. Times are seconds; ``since`` and the like are on the clock of whoever
made the value (the daemon's monotonic one, or the client's).
"""

from __future__ import annotations

from gossipd.services.definition import CRITICAL, PASSING, STATUSES, CheckState, Service
from gossipd.value import Value

OWNER_ALIVE, OWNER_SUSPECT, OWNER_FAILED = "alive", "suspect", "failed"
OWNER_LEAVING = "leaving"
"""An owner that left has no instances."""


class Instance(Value, kw_only=True):
    """One registered service as this node sees it now.

    ``status`` is the worst of its checks, its node's and its owner's standing: critical when
    the owner failed (unless the guard holds), in maintenance, or draining to its end.
    """

    owner: str
    """Name of the node that registered it."""
    owner_address: str
    """IP of that node, without port."""
    service: Service
    status: str
    checks: tuple[CheckState, ...] = ()
    """Of the service, then of its node."""
    weight: int = 1
    load: float | None = None
    zone: str = ""
    maintenance: str = ""
    is_draining: bool = False
    owner_status: str = OWNER_ALIVE
    suspected_at: float | None = None
    """Since when the owner is suspected; ``None`` if it is not."""
    is_doubtful: bool = False
    """The owner is suspected, or has failed together with so many others that the fault
    may be this node's own (mass-loss guard)."""
    epoch: int = 0
    """Which life of the owner said so."""
    version: int = 0
    """The owner's count of changes when it said so."""
    learned_at: float = 0.0
    """When this node learned of that version."""

    @property
    def address(self) -> str:
        """Where it answers."""
        return self.service.address or self.owner_address

    @property
    def key(self) -> tuple[str, str]:
        """Owner and id: what makes an instance the same one over its changes."""
        return self.owner, self.service.id

    @property
    def is_usable(self) -> bool:
        """Whether ``passing`` filters let it through: it passes and takes its part."""
        return self.status == PASSING


class ServiceView(Value, kw_only=True):
    """All instances of one service, sorted by owner and id; the same object until one changes.

    ``index`` grows with every change of any service on this node, over restarts too; here
    it is that of the last change of this one.
    """

    name: str
    index: int
    instances: tuple[Instance, ...] = ()
    is_guarded: bool = False
    """The mass-loss guard holds: so much was lost at once that the lost is kept, doubtful."""


class ServiceSummary(Value, kw_only=True):
    """A line about a service: how many instances of each status, and what they say together."""

    name: str
    index: int
    passing: int = 0
    warning: int = 0
    critical: int = 0
    doubtful: int = 0
    """Of all of them."""
    tags: tuple[str, ...] = ()
    """Of all its instances, sorted, each once."""
    needs: tuple[str, ...] = ()
    """Likewise."""
    is_guarded: bool = False

    @property
    def total(self) -> int:
        """All instances."""
        return self.passing + self.warning + self.critical


class ServiceChange(Value, kw_only=True):
    """One change of one instance, as a watcher is told it, in order and once.

    ``kind`` is ``up`` (a new instance), ``changed`` or ``down`` (gone; ``instance`` is the
    last that was known).
    """

    index: int
    kind: str
    instance: Instance


UP, CHANGED, DOWN = "up", "changed", "down"


class ServiceReset(Value, kw_only=True):
    """The whole set as it is at ``view.index``: what a watch begins with, and what replaces
    everything told before when a watcher was too slow or asked for an index long gone."""

    view: ServiceView


def worst(statuses: tuple[str, ...]) -> str:
    """Return the worst of ``statuses``; of none, passing."""
    rank = -1
    for status in statuses:
        rank = max(rank, STATUSES.index(status) if status in STATUSES else STATUSES.index(CRITICAL))
    return PASSING if rank < 0 else STATUSES[rank]
