"""A node never removes itself: it is a member of its own view for as long as it runs.

Until it is told to leave it is alive there, whatever others say, and afterwards
it is still there, as one that leaves or left.
"""

from __future__ import annotations

from gossipd.node.events import NodeEvent
from gossipd.swim.events import MemberFailed, MemberForgotten, MemberLeft
from gossipd.swim.member import MemberState
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host


class OwnEntry:
    """Looks at a host's entry of itself after each step."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self._told: dict[str, int] = {}

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Look for a host that takes leave of itself unasked."""
        match event:
            case MemberFailed(member=member) | MemberLeft(member=member):
                if (
                    member.name == host.config.name
                    and host.node is not None
                    and not insight.is_leaving(host.node)
                ):
                    self._once(host, "believes itself gone, and was not told to leave", now)
            case MemberForgotten(member=member):
                if member.name == host.config.name:
                    self._once(host, "forgot itself", now)
            case _:
                pass

    def on_step(self, host: Host, now: float) -> None:
        """Look at the entry in the table and at the one in the roster."""
        node = host.node
        if node is None:
            return
        us = host.config.name
        own, shown = insight.entry(node, us), insight.roster(node).get(us)
        if own is None:
            self._once(host, "is not in its own table", now)
        elif shown is None:
            # an operator may have it pruned while it leaves
            if not insight.is_leaving(node):
                self._once(host, "is not in its own view", now)
        elif not insight.is_leaving(node):
            if own.state is not MemberState.ALIVE:
                self._once(host, f"holds itself for {own.state.name.lower()}", now)
            elif shown.status is not MemberStatus.ALIVE:
                self._once(host, f"shows itself as {shown.status.name.lower()}", now)

    def _once(self, host: Host, text: str, now: float) -> None:
        if self._told.get(host.name) != host.life:
            self._told[host.name] = host.life
            self._complain(host.name, now, text)
