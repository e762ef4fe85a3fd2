"""Queues are bounded: by the names a node has known, and by the configured depth.

A claim is queued under the name it is about, so there is at most one for
each name ever in the table, and one refutation for each address of its own.
Serf's queues are cut at twice their configured maximum, the catalog's at its own.
Streams end by their time-outs.
"""

from __future__ import annotations

from gossipd.catalog.spreading import QUEUE_MAX
from gossipd.swim.member import Member
from gossipd_sim.checkers import insight
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host

REFUTATIONS = 2
"""One under the configured address, one under the form the cluster knew it by."""
SERF_QUEUES = 3


class Queues:
    """Measures the queues of a host after each step."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self._names: dict[str, dict[str, None]] = {}
        self._told: dict[str, int] = {}

    def on_boot(self, host: Host, now: float) -> None:
        """Begin anew with empty queues."""
        self._names[host.name] = {}

    def on_table(self, host: Host, before: Member | None, after: Member | None, now: float) -> None:
        """Note a name."""
        if before is None and after is not None:
            self._names[host.name][after.name] = None

    def on_step(self, host: Host, now: float) -> None:
        """Compare each queue with its bound."""
        node = host.node
        if node is None or self._told.get(host.name) == host.life:
            return
        config = host.config
        names = len(self._names[host.name])
        deepest = config.serf.max_queue_depth
        if config.serf.min_queue_depth > 0:
            deepest = max(config.serf.min_queue_depth, 2 * names)
        # each peer dials at most once a push/pull interval, we once for each probe
        streams = 2 * config.wire.streams_max + 2 * names
        for what, depth, bound in (
            ("claims", insight.claims_queued(node), names + REFUTATIONS),
            ("payloads", insight.payloads_queued(node), SERF_QUEUES * 2 * deepest),
            ("open streams", insight.streams_open(node), streams),
            ("messages of the catalog", insight.catalog_queued(node), QUEUE_MAX),
        ):
            if depth > bound:
                self._told[host.name] = host.life
                self._complain(host.name, now, f"{depth} {what}, the bound is {bound}")
