"""The names of the policies, and how each is made; loaded when it is asked for."""

from __future__ import annotations

from gossipd.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.balance.draw import Policy
    from gossipd.balance.settings import BalanceSettings

ROUND_ROBIN, RANDOM, WEIGHTED = "round-robin", "random", "weighted"
LEAST, P2C, NEAREST, ZONE, HASH = "least", "p2c", "nearest", "zone", "hash"
POLICIES = (ROUND_ROBIN, RANDOM, WEIGHTED, LEAST, P2C, NEAREST, ZONE, HASH)


def make_policy(name: str, settings: BalanceSettings, zone: str = "") -> Policy:
    """Return a new policy of that name.

    Raises:
        UsageError: there is none.
    """
    if name in (ROUND_ROBIN, RANDOM, WEIGHTED):
        from gossipd.balance import rotation

        if name == ROUND_ROBIN:
            return rotation.RoundRobin()
        return rotation.WeightedRandom() if name == RANDOM else rotation.SmoothWeighted()
    if name in (LEAST, P2C):
        from gossipd.balance import load

        return load.LeastOutstanding() if name == LEAST else load.TwoChoices()
    if name in (NEAREST, ZONE):
        from gossipd.balance import locality

        if name == NEAREST:
            return locality.Nearest(settings)
        return locality.ZoneFirst(zone, settings)
    if name == HASH:
        from gossipd.balance.rendezvous import Rendezvous

        return Rendezvous()
    raise UsageError(f"policy: {name!r} is none; there are {', '.join(POLICIES)}")
