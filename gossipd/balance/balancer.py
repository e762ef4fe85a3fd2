"""``Balancer``: which instance of a service to ask next, and what came of it.

Told of instances by a watch (``apply``), asked for one (``pick``), told how
that went (``Pick.done``). Not for several threads at a time, and without a
clock: ``client/balancing.py`` has both.
"""

from __future__ import annotations

import math

from gossipd.balance.draw import Draw
from gossipd.balance.no_instance import NoInstance
from gossipd.balance.outliers import Outliers
from gossipd.balance.policies import HASH, P2C, make_policy
from gossipd.balance.pool import Pool
from gossipd.balance.reports import BalancerReport, InstanceReport
from gossipd.balance.retry_budget import RetryBudget
from gossipd.balance.settings import BalanceSettings
from gossipd.services.instance import ServiceReset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from random import Random

    from gossipd.balance.candidate import Candidate
    from gossipd.services.instance import Instance, ServiceChange


class Pick:
    """An instance that was chosen for one request; say how it went with ``done``."""

    __slots__ = ("_balancer", "_candidate", "_is_trial", "_number", "instance")

    def __init__(
        self, balancer: Balancer, candidate: Candidate, number: int, *, is_trial: bool
    ) -> None:
        self._balancer = balancer
        self._candidate = candidate
        self._number = number
        self._is_trial = is_trial
        self.instance: Instance = candidate.instance

    def done(self, now: float, ok: bool | None = True, latency: float | None = None) -> None:
        """The request is over; a second call changes nothing.

        Args:
            ok: whether the instance did its part; ``None`` if nothing can be said,
                because the caller gave up.
            latency: seconds it took; by default since it was picked.
        """
        started = self._candidate.finish(self._number)
        if started is not None:
            took = now - started if latency is None else latency
            self._balancer.note(self._candidate, ok, took, now, is_trial=self._is_trial)


