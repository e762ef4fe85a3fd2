"""``PingLog``: who pings whom when, in a colony that has nothing else to say."""

from __future__ import annotations

from bisect import bisect_left

from gossipd.config.model import SwimConfig
from gossipd.wire.messages import PacketMessage, Ping
from gossipd_sim.papers.colony import Cell, Colony
from gossipd_sim.world import World


class PingLog:
    """When each member of a colony was pinged, and by whom each was."""

    def __init__(self, colony: Colony) -> None:
        self._world = colony.world
        self.at: list[list[float]] = [[] for _ in colony.cells]
        """By member: the moments of pings to it, in order."""
        self.targets: list[list[int]] = [[] for _ in colony.cells]
        """By member: whom it pinged, in order."""
        colony.on_send = self._on_send

    def _on_send(self, cell: Cell, target: Cell, lead: PacketMessage | None) -> None:
        if type(lead) is Ping:
            self.at[target.index].append(self._world.now)
            self.targets[cell.index].append(target.index)

    def wait(self, member: int, since: float) -> float:
        """Return how long after ``since`` the next ping to ``member`` came (periods).

        Raises:
            IndexError: none came until the end.
        """
        moments = self.at[member]
        return moments[bisect_left(moments, since)] - since


def silent_colony(seed: int, config: SwimConfig, n: int, *, is_firm: bool = False) -> Colony:
    """Return a colony of ``n`` who know each other and pass on no news; see ``Colony``."""
    colony = Colony(World(seed), config, n, rides=False, is_firm=is_firm)
    colony.acquaint()
    return colony
