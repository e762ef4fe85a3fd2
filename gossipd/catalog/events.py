"""What the catalog tells of itself."""

from __future__ import annotations

from typing import TypeAlias

from gossipd.value import Value


class ServiceChanged(Value):
    """Something that consumers see of the service ``name`` changed; ``index`` is the newest."""

    name: str
    index: int


class OwnServicesChanged(Value):
    """What this node registers, or the state of it, changed: it is to be kept over a restart."""


class CheckChanged(Value):
    """A check of this node has another status than before."""

    check: str
    service: str
    """Id; empty for a check of the node itself."""
    before: str
    after: str
    output: str


class ServiceEnded(Value):
    """A service of this node deregistered itself: ``reason`` says why (critical for too
    long, drained)."""

    service: str
    reason: str


class GuardChanged(Value):
    """The mass-loss guard of a service holds from now on, or no longer.

    ``lost`` of ``total`` instances are on nodes that failed together; when it lets go, those
    that are still lost, and critical from now on.
    """

    service: str
    holds: bool
    lost: int
    total: int


class RecordIgnored(Value):
    """Something of a peer about services was not taken and is counted under ``reason``."""

    reason: str
    owner: str
    detail: str = ""


CatalogEvent: TypeAlias = (
    ServiceChanged | OwnServicesChanged | CheckChanged | ServiceEnded | GuardChanged | RecordIgnored
)
