"""Policies that look at where instances are: nearest by round trip, own zone first.

Both choose a part of the pool, in which power of two choices decides.
"""

from __future__ import annotations

from gossipd.balance.load import TwoChoices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.balance.candidate import Candidate
    from gossipd.balance.draw import Draw
    from gossipd.balance.settings import BalanceSettings


class Nearest:
    """Those about as near as the nearest share the requests.

    Instances whose distance is not known come last; when none is known, all share.
    """

    __slots__ = ("_inner", "_settings")

    def __init__(self, settings: BalanceSettings) -> None:
        self._settings = settings
        self._inner = TwoChoices()

    def choose(self, draw: Draw) -> Candidate:
        """Return one of the nearest band."""
        known = [c.distance for c in draw.pool if c.distance is not None]
        if not known:
            return self._inner.choose(draw)
        shortest = min(known)
        settings = self._settings
        limit = max(shortest * settings.band_factor, shortest + settings.band_least)
        band = [c for c in draw.pool if c.distance is not None and c.distance <= limit]
        return self._inner.choose(draw.among(band))


class ZoneFirst:
    """The own zone's instances, and others for what these cannot carry.

    The own zone gets the share of requests that its healthy capacity is of its
    whole one, with some to spare; the rest goes to all other zones.

    Args:
        zone: the own one; empty is none, and all instances share.
    """

    __slots__ = ("_inner", "_settings", "_zone")

    def __init__(self, zone: str, settings: BalanceSettings) -> None:
        self._zone = zone
        self._settings = settings
        self._inner = TwoChoices()

    def choose(self, draw: Draw) -> Candidate:
        """Return one of the own zone, or of the others for the share that spills over."""
        near = [c for c in draw.pool if c.instance.zone == self._zone] if self._zone else []
        if not near or len(near) == len(draw.pool):
            return self._inner.choose(draw)
        if draw.random.random() < self.local_share(draw):
            return self._inner.choose(draw.among(near))
        far = [c for c in draw.pool if c.instance.zone != self._zone]
        return self._inner.choose(draw.among(far))

    def local_share(self, draw: Draw) -> float:
        """Return which part of the requests the own zone keeps."""
        here = [c.instance for c in draw.everyone if c.instance.zone == self._zone]
        whole = sum(max(i.weight, i.service.weight) for i in here)
        able = sum(c.instance.weight for c in draw.pool if c.instance.zone == self._zone)
        return min(1.0, self._settings.zone_spare * able / whole) if whole else 0.0
