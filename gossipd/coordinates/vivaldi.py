"""``Vivaldi``: one node finds its coordinate from round trips to others.

Each sample is a spring between two nodes; ours moves to where the springs are
at rest (Dabek, Cox, Kaashoek, Morris: SIGCOMM 2004, figure 3). As Serf has it
(gossip.md, section 19): a median over the last samples of each peer, an
adjustment for what the space cannot express (Lee, Zhang, Sahu, Saha: INFOCOM
2005), and gravity against drift (Ledlie, Gardner, Seltzer: NSDI 2007).

Peers' numbers are not trusted: what cannot be true is ignored and counted.
"""

from __future__ import annotations

import enum
from random import Random

from gossipd.coordinate import DIMENSIONS, ERROR_START, HEIGHT_MIN, Coordinate
from gossipd.coordinates.space import (
    ZERO,
    adjusted,
    between,
    distance,
    is_finite,
    lifted,
    moved,
    norm,
    pushed,
)
from gossipd.value import Value

RTT_MAX = 10.0
"""Seconds; a longer round trip is no measurement."""


class VivaldiSettings(Value, kw_only=True):
    """Constants of the algorithm; the defaults are those of all peers.

    They decide what coordinates mean, so all members of a cluster share them and
    no operator sets them.
    """

    dimensions: int = DIMENSIONS
    error_max: float = ERROR_START
    error_gain: float = 0.25
    """Ce: how much of a sample's error enters the running one."""
    position_gain: float = 0.25
    """Cc: which part of the way towards rest one sample moves us."""
    adjustment_window: int = 20
    """Samples that the adjustment is averaged over; 0 turns it off."""
    height_min: float = HEIGHT_MIN
    latency_samples: int = 3
    """Samples of one peer whose median counts."""
    gravity_rho: float = 150.0
    """Seconds from the origin at which gravity pulls by one second; infinite is none."""
    distance_max: float = 3 * RTT_MAX
    """Seconds; who claims to be further away lies. Infinite believes all, as Serf does.

    Round trips are of at most 10 s, so whoever tells the truth is about as near, and a
    cluster that drifts as a whole is held by gravity. One member among 25 that claims
    to be 1,000 s away makes all estimates wrong by a factor of 300, at 29 s by 2.
    """


class Verdict(enum.Enum):
    """What became of a sample."""

    ADOPTED = "adopted"
    RESET = "reset"
    """Our own numbers overflowed: we are back at the start."""
    BAD_DIMENSIONS = "bad-dimensions"
    NOT_FINITE = "not-finite"
    ABSURD = "absurd"
    """Further away than anybody can be, or an error or height below 0."""
    BAD_RTT = "bad-rtt"
    """Negative, longer than 10 s, or no number."""

    @property
    def is_rejection(self) -> bool:
        """Whether nothing changed."""
        return self not in (Verdict.ADOPTED, Verdict.RESET)


