"""``Interval``: what happened between two readings, under the names of dashboards (pure).

Counters are differences, samples the values that came between, gauges what
was so at the end. What did not happen is left out, as Serf does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from gossipd.ledger import NOTHING, Tallied
from gossipd.metrics import names
from gossipd.metrics.reading import INTERVAL, Reading
from gossipd.node.statistics import Statistics
from gossipd.value import Value

EARLY = 0.5
"""Seconds by which a reading may come before its full ten seconds."""


class Count(Value):
    """A counter: ``times`` it was raised, by ``total`` together."""

    times: int
    total: float


class Sample(Value):
    """A measured quantity: ``times`` and ``total`` are exact.

    ``values`` are the last ones; fewer than ``times`` if there were very many.
    """

    times: int
    total: float
    values: tuple[float, ...]


class Interval(Value):
    """Ten seconds, or less at the start and the end of a daemon.

    ``begin`` is in seconds since 1970, a multiple of ten. Names have no prefix.
    """

    begin: int
    gauges: Mapping[str, float]
    counters: Mapping[str, Count]
    samples: Mapping[str, Sample]


def interval_between(before: Reading, after: Reading) -> Interval:
    """Return what happened between two readings of one daemon."""
    counters = dict(_counters(before.statistics, after.statistics))
    for name, count in after.counts.items():
        if grown := count - before.counts.get(name, 0):
            counters[name] = Count(grown, grown)
    samples = dict(_samples(before, after))
    gauges = {name: float(getattr(after.statistics, field)) for field, name in names.GAUGES.items()}
    for level, value in after.statistics.levels.items():
        gauges[names.LEVELS + level.replace("_", ".", 1)] = value
    for field, value in after.runtime.items():
        gauges[names.RUNTIME + field] = value
    begin = math.floor((before.at + EARLY) / INTERVAL) * INTERVAL
    return Interval(int(begin), gauges, counters, samples)


def _counters(before: Statistics, after: Statistics) -> Iterator[tuple[str, Count]]:
    for key, times in _grown(before.happened, after.happened):
        name = names.HAPPENED.get(key)
        if name is not None:
            yield name, Count(times, times)
    rejected = 0
    for reason, times in _grown(before.dropped, after.dropped):
        yield names.DROPPED + reason, Count(times, times)
        if reason.startswith(names.COORDINATE_REFUSED):
            rejected += times
    if rejected:
        yield names.REJECTED, Count(rejected, rejected)
    for kind, times in _grown(before.lost, after.lost):
        yield names.LOST + kind, Count(times, times)
    for field, prefix in names.BYTES.items():
        for kind, size in _grown(getattr(before, field), getattr(after, field)):
            yield prefix + kind.lower(), Count(size, size)
    sent = _total(before.packets_sent, after.packets_sent)
    received = _total(before.packets_received, after.packets_received)
    streams = sum(
        after.happened.get(key, 0) - before.happened.get(key, 0)
        for key in ("stream-accepted", "stream-opened")
    )
    for name, times, total in (
        (names.UDP_SENT, sent, after.bytes_sent - before.bytes_sent),
        (names.UDP_RECEIVED, received, after.bytes_received - before.bytes_received),
        (names.TCP_SENT, streams, after.stream_bytes_sent - before.stream_bytes_sent),
    ):
        if total:
            yield name, Count(times, total)


def _samples(before: Reading, after: Reading) -> Iterator[tuple[str, Sample]]:
    old, new = before.statistics.measured, after.statistics.measured
    for key, (name, scale) in names.MEASURED.items():
        sample = _sample(old.get(key, NOTHING), new.get(key, NOTHING), scale)
        if sample is not None:
            yield name, sample
    for name, tallied in after.tallies.items():
        sample = _sample(before.tallies.get(name, NOTHING), tallied, 1.0)
        if sample is not None:
            yield name, sample
    for field, name in names.DEPTHS.items():
        depth = float(getattr(after.statistics, field))
        yield name, Sample(1, depth, (depth,))


def _sample(before: Tallied, after: Tallied, scale: float) -> Sample | None:
    times = after.count - before.count
    if times <= 0:
        return None
    values = tuple(value * scale for value in after.latest[-times:])
    return Sample(times, (after.total - before.total) * scale, values)


def _grown(before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    for key, count in after.items():
        if grown := count - before.get(key, 0):
            yield key, grown


def _total(before: Mapping[str, int], after: Mapping[str, int]) -> int:
    return sum(after.values()) - sum(before.values())
