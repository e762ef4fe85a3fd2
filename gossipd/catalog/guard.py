"""The mass-loss guard of one service: so much lost at once may be this node's own fault.

The minority side of a split sees most of a service fail within seconds. To
answer "nobody" then would be certain harm for a likely error, so what was lost
is kept, as it was last known, and marked doubtful (as Eureka's
self-preservation, but for each service, and honest).

Only what passed and whose owner then *failed* is ever kept. What an owner
itself said (critical, in maintenance, deregistered, left) is certain and shown.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.config.model import CatalogConfig

Key = tuple[str, str]
"""Owner and service id of an instance."""
OWNERS_MIN = 2
"""Of so many nodes at least are the lost, unless fewer instances are asked for: one node with
all there is of a service more likely died than we were cut off."""
RELEASE_SHARE = 0.5
"""The guard lets go when the lost are no more than this part of what made it hold, so that
it does not come and go while owners return one by one."""


class Guard:
    """What one service lost lately, and whether that is too much to be believed."""

    __slots__ = ("holds", "lost")

    def __init__(self) -> None:
        self.holds = False
        self.lost: dict[Key, float] = {}
        """Since when, oldest first: within the window, or all of it while the guard holds."""

    def lose(self, key: Key, now: float) -> None:
        """An instance that passed is on a node that failed at ``now``."""
        self.lost.setdefault(key, now)

    def settle(self, key: Key) -> None:
        """What became of the instance is certain: its owner is back, or it is gone or critical."""
        self.lost.pop(key, None)

    def keeps(self, key: Key) -> bool:
        """Return whether the instance is shown as it was last known."""
        return self.holds and key in self.lost

    def judge(self, sound: int, config: CatalogConfig, now: float) -> tuple[Key, ...]:
        """Decide anew, and return the instances to be looked at again if that changed.

        Args:
            sound: instances of the service that pass, on nodes that are not failed.
            config: of it, ``guard_share``, ``guard_minimum`` and ``guard_window``.
            now: seconds, monotonic.
        """
        if not self.holds:
            self._forget_before(now - config.guard_window)
        lost = len(self.lost)
        bound = config.guard_share * (sound + lost)
        if not self.holds:
            if lost < config.guard_minimum or lost <= bound:
                return ()
            if len({owner for owner, _ in self.lost}) < min(OWNERS_MIN, config.guard_minimum):
                return ()
            self.holds = True
            return tuple(self.lost)
        if lost > bound * RELEASE_SHARE and config.guard_share < 1:
            return ()
        self.holds = False
        released = tuple(self.lost)
        self.lost.clear()
        return released

    def _forget_before(self, moment: float) -> None:
        old = []
        for key, lost_at in self.lost.items():
            if lost_at >= moment:
                break
            old.append(key)
        for key in old:
            del self.lost[key]
