"""How fast a user event reaches everybody, and how long a query takes that all answer.

Streams of all agents are read by one program, so what reading costs is the
same for both kinds. An event counts as received when its record arrived.
"""

from __future__ import annotations

import selectors
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from bench.fleet import Fleet
from gossipd.value import Value
from support.agents import GOSSIPD, SERF, AgentKind
from support.rpc_probe import RpcProbe

EVENT_PAUSE = 1.5
"""Seconds between events, so that one does not ride on another's packets."""
EVENT_TIMEOUT = 45.0
"""Longer than a push/pull takes to come, which brings what gossip did not."""
QUERY_TIMEOUT = 60.0
SETTLE_SECONDS = 12.0
"""After the joins, until their claims are not sent any more."""
QUERY = "load"
HANDLER = ("-event-handler", f"query:{QUERY}=echo 0.42")


class MessagingPlan(Value):
    """How much is sent among how many."""

    event_nodes: int = 100
    events: int = 30
    query_nodes: int = 48
    queries: int = 10


class Messaging(Value):
    """What one kind needed; times in seconds."""

    kind: str
    reached: tuple[float, ...]
    """From sending an event until one agent told of it, for all events and agents."""
    missed: int
    """How many times an agent never told of an event."""
    queries: tuple[float, ...]
    """From asking until the query was over."""
    answers: tuple[int, ...]
    """How many answered, a query."""

    @property
    def p99(self) -> float:
        """Time in which 99 of 100 were reached."""
        return statistics.quantiles(self.reached, n=100)[98]


def measure_messaging(
    plan: MessagingPlan, new_folder: Callable[[str], Path], say: Callable[[str], None]
) -> list[Messaging]:
    """Measure both kinds one after the other."""
    return [_measure(kind, plan, new_folder, say) for kind in (SERF, GOSSIPD)]


def _measure(
    kind: AgentKind,
    plan: MessagingPlan,
    new_folder: Callable[[str], Path],
    say: Callable[[str], None],
) -> Messaging:
    reached, missed = _spread(kind, plan, new_folder(f"events-{kind.name}"))
    say(
        f"{kind.name}: {plan.events} events to {plan.event_nodes}: half after"
        f" {statistics.median(reached):.3f} s, {missed} missed"
    )
    queries, answers = _ask(kind, plan, new_folder(f"queries-{kind.name}"))
    say(
        f"{kind.name}: {plan.queries} queries over {plan.query_nodes}:"
        f" {statistics.median(queries):.3f} s, {min(answers)} to {max(answers)} answers"
    )
    return Messaging(kind.name, reached, missed, queries, answers)


def _joined(fleet: Fleet) -> None:
    fleet.start()
    fleet.join_at_once()
    time.sleep(SETTLE_SECONDS)


def _spread(kind: AgentKind, plan: MessagingPlan, folder: Path) -> tuple[tuple[float, ...], int]:
    fleet = Fleet(kind, plan.event_nodes, folder)
    probes: list[RpcProbe] = []
    selector = selectors.DefaultSelector()
    try:
        _joined(fleet)
        for agent in fleet.agents:
            probe = agent.rpc()
            probes.append(probe)
            probe.follow("user")
            selector.register(probe, selectors.EVENT_READ, agent.name)
        reached: list[float] = []
        missed = 0
        for number in range(plan.events):
            times = _send_one(fleet, number, selector, {agent.name for agent in fleet.agents})
            reached += times
            missed += plan.event_nodes - len(times)
            time.sleep(EVENT_PAUSE)
        return tuple(reached), missed
    finally:
        for probe in probes:
            probe.close()
        selector.close()
        fleet.close()


def _send_one(
    fleet: Fleet, number: int, selector: selectors.BaseSelector, waiting: set[str]
) -> list[float]:
    """Send one event from some agent; returns when each agent told of it."""
    name = f"event-{number}"
    sender = fleet.agents[number * 37 % len(fleet.agents)]
    times: list[float] = []
    with sender.rpc() as probe:
        started = time.monotonic()
        probe.send("event", {"Name": name, "Payload": b"x" * 64, "Coalesce": False})
        while waiting and time.monotonic() - started < EVENT_TIMEOUT:
            for key, _ in selector.select(0.2):
                records = key.fileobj.ready_records()  # type: ignore[union-attr]
                if any(record.get("Name") == name for record in records):
                    times.append(time.monotonic() - started)
                    waiting.discard(str(key.data))
    return times


def _ask(
    kind: AgentKind, plan: MessagingPlan, folder: Path
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    fleet = Fleet(kind, plan.query_nodes, folder, more=HANDLER)
    try:
        _joined(fleet)
        times: list[float] = []
        answers: list[int] = []
        for number in range(plan.queries):
            asker = fleet.agents[number * 29 % len(fleet.agents)]
            with asker.rpc(timeout=QUERY_TIMEOUT) as probe:
                started = time.monotonic()
                probe.call("query", {"Name": QUERY, "RequestAck": True})
                kinds: list[str] = []
                while not kinds or kinds[-1] != "done":
                    kinds.append(str(probe.next_record(QUERY_TIMEOUT)["Type"]))
                times.append(time.monotonic() - started)
            answers.append(kinds.count("response"))
            time.sleep(EVENT_PAUSE)
        return tuple(times), tuple(answers)
    finally:
        fleet.close()
