"""What outlives a connection to the daemon: when it tries again, and what balancers look up."""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from random import Random

    from gossipd.balance.balancer import Balancer
    from gossipd.query.replies import CoordinateReply

RETRY_FIRST, RETRY_MAX = 0.1, 2.0
"""Seconds between tries to reach a daemon that is away."""
DISTANCES_KEPT = 60.0
"""How long coordinates are believed; they move slowly."""
UNKNOWN_KEPT = 5.0
"""How long it is believed that nobody knows them; a daemon learns them in its first minute."""
WAIT_SECONDS = 10.0
"""How long the start waits for the first set."""


def retry_after(tries: int, random: Random) -> float:
    """Return how many seconds to wait after so many tries in vain, half to one and a half times.

    Not the same for all programs of a host: a daemon that starts has enough to do.
    """
    pause: float = min(RETRY_FIRST * 2 ** min(tries, 10), RETRY_MAX)
    return pause * (0.5 + random.random())


class Distances:
    """Which owners' coordinates to ask for, and the round trips that follow from them."""

    __slots__ = ("_asked_at", "_known")

    def __init__(self) -> None:
        self._known: dict[str, float] = {}
        self._asked_at: dict[str, float] = {}

    def wanted(self, balancer: Balancer, now: float) -> list[str]:
        """Return the owners whose distance is to be looked up now."""
        owners = dict.fromkeys(instance.owner for instance in balancer.instances)
        wanted = []
        for owner in owners:
            if self._due_at(owner) <= now:
                self._asked_at[owner] = now
                wanted.append(owner)
        for gone in [owner for owner in self._asked_at if owner not in owners]:
            del self._asked_at[gone]
            self._known.pop(gone, None)
        return wanted

    def due_in(self, now: float) -> float:
        """Return the seconds until it is to be looked whether distances are to be looked up."""
        due_at = min(map(self._due_at, self._asked_at), default=now)
        # not longer: owners may come while somebody waits for that, and be unknown
        return min(max(due_at - now, UNKNOWN_KEPT / 10), UNKNOWN_KEPT)

    def _due_at(self, owner: str) -> float:
        asked_at = self._asked_at.get(owner)
        if asked_at is None:
            return -math.inf
        return asked_at + (DISTANCES_KEPT if owner in self._known else UNKNOWN_KEPT)

    def learn(
        self, owner: str, here: CoordinateReply | None, there: CoordinateReply | None
    ) -> None:
        """Take in the coordinates of this node and of ``owner``."""
        if here is not None and there is not None:
            self._known[owner] = here.rtt(there)

    @property
    def known(self) -> dict[str, float]:
        """Round trips in seconds by owner."""
        return dict(self._known)
