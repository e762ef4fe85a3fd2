"""What was measured of services as a table, for the terminal and for the documentation."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median, quantiles

from bench.catalog.central import Central
from bench.catalog.load import ASKERS, INSTANCES, REST_SECONDS, SERVICES, WATCHERS, Load
from bench.catalog.registry import LEASE_SECONDS
from bench.catalog.size import INSTANCES as INSTANCES_ALL
from bench.catalog.size import NODES, Size
from bench.catalog.split import Splits, split_rows, split_section
from bench.catalog.spread import Spread, SpreadPlan
from bench.report import Row, as_markdown

SLOW = 0.01
"""Seconds until a watcher is told: the bar."""


def p99(values: Sequence[float]) -> float:
    """Return the value that 99 of 100 do not exceed."""
    return quantiles(values, n=100)[98]


def spread_rows(spread: Spread, central: Central | None) -> list[Row]:
    """Return the lines about a fleet of daemons, beside a registry where there is one."""

    def row(what: str, unit: str, ours: float, most: float) -> Row:
        return Row(what, unit, ours, most, "the bar", 1.0)

    nodes = spread.nodes
    seen = f"register: until a watcher at one of {nodes} daemons is told"
    rows = [
        row(f"{seen}, median", "s", median(spread.reached), 0.5),
        row(f"{seen}, 99 of 100", "s", p99(spread.reached), 1.0),
        row("from a daemon's knowing until its watcher is told, 99 of 100", "ms",
            1000 * p99(spread.told), 1000 * SLOW),
        row("provider killed: gone at its own daemon, the worst", "ms",
            1000 * max(spread.gone_here), 50.0),
        row(f"provider killed: gone at all {nodes}, 99 of 100", "s",
            p99(spread.gone_everywhere), 1.0),
    ]  # fmt: skip
    if central is not None:
        rows += [
            Row("register: until a watcher is told, median", "s",
                median(spread.reached), median(central.reached), "one etcd"),
            Row("provider dead: until a watcher is told, median", "s",
                median(spread.gone_everywhere), median(central.removed),
                f"one etcd, lease {LEASE_SECONDS} s"),
            Row("host dead: until a watcher is told, median", "s",
                median(spread.critical), median(central.removed),
                f"one etcd, lease {LEASE_SECONDS} s"),
        ]  # fmt: skip
    return rows


def told_in_words(spread: Spread) -> str:
    """Return how much of the time from knowing to telling was a wait for a processor."""
    told, nodes = spread.told, spread.nodes
    beside = [took - waited for took, waited in zip(told, spread.waited, strict=True)]
    slow = sum(took > SLOW for took in told)
    return f"""From a daemon's knowing until its watcher is told took (medians, and 99 of 100)
{_ms(told[:nodes])} for the first record of each daemon, {_ms(told[nodes:])} for all
others, and more than {1000 * SLOW:.0f} ms {slow} times of {len(told)}. The daemons share \
{os.cpu_count()} processors: from a
registration until its record is read a daemon waits {_ms(spread.waited)}
for one (run delay in its `schedstat`). No record was told more than {1000 * max(beside):.2f} ms
later than that wait explains."""


def _ms(seconds: Sequence[float]) -> str:
    return f"{1000 * median(seconds):.2f} ms ({1000 * p99(seconds):.2f} ms)"


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in sorted(values))


def load_rows(load: Load) -> list[Row]:
    """Return the lines about one daemon."""
    return [
        Row(f"lookups a second, {SERVICES * INSTANCES} instances of {SERVICES} services", "",
            5000.0, load.lookups_per_second, "the bar, divided", 1.0),
        Row("a lookup, 99 of 100", "ms", 1000 * load.lookup_p99, 2.0, "the bar", 1.0),
        Row(f"CPU with {WATCHERS} idle watchers, times that of one without", "",
            median(load.watched_ratios), 1.0, "one without, at the same time", 1.1),
        Row("memory of an idle watcher", "KB", load.watcher_bytes / 1000, 10.0, "the bar", 1.0),
    ]  # fmt: skip


def size_rows(size: Size) -> list[Row]:
    """Return the lines about a thousand instances on ten daemons."""
    return [
        Row(f"newcomer: until it knows {INSTANCES_ALL} instances, the worst", "s",
            max(size.join_seconds), 3.0, "the bar", 1.0),
        Row("bytes a node and second at rest for the catalog", "B",
            size.rest_bytes, 100.0, "the bar", 1.0),
        Row("memory of an instance with a check, tags and meta", "B",
            size.instance_bytes, 1500.0, "the bar", 1.0),
        Row("memory of an instance without", "B",
            size.bare_instance_bytes, 1500.0, "the bar", 1.0),
    ]  # fmt: skip


def misses(plan: SpreadPlan, spread: Spread) -> list[str]:
    """Return in words what must not happen and did."""
    lines = []
    if spread.missed:
        lines.append(f"{spread.missed} changes did not reach a watcher")
    if spread.still_passing:
        lines.append(f"{spread.still_passing} records called a dead daemon's service passing")
    if len(spread.doubted) < plan.daemon_kills:
        lines.append(f"doubt was told of {len(spread.doubted)} of {plan.daemon_kills} dead daemons")
    return lines


def document(
    plan: SpreadPlan,
    spread: Spread,
    load: Load,
    size: Size,
    splits: Splits,
    central: Central | None,
) -> str:
    """Return the page ``docs/benchmarks-services.md``."""
    verdict = "; ".join(misses(plan, spread)) or "Every change reached every watcher"
    first, last = median(spread.doubted or (float("nan"),)), median(spread.critical)
    beside = "" if central is not None else "etcd was not at hand, so nothing stands beside.\n"
    return f"""# Benchmarks of services

