"""Incarnations never fall: a table forgets nothing that it knew of a node (SWIM section 4.2).

An entry that was dropped may be learnt again at any incarnation, and so may
one whose name moves to another address: that is another node. The node's own
number lives as long as its process.
"""

from __future__ import annotations

from gossipd.swim.member import Member
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host


class Incarnations:
    """Watches every table entry, and every node's own number."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self._own: dict[str, int] = {}

    def on_boot(self, host: Host, now: float) -> None:
        """Forget the number of the life before."""
        self._own[host.name] = 0

    def on_table(self, host: Host, before: Member | None, after: Member | None, now: float) -> None:
        """Compare an entry with what it was."""
        if before is None or after is None or before.address != after.address:
            return
        if after.incarnation < before.incarnation:
            self._complain(
                host.name,
                now,
                f"{after.name} fell from incarnation {before.incarnation} to {after.incarnation}",
            )

    def on_step(self, host: Host, now: float) -> None:
        """Compare the node's own number with what it was."""
        if host.node is None:
            return
        own, known = insight.incarnation(host.node), self._own.get(host.name, 0)
        if own < known:
            self._complain(host.name, now, f"its own incarnation fell from {known} to {own}")
        self._own[host.name] = own
