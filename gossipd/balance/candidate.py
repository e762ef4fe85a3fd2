"""``Candidate``: one instance with all that this client found out about it."""

from __future__ import annotations

from gossipd.balance.breaker import HALF_OPEN, Breaker
from gossipd.balance.latency import PeakEwma
from gossipd.services.definition import CRITICAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.balance.settings import BalanceSettings
    from gossipd.services.instance import Instance

UNPROVEN = 60.0
"""Seconds taken for the latency of one that has requests and never answered any (Finagle)."""


class Candidate:
    """What policies choose from; kept over changes of its instance.

    Args:
        instance: as the catalog has it now.
        since: when it came, for slow start; ``None`` if it is none of the newcomers.
    """

    __slots__ = (
        "_settings",
        "_started",
        "breaker",
        "current_weight",
        "distance",
        "ejected_until",
        "ejections",
        "failures",
        "hash_seed",
        "instance",
        "interval_failures",
        "interval_requests",
        "latency",
        "requests",
        "since",
    )

    def __init__(self, instance: Instance, since: float | None, settings: BalanceSettings) -> None:
        self._settings = settings
        self.instance = instance
        self.since = since
        self.breaker = Breaker(settings)
        self.latency = PeakEwma(settings.latency_memory)
        self._started: dict[int, float] = {}
        self.distance: float | None = None
        """Round trip to its node in seconds, where known."""
        self.current_weight = 0.0
        """Smooth weighted round robin's."""
        self.hash_seed: int | None = None
        """Rendezvous hashing's, made when first needed."""
        self.ejected_until: float | None = None
        self.ejections = 0
        self.requests = 0
        self.failures = 0
        self.interval_requests = 0
        self.interval_failures = 0

    @property
    def outstanding(self) -> int:
        """Requests that have no answer yet."""
        return len(self._started)

    @property
    def takes_requests(self) -> bool:
        """Whether the catalog lets it take new requests at all."""
        instance = self.instance
        return (
            instance.status != CRITICAL
            and not instance.maintenance
            and not instance.is_draining
            and instance.weight > 0
        )

    def is_set_aside(self, now: float) -> bool:
        """Return whether this client's own experience speaks against it."""
        return self.is_ejected(now) or not self.breaker.admits(now)

    def is_ejected(self, now: float) -> bool:
        """Return whether it is out for being worse than the others."""
        return self.ejected_until is not None and now < self.ejected_until

    @property
    def is_troubled(self) -> bool:
        """Whether it is, or was until a moment ago, ejected or broken."""
        return self.ejected_until is not None or self.breaker.open_until is not None

    def weight(self, now: float) -> float:
        """Return its weight in force, less while it is new; above 0."""
        return max(self.instance.weight, 1) * self.warmth(now)

    def registered_weight(self, now: float) -> float:
        """Return the weight that its provider registered, which follows no load."""
        return max(self.instance.service.weight, 1) * self.warmth(now)

    def warmth(self, now: float) -> float:
        """Return which part of a full share it gets, 1 unless it is new."""
        window = self._settings.slow_start
        if self.since is None or window <= 0:
            return 1.0
        grown = (now - self.since) / window
        if grown >= 1:
            self.since = None
            return 1.0
        return max(grown, self._settings.slow_start_least)

    def cost(self, now: float) -> float:
        """Return what one more request would cost (Finagle): latency times the queue.

        A request that waits for its answer already tells how slow the instance is at
        least, so one that hangs is seen before its first time-out. One of which nothing is
        known yet is worth a try: it costs nothing, and much while the try lasts.
        """
        # while it is tried again, what it was before its breaker opened says nothing
        known = None if self.breaker.state(now) == HALF_OPEN else self.latency.value(now)
        if known is None:
            return UNPROVEN * self.outstanding / self.weight(now)
        latency = known
        for started in self._started.values():
            latency = max(latency, now - started)
            break
        return latency * (self.outstanding + 1) / self.weight(now)

    def start(self, number: int, now: float) -> bool:
        """Request ``number`` goes out; return whether it is a trial of a broken one."""
        self._started[number] = now
        self.requests += 1
        return self.breaker.start(now)

    def finish(self, number: int) -> float | None:
        """Request ``number`` is over; return when it began, ``None`` if it was over before."""
        return self._started.pop(number, None)

    def come_back(self, now: float) -> None:
        """Its ejection is over: judge it afresh, beginning with a small share."""
        self.ejected_until = None
        self.latency.forget()
        self.since = now

    def begin_anew(self, now: float) -> None:
        """Forget what was held against it: it has come back, or is another process now."""
        self.breaker.reset()
        self.latency.forget()
        self.ejected_until = None
        self.ejections = 0
        self.interval_requests = self.interval_failures = 0
        self.since = now
