"""All policies of the balancer beside each other: simulated servers, and what a choice costs.

    PYTHONPATH=.:tests python tests/bench/balancing.py [--seeds N] [--write FILE]

Everything but the cost is virtual time and seeded: the same table each time. Four clients,
that know nothing of each other, send 200 requests a second for 20 s; service times are
exponential with a mean of 10 ms, 8 at a time in each server. A call has up to 3 attempts.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median

from gossipd.balance.balancer import Balancer
from gossipd.balance.policies import NEAREST, P2C, POLICIES, ZONE
from support.instances import instance, reset
from support.requests_simulated import Outcome, Server, simulate

CLIENTS = 4
COMPARED = tuple(policy for policy in POLICIES if policy not in (NEAREST, ZONE))
"""Of those nearest, or in one zone, the other two choose as ``p2c`` does."""
BARS_TIMES = 4
"""So many more seeds for the bars, where the worst run counts."""


def _three(**third: float) -> list[Server]:
    return [Server("a"), Server("b"), Server("c", **third)]  # type: ignore[arg-type]


def _unequal() -> list[Server]:
    return [
        Server("a", workers=1, weight=1),
        Server("b", workers=2, weight=2),
        Server("c", workers=4, weight=4),
    ]


SITUATIONS: dict[str, tuple[Callable[[], list[Server]], float]] = {
    "three equal": (_three, 200.0),
    "one 10 x slower": (lambda: _three(latency=0.1), 200.0),
    "one refuses": (lambda: _three(fails_after=0.0005), 200.0),
    "one hangs (1 s)": (lambda: _three(fails_after=1.0), 200.0),
    "one fails 30 %": (lambda: _three(failure_rate=0.3), 200.0),
    "sizes 1:2:4, 80 % full": (_unequal, 560.0),
}
"""Servers, and requests a second."""


def bars(seeds: int) -> list[str]:
    """Return the lines of the two bars of the issue, worst of all seeds."""
    slow = [
        simulate(_three(latency=0.1), P2C, seed=seed, rate=rate)
        for seed in range(seeds)
        for rate in (20.0, 200.0, 800.0)
    ]
    dead = [
        simulate(_three(fails_after=0.0005), policy, seed=seed)
        for seed in range(seeds)
        for policy in POLICIES
    ]
    share = max(outcome.share("c") for outcome in slow)
    asked = max(o.first_ejected.get("c", o.requests["c"]) for o in dead)
    seen = sum(outcome.errors for outcome in dead + slow)
    return [
        "| bar | asked | measured (worst) |",
        "| --- | --- | --- |",
        f"| one of 3 is 10 x slower: p2c's share for it ({len(slow)} runs: 20, 200, 800"
        f" requests/s) | ≤ 10 % | {share:.1%} |",
        f"| one of 3 is dead: requests before it is set aside ({len(dead)} runs: all policies)"
        f" | ≤ 5 | {asked} |",
        f"| failures that reached a caller in all these runs | 0 | {seen} |",
    ]


def tables(seeds: int) -> list[list[str]]:
    """Return how all policies do in all situations: latencies, then shares and retries."""
    head = ["| | " + " | ".join(COMPARED) + " |", "| --- |" + " --- |" * len(COMPARED)]
    latencies, shares = [*head], [*head]
    calls = errors = 0
    for situation, (servers, rate) in SITUATIONS.items():
        rows = [[_run(servers(), policy, rate, s) for s in range(seeds)] for policy in COMPARED]
        latencies.append(f"| {situation} | " + " | ".join(map(_latencies, rows)) + " |")
        shares.append(f"| {situation} | " + " | ".join(map(_shares, rows)) + " |")
        calls += sum(run.calls for runs in rows for run in runs)
        errors += sum(run.errors for runs in rows for run in runs)
    return [
        ["Latency of calls, retries included, p50 / p99 in ms:"],
        latencies,
        ["Share of the third instance in all attempts, and retries per call:"],
        shares,
        [f"Calls that failed: {errors} of {calls:,}."],
    ]


def _run(servers: list[Server], policy: str, rate: float, seed: int) -> Outcome:
    return simulate(servers, policy, seed=seed, rate=rate, clients=CLIENTS)


def _latencies(runs: list[Outcome]) -> str:
    p50 = median(run.percentile(0.5) for run in runs) * 1e3
    p99 = median(run.percentile(0.99) for run in runs) * 1e3
    return f"{p50:.0f} / {p99:,.0f}"


def _shares(runs: list[Outcome]) -> str:
    share = median(run.share("c") for run in runs)
    retries = sum(run.retries for run in runs) / sum(run.calls for run in runs)
    return f"{share:.1%}, {retries:.1%}" if retries else f"{share:.1%}"


def costs() -> list[str]:
    """Return what a choice and its report cost in processor time, by number of instances."""
    sizes = (3, 30, 300)
    lines = [
        "| policy | " + " | ".join(f"{size} instances" for size in sizes) + " |",
        "| --- |" + " --- |" * len(sizes),
    ]
    for policy in POLICIES:
        figures = [f"{_cost(policy, size) * 1e6:.1f} µs" for size in sizes]
        lines.append(f"| {policy} | " + " | ".join(figures) + " |")
    return lines


def _cost(policy: str, size: int) -> float:
    balancer = Balancer("web", Random(1), policy=policy, zone="x")
    told = [instance(f"n{n:03}", zone="xy"[n % 2]) for n in range(size)]
    balancer.apply(reset(*told), 0.0)
    balancer.set_distances({f"n{n:03}": 0.01 for n in range(size)})
    rounds = 2000 if size < 100 else 500
    measured = []
    for _ in range(5):
        began = time.process_time()
        for number in range(rounds):
            balancer.pick(0.0, key="k").done(0.0, latency=0.01 + number % 7 / 1000)
        measured.append((time.process_time() - began) / rounds)
    return min(measured)


def main() -> int:
    """Print the tables; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="runs of each row (default 5)")
    parser.add_argument("--write", type=Path, help="also write the tables to this file")
    options = parser.parse_args()
    parts = [
        bars(options.seeds * BARS_TIMES),
        *tables(options.seeds),
        [f"A choice and its report, CPython {platform.python_version()}:"],
        costs(),
    ]
    text = "\n\n".join("\n".join(part) for part in parts) + "\n"
    sys.stdout.write(text)
    if options.write is not None:
        options.write.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
