"""The values of all metrics at one moment, from what node and agent count (pure).

Counters without labels, and those whose labels are known beforehand, are there from the
start with 0, so that the first rise is seen as one. Of what remains, kinds and reasons,
there is what has happened; never more than ``LABELS_MAX`` of a metric.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from gossipd.ledger import NOTHING, Tallied, Tally
from gossipd.metrics.agreement import AGREED, Moment
from gossipd.metrics.histogram import BUCKETED, BucketTally
from gossipd.metrics.sources import (
    CAUSES,
    COUNTS,
    COUNTS_BY_LABEL,
    HAPPENED,
    LEVELS,
    MEASURED,
    OPEN,
    TALLIED,
)
from gossipd.node.statistics import Statistics
from gossipd.node.view import View
from gossipd.value import Value
from gossipd.wire.serf_messages import MemberStatus

LABELS_MAX = 200
"""Values of the labels of one metric; more are counted as ``other``."""
OTHER = "other"
STATUSES = (MemberStatus.ALIVE, MemberStatus.LEAVING, MemberStatus.LEFT, MemberStatus.FAILED)


class State(Value, kw_only=True):
    """What is looked at. ``counts`` and ``tallies`` are those of the agent's ledger."""

    view: View
    statistics: Statistics
    counts: Mapping[str, int]
    tallies: Mapping[str, Tally]
    degraded: Mapping[str, str]
    runtime: Mapping[str, float]
    version: str


class Spread(Value):
    """A histogram: values up to each bound, infinity last, and their sum."""

    buckets: tuple[tuple[float, int], ...]
    total: float


Amount: TypeAlias = "float | Tallied | Spread"
Sample: TypeAlias = tuple[tuple[str, ...], Amount]
"""Values of the labels, in the order of the family, and the value."""


def samples_of(state: State) -> dict[str, list[Sample]]:
    """Return the samples by name of their family; a family without any is left out."""
    found: dict[str, list[Sample]] = {}
    for name, labels, amount in _all(state):
        samples = found.setdefault(name, [])
        if len(samples) < LABELS_MAX:
            samples.append((labels, amount))
        elif isinstance(amount, int | float):
            _add_to_others(samples, labels, amount)
    return found


def _add_to_others(samples: list[Sample], labels: tuple[str, ...], amount: float) -> None:
    others = (OTHER,) * len(labels)
    last, before = samples[-1]
    if last == others and isinstance(before, int | float):
        samples[-1] = others, before + amount
    else:
        samples.append((others, amount))


def _all(state: State) -> Iterator[tuple[str, tuple[str, ...], Amount]]:
    for part in (_members, _numbers, _traffic, _levels, _ledger, _runtime):
        yield from part(state)


def _members(state: State) -> Iterator[tuple[str, tuple[str, ...], Amount]]:
    view = state.view
    yield "gossipd_build_info", (state.version,), 1
    yield "gossipd_node_info", (view.name, str(view.address)), 1
    for status in STATUSES:
        yield "gossipd_members", (status.name.lower(),), view.count(status)
    yield "gossipd_members_suspected", (), len(view.suspicions)
    yield "gossipd_members_degraded", (), len(state.degraded)


def _numbers(state: State) -> Iterator[tuple[str, tuple[str, ...], Amount]]:
    """Yield what the node holds and has counted under names of its own."""
    statistics = state.statistics
    yield "gossipd_incarnation", (), statistics.incarnation
    yield "gossipd_health_score", (), statistics.health_score
    for clock in ("member", "event", "query"):
        yield "gossipd_lamport_time", (clock,), getattr(statistics, f"{clock}_time")
    for queue in ("claim", "intent", "event", "query"):
        yield "gossipd_queue_messages", (queue,), getattr(statistics, f"{queue}_queue")
    yield "gossipd_coordinate_resets_total", (), statistics.coordinate_resets
    for key, (name, labels) in HAPPENED.items():
        yield name, labels, statistics.happened.get(key, 0)
    for key, (name, labels, scale) in MEASURED.items():
        yield name, labels, _scaled(statistics.measured.get(key, NOTHING), scale)
    yield "gossipd_event_handlers", (), len(statistics.event_handlers)
    if statistics.snapshot:
        yield "gossipd_snapshot_ok", (), int(statistics.snapshot == "ok")


