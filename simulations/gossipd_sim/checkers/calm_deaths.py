"""Nobody healthy is declared dead in a calm cluster.

Under loss and in the minutes after a fault a false death can happen and is
measured, not complained of. When nothing has happened for longer than any
suspicion lasts there is no excuse but one: a name that moved may be held for its
former address (``moves.py``). Whoever says that nobody answers there is right, and
may find it out late. The checker ``rest`` tells if it is held so for too long.
"""

from __future__ import annotations

from gossipd.node.events import NodeEvent
from gossipd.swim.events import MemberFailed, MemberSuspected
from gossipd.swim.scaling import suspicion_bounds
from gossipd_sim.checkers import insight, moves
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host
from gossipd_sim.truth import Truth

AFTERMATH = 30.0
"""Seconds after a suspicion's longest time in which an old fault may still have effects."""


class CalmDeaths:
    """Asks the oracle about everyone who is declared dead, or suspected."""

    def __init__(self, complain: Complain, truth: Truth) -> None:
        self._complain = complain
        self._truth = truth

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Ask whether the member of an event is well."""
        if not isinstance(event, MemberFailed | MemberSuspected) or host.node is None:
            return
        swim = host.config.swim
        size = insight.table_size(host.node)
        _, _, longest = suspicion_bounds(swim, size)
        truth, seconds = self._truth, longest + AFTERMATH
        if not truth.is_calm(now, seconds):
            return
        member, machines = event.member, truth.named(event.member.name)
        if len(machines) != 1 or moves.may_be_sought_at(truth, machines[0], member.address):
            return
        if truth.is_healthy(machines[0], now, seconds):
            what = "declared dead" if isinstance(event, MemberFailed) else "suspected"
            by = event.accuser or "somebody"
            self._complain(host.name, now, f"{member.name} is well and was {what} by word of {by}")
