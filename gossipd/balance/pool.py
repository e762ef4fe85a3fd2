"""``Pool``: the instances of a service, and who of them may be chosen now.

The catalog's word first (checks, drains, doubt), then this client's own
experience (ejections, breakers). In falling order: certain instances that
nothing speaks against; doubtful ones if no certain one is left; and in a
panic, when experience speaks against too many, all of them.
"""

from __future__ import annotations

from gossipd.balance.candidate import Candidate
from gossipd.services.definition import CRITICAL
from gossipd.services.instance import DOWN, OWNER_ALIVE, OWNER_SUSPECT, ServiceReset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from gossipd.balance.settings import BalanceSettings
    from gossipd.services.instance import Instance, ServiceChange

    Key = tuple[str, str]


class Pool:
    """All candidates by owner and id."""

    __slots__ = (
        "_certain",
        "_doubtful",
        "_failing",
        "_leaving",
        "_settings",
        "_troubled",
        "candidates",
        "is_guarded",
        "weights",
    )

    def __init__(self, settings: BalanceSettings) -> None:
        self._settings = settings
        self.candidates: dict[Key, Candidate] = {}
        self.is_guarded = False
        self.weights = 0
        """Of all that may take requests, together."""
        self._certain: list[Candidate] = []
        self._doubtful: list[Candidate] = []
        self._leaving: list[Candidate] = []
        self._failing: list[Candidate] = []
        self._troubled: dict[Key, Candidate] = {}

    def apply(self, update: ServiceReset | ServiceChange, now: float) -> None:
        """Take in what a watch told; candidates keep their history over it."""
        if isinstance(update, ServiceReset):
            # all that a first set has is old: nobody of it is a newcomer
            since = now if self.candidates else None
            told = {instance.key: instance for instance in update.view.instances}
            self.candidates = {
                key: self._updated(instance, since, now) for key, instance in told.items()
            }
            self.is_guarded = update.view.is_guarded
        elif update.kind == DOWN:
            self.candidates.pop(update.instance.key, None)
        else:
            since = now if self.candidates else None
            key = update.instance.key
            self.candidates[key] = self._updated(update.instance, since, now)
        self._sort()

    def noticed(self, candidate: Candidate) -> None:
        """Remember to look at ``candidate``: its breaker opened or it was ejected."""
        key = candidate.instance.key
        # an answer may come for one that is gone, and has a successor under its key
        if candidate.is_troubled and self.candidates.get(key) is candidate:
            self._troubled[key] = candidate

    def usable(self) -> Collection[Candidate]:
        """Return those that the catalog lets take requests, doubtful ones included."""
        return [*self._certain, *self._doubtful] if self._doubtful else self._certain

    def choices(self, exclude: Collection[Key], now: float) -> tuple[Sequence[Candidate], bool]:
        """Return who may be chosen now, sorted, and whether that is a panic's choice."""
        self._look_at_troubled(now)
        if not self._troubled and not exclude and self._certain:
            return self._certain, False
        for tier, is_panic in self._tiers(now):
            left = [c for c in tier if c.instance.key not in exclude] if exclude else tier
            if left:
                return left, is_panic
        return (), False

    def is_panicking(self, now: float) -> bool:
        """Return whether choices are made regardless of experience."""
        return self.choices((), now)[1]

    def _tiers(self, now: float) -> Iterator[tuple[Sequence[Candidate], bool]]:
        healthy = self._not_aside(self._certain, now)
        spare = self._not_aside(self._doubtful, now)
        if healthy and len(healthy) >= self._settings.panic_threshold * len(self._certain):
            yield healthy, False
            yield spare, False
            return
        if not healthy and spare:
            yield spare, False
            return
        yield self._certain, True
        yield self._doubtful, True
        yield self._leaving, True
        if self._settings.fail_open:
            yield self._failing, True

    def _not_aside(self, candidates: list[Candidate], now: float) -> list[Candidate]:
        if not self._troubled:
            return candidates
        return [c for c in candidates if not c.is_set_aside(now)]

    def _look_at_troubled(self, now: float) -> None:
        for key, candidate in list(self._troubled.items()):
            if candidate.ejected_until is not None and not candidate.is_ejected(now):
                candidate.come_back(now)
            if not candidate.is_troubled or self.candidates.get(key) is not candidate:
                del self._troubled[key]

    def _updated(self, instance: Instance, since: float | None, now: float) -> Candidate:
        candidate = self.candidates.get(instance.key)
        if candidate is None:
            return Candidate(instance, since, self._settings)
        before, candidate.instance = candidate.instance, instance
        if _is_another_life(before, instance):
            candidate.begin_anew(now)
        return candidate

    def _sort(self) -> None:
        ordered = [self.candidates[key] for key in sorted(self.candidates)]
        takers = [c for c in ordered if c.takes_requests]
        self.weights = sum(c.instance.weight for c in takers)
        self._certain = [c for c in takers if not c.instance.is_doubtful]
        self._doubtful = [c for c in takers if c.instance.is_doubtful]
        self._leaving = [c for c in ordered if not c.takes_requests and _still_answers(c.instance)]
        self._failing = [c for c in ordered if _only_fails_checks(c.instance)]


def _is_another_life(before: Instance, after: Instance) -> bool:
    """Whether experience with ``before`` says little about ``after``."""
    return (
        before.epoch != after.epoch
        or (before.address, before.service.port) != (after.address, after.service.port)
        or (before.status == CRITICAL and after.status != CRITICAL)
    )


def _still_answers(instance: Instance) -> bool:
    return instance.status != CRITICAL and not instance.maintenance


def _only_fails_checks(instance: Instance) -> bool:
    return (
        instance.status == CRITICAL
        and not instance.maintenance
        and not instance.is_draining
        and instance.owner_status in (OWNER_ALIVE, OWNER_SUSPECT)
    )
