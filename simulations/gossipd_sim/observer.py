"""What watches a run: the ``Observer`` protocol, and what it finds.

Observers see the real state of all hosts, which no node can; they change
nothing. Checkers, the oracle and the measures are observers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gossipd.address import Address
from gossipd.node.events import NodeEvent
from gossipd.value import Value
from gossipd_sim.network import Datagram

if TYPE_CHECKING:
    from gossipd_sim.cluster import Cluster
    from gossipd_sim.host import Host


class Violation(Value):
    """A rule that did not hold: which checker saw it, at which host, when (seconds)."""

    checker: str
    host: str
    now: float
    text: str


class Observer(Protocol):
    """Told what happens, at once and in order; ``now`` is virtual seconds."""

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """The node of ``host`` told ``event``."""

    def on_packet(self, sender: Host, to: Address, data: Datagram, now: float) -> None:
        """The node of ``sender`` sent a datagram; what becomes of it is not known yet."""

    def on_step(self, host: Host, now: float) -> None:
        """One call of the node of ``host`` is over and its effects are carried out."""

    def on_fault(self, text: str, now: float) -> None:
        """A fault was applied, or ended."""

    def at_end(self, cluster: Cluster, now: float) -> None:
        """The run is over; the hosts are as it left them."""


class Watcher:
    """An ``Observer`` that ignores everything; override what is of interest."""

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        """Ignore the event."""

    def on_packet(self, sender: Host, to: Address, data: Datagram, now: float) -> None:
        """Ignore the datagram."""

    def on_step(self, host: Host, now: float) -> None:
        """Ignore the step."""

    def on_fault(self, text: str, now: float) -> None:
        """Ignore the fault."""

    def at_end(self, cluster: Cluster, now: float) -> None:
        """Ignore the end."""