def _traffic(state: State) -> Iterator[tuple[str, tuple[str, ...], Amount]]:
    statistics = state.statistics
    for direction in ("sent", "received"):
        datagrams = getattr(statistics, f"bytes_{direction}")
        yield "gossipd_datagram_bytes_total", (direction,), datagrams
        streams = getattr(statistics, f"stream_bytes_{direction}")
        yield "gossipd_stream_bytes_total", (direction,), streams
    for name, counts in (
        ("gossipd_packets_sent_total", statistics.packets_sent),
        ("gossipd_messages_received_total", statistics.packets_received),
        ("gossipd_stream_bytes_sent_total", statistics.stream_bytes_sent_by),
        ("gossipd_stream_bytes_received_total", statistics.stream_bytes_received_by),
        ("gossipd_input_dropped_total", statistics.dropped),
        ("gossipd_lost_total", statistics.lost),
    ):
        for kind, count in sorted(counts.items()):
            yield name, (kind.lower(),), count
    for name, counts in (
        ("gossipd_packet_bytes_sent_total", statistics.packet_bytes_sent),
        ("gossipd_message_bytes_received_total", statistics.packet_bytes_received),
    ):
        for kind, count in sorted(counts.items()):
            yield name, (kind.lower(), CAUSES.get(kind, OTHER)), count
    rejected = sum(
        count for reason, count in statistics.dropped.items() if reason.startswith("coordinate-")
    )
    yield "gossipd_coordinates_rejected_total", (), rejected


def _levels(state: State) -> Iterator[tuple[str, tuple[str, ...], Amount]]:
    levels = state.statistics.levels
    for key, (name, labels) in LEVELS.items():
        yield name, labels, levels.get(key, 0)


def _ledger(state: State) -> Iterator[tuple[str, tuple[str, ...], Amount]]:
    counts, tallies = state.counts, state.tallies
    for key, (name, labels) in COUNTS.items():
        yield name, labels, counts.get(key, 0)
    for name, (begun, ended) in OPEN.items():
        yield name, (), counts.get(begun, 0) - counts.get(ended, 0)
    for key, (name, labels, scale) in TALLIED.items():
        tally = tallies.get(key)
        yield name, labels, NOTHING if tally is None else _scaled(tally.read(), scale)
    for key, (name, scale, _) in BUCKETED.items():
        tally = tallies.get(key)
        if isinstance(tally, BucketTally):
            yield name, (), Spread(tuple(tally.cumulated()), tally.summed * scale)
    agreed = tallies.get(AGREED)
    if isinstance(agreed, Moment):
        yield "gossipd_members_agreed_timestamp_seconds", (), agreed.at
    yield from _labelled(counts)


def _labelled(counts: Mapping[str, int]) -> Iterator[tuple[str, tuple[str, ...], Amount]]:
    split: Iterable[tuple[str, tuple[str, Callable[[str], tuple[str, ...]]]]]
    split = COUNTS_BY_LABEL.items()
    for prefix, (name, labels_of) in split:
        for key in sorted(counts):
            if key.startswith(prefix):
                yield name, labels_of(key.removeprefix(prefix)), counts[key]


def _runtime(state: State) -> Iterator[tuple[str, tuple[str, ...], Amount]]:
    runtime = state.runtime
    yield "gossipd_tasks", (), runtime["num_goroutines"]
    yield "gossipd_memory_blocks", (), runtime["heap_objects"]
    yield "gossipd_gc_runs_total", (), runtime["total_gc_runs"]


def _scaled(tallied: Tallied, scale: float) -> Tallied:
    return Tallied(tallied.count, tallied.total * scale, ())
