"""What a balancer tells people of itself: one value for it, one for each instance."""

from __future__ import annotations

from gossipd.value import Value


class InstanceReport(Value, kw_only=True):
    """What this client thinks of one instance. Times are seconds from now."""

    owner: str
    id: str
    host: str
    port: int
    status: str
    weight: float
    """In force here: the catalog's, less while it is new."""
    takes_requests: bool
    """Whether the catalog lets it."""
    is_doubtful: bool
    outstanding: int
    latency: float | None
    """Peak-EWMA in seconds; ``None`` before the first answer."""
    breaker: str
    """``closed``, ``open`` or ``half-open``."""
    breaker_opens_for: float
    """How long until it is tried; 0 unless open."""
    ejected_for: float
    """How long it is still ejected; 0 if it is not."""
    distance: float | None
    requests: int
    failures: int


class BalancerReport(Value, kw_only=True):
    """A balancer as it is now."""

    name: str
    policy: str
    index: int
    """Of the last change that it knows."""
    stale_for: float | None
    """How long the daemon has been away: the set may have changed since. ``None``: it is there."""
    is_panicking: bool
    """Too few are healthy, so that all are used."""
    is_guarded: bool
    """The mass-loss guard held at the last reset."""
    retries_left: float
    instances: tuple[InstanceReport, ...] = ()
