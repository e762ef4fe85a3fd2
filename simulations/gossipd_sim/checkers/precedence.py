"""Dead is never overridden by an equal or lower alive (SWIM section 4.2).

Only the node itself can undo an accusation, by raising its incarnation; a
table that lets it rise from suspect, dead or left without that makes the
cluster disagree for ever. A name that moves to another address is free of
its past.
"""

from __future__ import annotations

from gossipd.swim.member import Member, MemberState
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host


class Precedence:
    """Watches who becomes alive again, and at which incarnation."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain

    def on_table(self, host: Host, before: Member | None, after: Member | None, now: float) -> None:
        """Look at an entry that became alive."""
        if before is None or after is None or before.address != after.address:
            return
        rose = after.state is MemberState.ALIVE and before.state is not MemberState.ALIVE
        if rose and after.incarnation <= before.incarnation:
            self._complain(
                host.name,
                now,
                f"{after.name} rose from {before.state.name.lower()} at incarnation"
                f" {before.incarnation} to alive at {after.incarnation}",
            )
        gone = (MemberState.DEAD, MemberState.LEFT)
        if (
            before.state in gone
            and after.state is MemberState.SUSPECT
            and after.incarnation <= before.incarnation
        ):
            self._complain(
                host.name,
                now,
                f"{after.name} was {before.state.name.lower()} and became a suspect"
                f" at incarnation {after.incarnation}",
            )
