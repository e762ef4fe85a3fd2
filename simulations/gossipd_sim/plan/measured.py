"""``Measured``: what settings are worth, over all rehearsals of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, log

from gossipd.value import Value
from gossipd_sim.numbers import mean, quantile
from gossipd_sim.plan.forecast import LATE
from gossipd_sim.plan.rehearsal import Rehearsed
from gossipd_sim.plan.wish import Wish

SURE = 0.95
"""How sure the bounds are that are given for what was never seen."""


class Measured(Value):
    """All rehearsals of one candidate together."""

    runs: tuple[Rehearsed, ...]

    @property
    def detections(self) -> list[float]:
        """Seconds from each crash until everybody knew, infinite where somebody did not."""
        return [seconds for run in self.runs for seconds in run.detections]

    def detection(self, share: float) -> float:
        """Return the seconds within which ``share`` of crashes were known to everybody."""
        return quantile(self.detections, share)

    @property
    def p99(self) -> float:
        """Seconds within which 99 of 100 crashes were known to everybody."""
        return self.detection(LATE)

    @property
    def pauses(self) -> int:
        """How often a member paused."""
        return sum(run.pauses for run in self.runs)

    @property
    def pauses_failed(self) -> int:
        """How often somebody declared a paused member failed."""
        return sum(run.pauses_failed for run in self.runs)

    @property
    def others_failed(self) -> int:
        """How often a member was declared failed that had not paused."""
        return sum(run.others_failed for run in self.runs)

    @property
    def member_hours(self) -> float:
        """How many members were there, times how many hours."""
        return sum(run.member_hours for run in self.runs)

    @property
    def packets(self) -> float:
        """Datagrams that a member sends in a second."""
        return mean([run.packets for run in self.runs])

    @property
    def pause_rate(self) -> float:
        """The share of pauses that ended in a false positive."""
        return self.pauses_failed / self.pauses if self.pauses else 0.0

    @property
    def hourly_rate(self) -> float:
        """False positives about members that had not paused, for each hour of a member."""
        return self.others_failed / self.member_hours if self.member_hours else 0.0

    def keeps_quiet(self, wish: Wish) -> bool:
        """Say whether there are no more false positives than wished."""
        return max(self.pause_rate, self.hourly_rate) <= wish.false_positives

    def is_in_time(self, wish: Wish) -> bool:
        """Say whether crashes are known everywhere as soon as wished."""
        return self.p99 <= wish.detect

    def meets(self, wish: Wish) -> bool:
        """Say whether all of ``wish`` is met."""
        return self.keeps_quiet(wish) and self.is_in_time(wish)


def pooled(runs: Sequence[Rehearsed]) -> Measured:
    """Return the rehearsals of one candidate together."""
    return Measured(tuple(runs))


def rate_below(trials: float) -> float:
    """Return the rate that is below with 95 % certainty when ``trials`` showed none."""
    return min(1.0, -log(1.0 - SURE) / trials) if trials else 1.0


def seconds_or_none(seconds: float) -> float | None:
    """Return ``seconds`` for JSON, which knows no infinity."""
    return round(seconds, 4) if isfinite(seconds) else None
