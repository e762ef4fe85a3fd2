"""A node that knows of others never stops probing (SWIM section 3.1).

One round lasts a probe interval, or as many as the local health multiplier
allows; then the next begins. Without it nobody's death would be noticed.
A host that was stopped has that long from when it goes on: what is overdue
then, the end of a round above all, comes first.
"""

from __future__ import annotations

from gossipd.address import Address
from gossipd.swim.member import MemberState
from gossipd.wire.messages import PacketMessage, Ping
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host
from gossipd_sim.truth import Truth

ROUNDS_TO_SPARE = 4
"""Ticks may find nobody while the dead are in the list; clocks may be fast or slow."""


class Probing:
    """Remembers each host's last ping."""

    def __init__(self, complain: Complain, truth: Truth) -> None:
        self._complain = complain
        self._truth = truth
        self._pinged_at: dict[str, float] = {}
        self._told: dict[str, int] = {}

    def on_boot(self, host: Host, now: float) -> None:
        """Begin anew."""
        self._pinged_at[host.name] = now

    def on_messages(
        self, sender: Host, to: Address, messages: tuple[PacketMessage, ...], now: float
    ) -> None:
        """Note a ping."""
        lead = messages[0] if messages else None
        node = sender.node
        if isinstance(lead, Ping) and node is not None and insight.is_probing(node, lead.seq):
            self._pinged_at[sender.name] = now

    def on_step(self, host: Host, now: float) -> None:
        """Complain if the last ping was too long ago, unless there was nobody to ping."""
        node, name = host.node, host.name
        if node is None:
            return
        swim = host.config.swim
        allowed = (swim.awareness_max_multiplier + ROUNDS_TO_SPARE) * swim.probe_interval
        waited = now - max(self._pinged_at[name], self._truth.hindered_at(host))
        if waited > allowed / 4 and _is_alone(host):
            self._pinged_at[name] = now
        elif waited > allowed and self._told.get(name) != host.life:
            self._told[name] = host.life
            self._complain(name, now, f"has pinged nobody for {waited:.1f} s")


def _is_alone(host: Host) -> bool:
    """Return whether the table of ``host`` has nobody that could be probed."""
    others = (MemberState.ALIVE, MemberState.SUSPECT)
    return host.node is None or not any(
        member.state in others and member.name != host.config.name
        for member in insight.table(host.node)
    )
