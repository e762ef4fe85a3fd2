"""Ejecting instances that do worse than the others, for a time that grows.

Two signs: failures in a row, and a success rate clearly below that of all
others together. Rates are compared with the others' and not with a mean that
the outlier is part of: of three instances, none is ever 1.9 standard
deviations away from such a mean.
"""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from gossipd.balance.candidate import Candidate
    from gossipd.balance.settings import BalanceSettings

SIGMAS = 3.0
"""How unlikely chance must be as the reason, in standard deviations."""


class Outliers:
    """Decides who is ejected, and remembers when to compare next."""

    __slots__ = ("_next_comparison", "_settings")

    def __init__(self, settings: BalanceSettings) -> None:
        self._settings = settings
        self._next_comparison: float | None = None

    def note(
        self, candidate: Candidate, is_ok: bool, among: Collection[Candidate], now: float
    ) -> None:
        """Take in how one request ended, after the breaker did."""
        candidate.interval_requests += 1
        if not is_ok:
            candidate.interval_failures += 1
        failures = candidate.breaker.failures
        if not is_ok and failures >= self._settings.eject_failures:
            self._eject(candidate, among, now)

    def compare(self, among: Collection[Candidate], now: float) -> list[Candidate]:
        """Compare success rates, if it is time to; return those that do worse."""
        if self._next_comparison is None:
            self._next_comparison = now + self._settings.eject_interval
        if now < self._next_comparison:
            return []
        self._next_comparison = now + self._settings.eject_interval
        compared = [c for c in among if c.interval_requests >= self._settings.eject_requests]
        requests = sum(c.interval_requests for c in compared)
        failures = sum(c.interval_failures for c in compared)
        outliers = [c for c in compared if self._is_outlier(c, requests, failures)]
        for candidate in among:
            if candidate.interval_requests and not candidate.interval_failures:
                candidate.ejections = max(candidate.ejections - 1, 0)
        for candidate in sorted(outliers, key=_failure_rate, reverse=True):
            self._eject(candidate, among, now)
        for candidate in among:
            candidate.interval_requests = candidate.interval_failures = 0
        return outliers

    def _is_outlier(self, candidate: Candidate, requests: int, failures: int) -> bool:
        other_requests = requests - candidate.interval_requests
        if other_requests < self._settings.eject_requests:
            return False
        usual = (failures - candidate.interval_failures) / other_requests
        by_chance = SIGMAS * math.sqrt(usual * (1 - usual) / candidate.interval_requests)
        return _failure_rate(candidate) - usual > max(self._settings.eject_margin, by_chance)

    def _eject(self, candidate: Candidate, among: Collection[Candidate], now: float) -> None:
        if candidate.is_ejected(now):
            return
        ejected = sum(c.is_ejected(now) for c in among)
        allowed = max(int(len(among) * self._settings.eject_share_max), int(len(among) > 1))
        if self._settings.eject_share_max == 0 or ejected >= allowed:
            return
        candidate.ejections += 1
        time = self._settings.eject_time * candidate.ejections
        candidate.ejected_until = now + min(time, self._settings.eject_time_max)


def _failure_rate(candidate: Candidate) -> float:
    return candidate.interval_failures / max(candidate.interval_requests, 1)
