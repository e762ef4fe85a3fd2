"""A refutation raises the incarnation: otherwise nobody believes it (gossip.md, 8.4)."""

from __future__ import annotations

from gossipd.node.events import NodeEvent
from gossipd.swim.events import AccusationRefuted
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host


class Refutations:
    """Remembers what each host said of itself before."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self._said: dict[str, int] = {}

    def on_boot(self, host: Host, now: float) -> None:
        """Begin anew: a new life counts from 1."""
        self._said[host.name] = 0

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Compare a refutation with everything said before."""
        if not isinstance(event, AccusationRefuted):
            return
        said = self._said.get(host.name, 0)
        if event.incarnation <= said:
            self._complain(
                host.name,
                now,
                f"answered {event.kind} by {event.accuser or 'somebody'} with incarnation"
                f" {event.incarnation}, and had said {said} before",
            )
        self._said[host.name] = max(said, event.incarnation)

    def on_step(self, host: Host, now: float) -> None:
        """Note what the host says of itself now."""
        if host.node is not None:
            said = self._said.get(host.name, 0)
            self._said[host.name] = max(said, insight.incarnation(host.node))
