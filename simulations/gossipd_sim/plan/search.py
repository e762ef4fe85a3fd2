"""``Search``: which settings to rehearse next, until some meet the wish or none can.

Formulas order the candidates; a few are screened with two seeds each, and the
cheapest that holds is rehearsed with all seeds. Where that fails the next one
is, then more are screened: at last those that bear the pause and miss the time
by least, one of which is the nearest answer to a wish that cannot be met.

It runs nothing itself: whoever drives it runs the ``Stage`` on as many cores as
there are and hands in what came of it. The seeds are fixed, so the same wish
gives the same plan.
"""

from __future__ import annotations

from collections.abc import Sequence

from gossipd.value import Value
from gossipd_sim.plan.forecast import Forecast, forecast
from gossipd_sim.plan.measured import Measured, pooled
from gossipd_sim.plan.rehearsal import Rehearsal, Rehearsed
from gossipd_sim.plan.settings import PROFILE_NAMES, Settings, candidates
from gossipd_sim.plan.wish import Wish

COMFORT = 0.1
"""Room that a candidate is to have by the formulas, to be tried for its low cost."""
BATCH = 2
"""Candidates screened at once."""
SCREENINGS = 2
"""Seeds of a screening."""
PROMISING_MAX, CALM_MAX = 6, 4
"""Candidates tried for the whole wish, and then for bearing its pause."""
HOPE = -0.35
"""Room below which formulas are believed without a rehearsal."""
CALM = 1.1
"""Times the pause that those are to bear by the formulas."""


class Candidate(Value):
    """Settings, and what formulas expect of them."""

    settings: Settings
    forecast: Forecast


class Stage(Value):
    """Rehearsals to do now; ``label`` says what for."""

    label: str
    tasks: tuple[Rehearsal, ...]


class Search:
    """Looks for settings that meet ``wish``.

    Args:
        seeds: how many rehearsals a recommendation stands on, at least as many as a screening.
        root: the first seed.
    """

    def __init__(self, wish: Wish, seeds: int, root: int = 0) -> None:
        self.wish = wish
        self._seeds = tuple(range(root, root + max(seeds, SCREENINGS)))
        self.ranking = shortlist(wish)
        """Those that are tried, in this order."""
        self._screened = 0
        self._runs: dict[Settings, dict[int, Rehearsed]] = {}

    def next_stage(self) -> Stage | None:
        """Return what to rehearse next; ``None`` when there is nothing more to find out."""
        promising = self._promising()
        if promising is not None:
            missing = self._missing(promising, self._seeds)
            return Stage("measuring", missing) if missing else None
        batch = self._next_batch()
        if batch:
            first = self._screened + 1
            self._screened += len(batch)
            label = f"screening {first} to {self._screened}"
            seeds = self._seeds[:SCREENINGS]
            return Stage(label, tuple(task for one in batch for task in self._missing(one, seeds)))
        nearest = self.nearest()
        missing = () if nearest is None else self._missing(nearest, self._seeds)
        return Stage("measuring the nearest", missing) if missing else None

    def take(self, task: Rehearsal, result: Rehearsed) -> None:
        """Take note of what came of a rehearsal."""
        self._runs.setdefault(task.settings, {})[task.seed] = result

    def measured(self, candidate: Candidate) -> Measured | None:
        """Return what is known of a candidate, ``None`` if it was never rehearsed."""
        runs = self._runs.get(candidate.settings)
        return None if not runs else pooled([runs[seed] for seed in sorted(runs)])

    def is_complete(self, candidate: Candidate) -> bool:
        """Say whether a candidate was rehearsed with all seeds."""
        return not self._missing(candidate, self._seeds)

    @property
    def rehearsed(self) -> list[Candidate]:
        """The candidates that were rehearsed, as they were tried."""
        return [one for one in self.ranking if one.settings in self._runs]

    @property
    def rehearsals(self) -> int:
        """How many rehearsals were done."""
        return sum(map(len, self._runs.values()))

    def recommended(self) -> Candidate | None:
        """Return the first candidate that met the wish with all seeds."""
        return next(
            (one for one in self.rehearsed if self.is_complete(one) and self._meets(one)),
            None,
        )

    def nearest(self) -> Candidate | None:
        """Return who came nearest: no more false positives than wished, and soonest.

        If all have too many, the one with the fewest.
        """

        def distance(one: Candidate) -> tuple[float, float]:
            measured = self.measured(one)
            assert measured is not None
            if measured.keeps_quiet(self.wish):
                return 0.0, measured.p99
            return max(measured.pause_rate, measured.hourly_rate), measured.p99

        return min(self.rehearsed, key=distance, default=None)

    def _promising(self) -> Candidate | None:
        """Return the first candidate that has met the wish in all that was rehearsed of it."""
        return next((one for one in self.rehearsed if self._meets(one)), None)

    def _meets(self, one: Candidate) -> bool:
        measured = self.measured(one)
        return measured is not None and measured.meets(self.wish)

    def _next_batch(self) -> Sequence[Candidate]:
        return self.ranking[self._screened : self._screened + BATCH]

    def _missing(self, one: Candidate, seeds: Sequence[int]) -> tuple[Rehearsal, ...]:
        done = self._runs.get(one.settings, {})
        return tuple(Rehearsal(self.wish, one.settings, seed) for seed in seeds if seed not in done)


def shortlist(wish: Wish) -> list[Candidate]:
    """Return the candidates that are worth a rehearsal, in the order to try them."""
    known = considered(wish)
    promising = [one for one in ranked(known) if one.forecast.margin >= HOPE][:PROMISING_MAX]
    calm = [one for one in calmest(known, wish) if one not in promising][:CALM_MAX]
    return promising + calm


def considered(wish: Wish) -> list[Candidate]:
    """Return all candidates with what formulas expect of them."""
    return [Candidate(settings, forecast(settings, wish)) for settings in candidates(wish)]


def calmest(known: Sequence[Candidate], wish: Wish) -> list[Candidate]:
    """Return those that bear the pause, the soonest to detect first, one for each interval."""
    best: dict[tuple[str, float], Candidate] = {}
    for one in known:
        key = (one.settings.profile, one.settings.probe_interval)
        if one.forecast.pause >= CALM * wish.pause and (
            key not in best or one.forecast.p99 < best[key].forecast.p99
        ):
            best[key] = one
    return sorted(best.values(), key=lambda one: one.forecast.p99)


def ranked(known: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates worth a rehearsal, the best bets first.

    Of all that probe and gossip as often with the same profile the one with the most room.
    First come those with room to spare: profiles as they are, then the cheapest.
    Then the others, by how little room they lack.
    """
    best: dict[tuple[str, float, float, bool], Candidate] = {}
    for one in known:
        settings = one.settings
        key = (
            settings.profile,
            settings.probe_interval,
            settings.gossip_interval,
            settings.is_a_profile,
        )
        if key not in best or one.forecast.margin > best[key].forecast.margin:
            best[key] = one
    return sorted(best.values(), key=_order)


def _order(one: Candidate) -> tuple[float, ...]:
    settings, margin = one.settings, one.forecast.margin
    profile = PROFILE_NAMES.index(settings.profile)
    if margin < COMFORT:
        return (2, -margin, profile)
    if settings.is_a_profile:
        return (0, profile)
    return (1, settings.probes_a_second, profile, -settings.gossip_interval)
