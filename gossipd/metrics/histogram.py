"""Tallies that also count by size, with fixed bounds: what becomes histograms.

A tally of the ledger knows count, sum and its latest values. From the moment on at
which somebody wants histograms (the HTTP face), the tallies below count into buckets,
too; daemons without it do not load this. Bounds are the same for ever, so that those
of several daemons can be added up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from gossipd.ledger import Ledger, Tally

QUICK = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Seconds: work of ours, and answers that nothing is waited for."""
NETWORK = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Seconds: round trips. Direct acks do not come later than a probe's time-out."""
PATIENT = (0.01, 0.1, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds: what waits for a change."""

RTT = "gossipd.probe.rtt"
"""Measured in milliseconds by ``witness.py``: round trips of direct acks."""
MILLISECONDS, SECONDS = 0.001, 1.0

BUCKETED: Mapping[str, tuple[str, float, Sequence[float]]] = {
    RTT: ("gossipd_probe_rtt_seconds", MILLISECONDS, NETWORK),
    "gossipd.step": ("gossipd_step_seconds", MILLISECONDS, QUICK),
    "gossipd.step.late": ("gossipd_loop_lag_seconds", MILLISECONDS, QUICK),
    "gossipd.rpc.request": ("gossipd_rpc_request_seconds", MILLISECONDS, QUICK),
    "gossipd.http.seconds": ("gossipd_http_request_seconds", SECONDS, QUICK),
    "gossipd.http.waited.seconds": ("gossipd_http_waited_seconds", SECONDS, PATIENT),
    "gossipd.dns.latency": ("gossipd_dns_reply_seconds", MILLISECONDS, QUICK),
}
"""By name in the ledger: the metric, the factor to its seconds, its bounds."""


class BucketTally(Tally):
    """A tally that counts its values into buckets from now on.

    Args:
        before: what was tallied until now, which goes on but is in no bucket.
        scale: factor from the ledger's unit to that of ``bounds``.
        bounds: largest values of the buckets, growing; above them is one more.
    """

    __slots__ = ("_edges", "bounds", "counts", "scale", "summed")

    def __init__(self, before: Tally | None, scale: float, bounds: Sequence[float]) -> None:
        super().__init__()
        if before is not None:
            self.count, self.total = before.count, before.total
            self._ring = before._ring
        self.scale = scale
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.summed = 0.0
        """Sum of what is in buckets, in the ledger's unit."""
        self._edges = tuple(bound / scale for bound in bounds)

    def add(self, value: float) -> None:
        """Take one value; its unit is the quantity's."""
        Tally.add(self, value)
        self.counts[bisect_left(self._edges, value)] += 1
        self.summed += value

    def cumulated(self) -> list[tuple[float, int]]:
        """Return the bounds and how many values were not above each, infinity last."""
        found, so_far = [], 0
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            so_far += count
            found.append((bound, so_far))
        return found


def begin_buckets(ledger: Ledger) -> None:
    """Let the ledger's tallies of ``BUCKETED`` count into buckets from now on."""
    for name, (_, scale, bounds) in BUCKETED.items():
        before = ledger.tallies.get(name)
        if not isinstance(before, BucketTally):
            ledger.tallies[name] = BucketTally(before, scale, bounds)
