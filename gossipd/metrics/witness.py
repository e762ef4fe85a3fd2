"""What is counted of a node's events for ``/metrics`` and nothing else wants to know."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from gossipd.ledger import Ledger
from gossipd.metrics.agreement import Agreement
from gossipd.metrics.histogram import RTT, begin_buckets
from gossipd.swim.events import AckObserved

if TYPE_CHECKING:
    from gossipd.node.events import NodeEvent
    from gossipd.node.handle import NodeHandle

SERVICE_CHANGES = "gossipd.service.changes"
"""Counted: changes of services that consumers were shown."""


def begin_to_witness(
    handle: NodeHandle, ledger: Ledger, wall: Callable[[], float] = time.time
) -> Callable[[], None]:
    """Count and measure into ``ledger`` from now on; returns what ends that.

    Args:
        handle: the node.
        ledger: of the agent.
        wall: calendar time, seconds since 1970.
    """
    begin_buckets(ledger)
    agreement = Agreement(ledger, handle.view().name, wall)

    def take(event: NodeEvent, now: float) -> None:
        if type(event) is AckObserved:
            ledger.measure(RTT, 1000 * event.rtt)
        elif type(event).__name__ == "ServiceChanged":  # no catalog is loaded for this
            ledger.count(SERVICE_CHANGES)
        else:
            agreement.take(event, now)

    return handle.observe(take)