class Vivaldi:
    """Our coordinate and the samples it comes from.

    Args:
        random: gives a direction when two nodes are in the same place.
        start: where to begin; by default at the origin.
    """

    def __init__(
        self,
        random: Random,
        settings: VivaldiSettings | None = None,
        start: Coordinate | None = None,
    ) -> None:
        self._random = random
        self._settings = settings or VivaldiSettings()
        self._origin = Coordinate(
            vec=(0.0,) * self._settings.dimensions,
            error=self._settings.error_max,
            height=self._settings.height_min,
        )
        self.coordinate = start or self._origin
        """Where we are now."""
        self.resets = 0
        """How often our numbers overflowed."""
        self.rejected = 0
        """Samples ignored because they cannot be true."""
        self._latencies: dict[str, list[float]] = {}
        self._offsets = [0.0] * self._settings.adjustment_window
        self._next_offset = 0

    def update(self, node: str, other: Coordinate, rtt: float) -> Verdict:
        """Take one sample into account.

        Args:
            node: the peer's name; each has its own latency filter.
            other: where it says it is.
            rtt: seconds that the round trip took, within 0..10.

        Returns:
            Whether our coordinate follows, or why the sample was ignored.
        """
        verdict = self._judge(other, rtt)
        if verdict is not Verdict.ADOPTED:
            return self._reject(verdict)
        own, settings = self.coordinate, self._settings
        # sums in the order of the reference: every host gets the same last digit
        way = between(own.vec, other.vec)
        flat = norm(way)
        raw = flat + own.height + other.height
        if raw > settings.distance_max:
            self._come_back()
            return self._reject(Verdict.ABSURD)
        latency = self._median_latency(node, rtt)
        # the spring between the peer and us
        apart, wanted = adjusted(raw, own.adjustment, other.adjustment), max(latency, ZERO)
        weight = own.error / max(own.error + other.error, ZERO)
        gain = settings.error_gain * weight
        error = gain * (abs(apart - wanted) / wanted) + own.error * (1.0 - gain)
        force = settings.position_gain * weight * (wanted - apart)
        vec = moved(own.vec, force, way, flat, self._random)
        heights = own.height + other.height
        height = lifted(own.height, force, heights, flat, settings.height_min)
        # what the space cannot express
        adjustment = own.adjustment
        if settings.adjustment_window:
            now_apart = norm(between(vec, other.vec)) + height + other.height
            adjustment = self._adjustment(latency - now_apart)
        # gravity: the way from the origin to us is where we are
        flat, low = norm(vec), self._origin.height
        share = adjusted(flat + low + height, 0.0, adjustment) / settings.gravity_rho
        force = -(share * share)
        found = Coordinate(
            vec=moved(vec, force, vec, flat, self._random),
            error=min(error, settings.error_max),
            adjustment=adjustment,
            height=lifted(height, force, height + low, flat, settings.height_min),
        )
        if not is_finite(found):
            self.resets += 1
            self.coordinate = self._origin
            return Verdict.RESET
        self.coordinate = found
        return Verdict.ADOPTED

    def forget(self, node: str) -> None:
        """Drop the samples of a peer that is gone; harmless if there are none."""
        self._latencies.pop(node, None)

    def _reject(self, verdict: Verdict) -> Verdict:
        self.rejected += 1
        return verdict

    def _come_back(self) -> None:
        """Let gravity alone pull if it may be us who was led astray; else nothing changes."""
        settings, apart = self._settings, distance(self._origin, self.coordinate)
        if apart > settings.distance_max / 2:
            share = apart / settings.gravity_rho
            self.coordinate = pushed(
                self.coordinate, -(share * share), self._origin, settings.height_min, self._random
            )

    def _judge(self, other: Coordinate, rtt: float) -> Verdict:
        """Judge all but the distance, which has no meaning if the dimensions differ."""
        if len(other.vec) != self._settings.dimensions:
            return Verdict.BAD_DIMENSIONS
        if not is_finite(other):
            return Verdict.NOT_FINITE
        if not 0 <= rtt <= RTT_MAX:
            return Verdict.BAD_RTT
        if other.error < 0 or other.height < 0:
            return Verdict.ABSURD
        if abs(other.adjustment) > self._settings.distance_max:
            return Verdict.ABSURD
        return Verdict.ADOPTED

    def _median_latency(self, node: str, rtt: float) -> float:
        """Return the median of the last samples of ``node``; of two, the larger."""
        samples = self._latencies.setdefault(node, [])
        samples.append(rtt)
        if len(samples) > self._settings.latency_samples:
            del samples[0]
        return sorted(samples)[len(samples) // 2]

    def _adjustment(self, offset: float) -> float:
        """Return half the mean of the last offsets, of which ``offset`` is the newest."""
        window = self._settings.adjustment_window
        self._offsets[self._next_offset] = offset
        self._next_offset = (self._next_offset + 1) % window
        total = 0.0
        for past in self._offsets:
            total += past
        return total / (2.0 * window)