Written by `make bench-services`; do not edit. Real daemons on one machine, profile `lan`;
all watches are read by one program. A registry, where one stands beside, is one etcd 3.4 on
loopback with a lease of {LEASE_SECONDS} s renewed three times within it, asked over its
JSON gateway: it replicates to nobody, so this is its best case.

- Date: {datetime.now(UTC):%Y-%m-%d}
- Machine: {os.cpu_count()} cores, Linux {platform.machine()}, Python {platform.python_version()}
- {plan.registrations} registrations, {plan.provider_kills} providers and \
{plan.daemon_kills} daemons killed among {plan.nodes}

{as_markdown(spread_rows(spread, central))}
{beside}{told_in_words(spread)}

A dead daemon: its services were first called doubtful after {first:.2f} s and
critical after {last:.2f} s (medians); {spread.still_passing} records called one passing
at a daemon that had told it critical. {verdict}.

## One daemon

{as_markdown(load_rows(load))}
The first line is the bar divided by what was measured: {load.lookups_per_second:.0f} a
second by {ASKERS} programs that ask over and over, {1e6 * load.lookup_cpu:.0f} µs of the daemon's
processor each. One `Client` reads {load.client_lookups_per_second:.0f} a second, and
{load.members_per_second:.0f} `members`. A change of one service is with {WATCHERS} watchers \
after {1000 * load.told_all:.0f} ms (median).

At rest a daemon without watchers takes {1000 * load.idle_cpu:.2f} ms a second (median). Two \
that know the same are watched
in turn, and compared within the same {REST_SECONDS:.0f} s, which hold one push/pull of each. The \
rounds of one
window each way gave {_list(load.watched_ratios)} times as much with {WATCHERS} watchers.

## {INSTANCES_ALL} instances on {NODES} daemons

{as_markdown(size_rows(size))}
Each with three tags, two entries of meta and a check that passes. Bytes are those of a fleet
with services less those of one without. Memory is the median of what the resident memory of
the daemons grows, divided by the instances: each daemon registers a tenth of them itself.

{split_section(splits, as_markdown(split_rows(splits)))}"""
