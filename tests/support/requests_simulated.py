"""Requests of many callers to a few servers in virtual time, through a real ``Balancer``.

Open loop: requests begin at a rate whatever became of earlier ones, so a slow
server gathers a queue as in life. Servers are told by what they do to a
request; nothing here waits or looks at a clock.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from gossipd.balance.attempts import Attempts
from gossipd.balance.balancer import Balancer, Pick
from support.instances import instance, reset


@dataclass
class Server:
    """A server, and what it does to a request."""

    name: str
    latency: float = 0.01
    """Mean of its service times (exponential)."""
    workers: int = 8
    """Requests that it serves at a time; others queue."""
    fails_after: float | None = None
    """Each request fails after exactly so long: refused at once, a hang until the time-out."""
    failure_rate: float = 0.0
    """Of the others, this share fails."""
    weight: int = 1
    zone: str = ""
    busy: list[float] = field(default_factory=list)

    def serve(self, now: float, random: Random) -> tuple[float, bool]:
        """Return when a request that comes now is over, and whether it succeeded."""
        if self.fails_after is not None:
            return now + self.fails_after, False
        begins = now
        if len(self.busy) >= self.workers:
            begins = max(now, heapq.heappop(self.busy))
        ends = begins + random.expovariate(1 / self.latency)
        heapq.heappush(self.busy, ends)
        return ends, random.random() >= self.failure_rate


@dataclass
class Outcome:
    """What came of a run."""

    requests: Counter[str] = field(default_factory=Counter)
    """Attempts by server."""
    calls: int = 0
    errors: int = 0
    """Calls that ended with a failure."""
    retries: int = 0
    latencies: list[float] = field(default_factory=list)
    """Of calls, from beginning to end, retries included."""
    first_ejected: dict[str, int] = field(default_factory=dict)
    """How many requests a server had got when the first client first set it aside."""

    def share(self, name: str) -> float:
        """Return which part of all attempts ``name`` got."""
        return self.requests[name] / max(sum(self.requests.values()), 1)

    def percentile(self, share: float) -> float:
        """Return the latency that ``share`` of the calls were not above."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class Failure(Exception):
    """A server failed a request."""


def simulate(
    servers: Sequence[Server],
    policy: str,
    *,
    seed: int = 1,
    rate: float = 200.0,
    seconds: float = 20.0,
    attempts: int = 3,
    clients: int = 1,
    zone: str = "",
    distances: dict[str, float] | None = None,
    at: Sequence[tuple[float, Callable[[], None]]] = (),
) -> Outcome:
    """Send Poisson requests through the balancers of some clients.

    Args:
        servers: whom they ask.
        rate: calls a second of all clients together.
        clients: each has a balancer that knows nothing of the others.
        at: changes of servers by time.
    """
    random = Random(seed)
    told = [instance(s.name, weight=s.weight, zone=s.zone) for s in servers]
    balancers = []
    for number in range(clients):
        balancer = Balancer("web", Random(seed + 1 + number), policy=policy, zone=zone)
        balancer.apply(reset(*told), 0.0)
        balancer.set_distances(distances or {})
        balancers.append(balancer)
    by_name = {server.name: server for server in servers}
    outcome = Outcome()
    queue: list[tuple[float, int, Callable[[float], None]]] = []
    order = 0

    def schedule(when: float, act: Callable[[float], None]) -> None:
        nonlocal order
        order += 1
        heapq.heappush(queue, (when, order, act))

    def send(pick: Pick, calls: Attempts, began: float, now: float) -> None:
        name = pick.instance.owner
        outcome.requests[name] += 1
        ends, is_ok = by_name[name].serve(now, random)

        def answered(then: float) -> None:
            following = calls.again(None if is_ok else Failure(), then)
            if not is_ok:
                watch_ejections(then)
            if following is not None:
                outcome.retries += 1
                send(following, calls, began, then)
                return
            outcome.errors += not is_ok
            outcome.latencies.append(then - began)

        schedule(ends, answered)

    def watch_ejections(now: float) -> None:
        for report in balancers[0].snapshot(now).instances:
            if report.owner not in outcome.first_ejected and (
                report.ejected_for or report.breaker != "closed"
            ):
                outcome.first_ejected[report.owner] = outcome.requests[report.owner]

    def call(now: float) -> None:
        outcome.calls += 1
        key = f"key-{random.randrange(1000)}"
        balancer = balancers[int(random.random() * clients)] if clients > 1 else balancers[0]
        calls = Attempts(balancer, now, attempts=attempts, idempotent=True, key=key)
        send(calls.begin(now), calls, now, now)
        following = now + random.expovariate(rate)
        if following < seconds:
            schedule(following, call)

    schedule(random.expovariate(rate), call)
    for when, befall in at:
        schedule(when, _ignoring_time(befall))
    while queue:
        now, _, act = heapq.heappop(queue)
        act(now)
    return outcome


def _ignoring_time(act: Callable[[], None]) -> Callable[[float], None]:
    return lambda _: act()