class Balancer:
    """Chooses among the instances of one service.

    Args:
        name: of the service.
        random: seeded by whoever wants the same choices again.
        policy: one of ``gossipd.balance.policies.POLICIES``.
        settings: checked by whoever made them (``settings_from``).
        zone: the caller's own, for the policy ``zone``.

    Raises:
        UsageError: there is no such policy.
    """

    def __init__(
        self,
        name: str,
        random: Random,
        *,
        policy: str = P2C,
        settings: BalanceSettings | None = None,
        zone: str = "",
    ) -> None:
        self.name = name
        self.policy = policy
        self.settings = settings or BalanceSettings()
        self.budget = RetryBudget(self.settings)
        self.index = 0
        """Of the last change that was told; a watch resumes from here."""
        self._random = random
        self._policy = make_policy(policy, self.settings, zone)
        self._pool = Pool(self.settings)
        self._outliers = Outliers(self.settings)
        self._picks = 0
        self._open = 0
        self._distances: Mapping[str, float] = {}
        self._stale_since: float | None = None

    @property
    def instances(self) -> tuple[Instance, ...]:
        """All known instances by owner and id."""
        candidates = self._pool.candidates
        return tuple([candidates[key].instance for key in sorted(candidates)])

    def apply(self, update: ServiceReset | ServiceChange, now: float) -> None:
        """Take in what a watch told."""
        self._pool.apply(update, now)
        self.index = update.view.index if isinstance(update, ServiceReset) else update.index
        self._stale_since = None
        self.set_distances(self._distances)

    def set_distances(self, distances: Mapping[str, float]) -> None:
        """Say how far each owner is, as round trips in seconds; for the policy ``nearest``.

        What is no time is left out: distances come from coordinates, and those from peers.
        """
        distances = {owner: d for owner, d in distances.items() if 0 <= d < math.inf}
        self._distances = distances
        for (owner, _), candidate in self._pool.candidates.items():
            candidate.distance = distances.get(owner)

    def set_zone(self, zone: str) -> None:
        """Say which zone is the caller's own; for the policy ``zone``."""
        self._policy = make_policy(self.policy, self.settings, zone)

    def lost_sight(self, now: float) -> None:
        """The watch ended: go on with the last known set, and say so in ``snapshot``."""
        if self._stale_since is None:
            self._stale_since = now

    def in_sight(self) -> None:
        """The watch goes on where it was, even if it has nothing to tell."""
        self._stale_since = None

    def pick(
        self,
        now: float,
        key: str | bytes | None = None,
        exclude: Collection[tuple[str, str]] = (),
    ) -> Pick:
        """Choose an instance for one request.

        Args:
            key: what the request is about; the policy ``hash`` keeps it with one instance.
            exclude: keys of instances that were tried already.

        Raises:
            NoInstance: there is none, or none but excluded ones.
        """
        for outlier in self._outliers.compare(self._pool.usable(), now):
            self._pool.noticed(outlier)
        pool, _ = self._pool.choices(exclude, now)
        if not pool:
            raise NoInstance(self._why_none(exclude))
        everyone = self._pool.candidates.values()
        draw = Draw(pool, everyone, key, now, self._random)
        candidate = self._policy.choose(draw)
        if self._is_crowded(candidate):
            rest = [c for c in pool if not self._is_crowded(c)]
            candidate = self._policy.choose(draw.among(rest)) if rest else candidate
        self._open += 1
        self._picks += 1
        is_trial = candidate.start(self._picks, now)
        return Pick(self, candidate, self._picks, is_trial=is_trial)

    def note(
        self, candidate: Candidate, ok: bool | None, took: float, now: float, *, is_trial: bool
    ) -> None:
        """Take in how a request ended; called by ``Pick.done``."""
        self._open -= 1
        turned = candidate.breaker.finish(ok, now, self._random, is_trial=is_trial)
        if ok is None:
            return
        if ok and turned:
            candidate.latency.forget()
            candidate.since = now
        candidate.failures += not ok
        slow = max(took, self.settings.failure_latency)
        candidate.latency.add(took if ok else slow, now)
        self._outliers.note(candidate, ok, self._pool.usable(), now)
        self._pool.noticed(candidate)

    def snapshot(self, now: float) -> BalancerReport:
        """Return what this balancer knows and thinks, for people."""
        candidates = self._pool.candidates
        stale = self._stale_since
        return BalancerReport(
            name=self.name,
            policy=self.policy,
            index=self.index,
            stale_for=None if stale is None else max(now - stale, 0.0),
            is_panicking=self._pool.is_panicking(now),
            is_guarded=self._pool.is_guarded,
            retries_left=self.budget.left(now),
            instances=tuple([_report(candidates[key], now) for key in sorted(candidates)]),
        )

    def _is_crowded(self, candidate: Candidate) -> bool:
        """Whether its queue is out of all proportion to the others', as of one that hangs."""
        if candidate.outstanding < self.settings.crowd_least or self.policy == HASH:
            return False
        weight = candidate.instance.weight
        other_weights = self._pool.weights - weight
        if other_weights <= 0:
            return False
        fair = (self._open - candidate.outstanding) * weight / other_weights
        return candidate.outstanding > self.settings.crowd_factor * (fair + 1)

    def _why_none(self, exclude: Collection[tuple[str, str]]) -> str:
        known = len(self._pool.candidates)
        if not known:
            return f"{self.name}: no instance is registered"
        if exclude:
            return f"{self.name}: no other of {known} instances can be asked"
        return f"{self.name}: none of {known} instances passes its checks and takes requests"


def _report(candidate: Candidate, now: float) -> InstanceReport:
    instance, breaker = candidate.instance, candidate.breaker
    return InstanceReport(
        owner=instance.owner,
        id=instance.service.id,
        host=instance.address,
        port=instance.service.port,
        status=instance.status,
        weight=candidate.weight(now) if instance.weight else 0.0,
        takes_requests=candidate.takes_requests,
        is_doubtful=instance.is_doubtful,
        outstanding=candidate.outstanding,
        latency=candidate.latency.value(now),
        breaker=breaker.state(now),
        breaker_opens_for=_left(breaker.open_until, now),
        ejected_for=_left(candidate.ejected_until, now),
        distance=candidate.distance,
        requests=candidate.requests,
        failures=candidate.failures,
    )


def _left(until: float | None, now: float) -> float:
    return 0.0 if until is None else max(until - now, 0.0)
