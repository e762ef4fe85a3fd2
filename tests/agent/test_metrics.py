"""Metrics of whole agents in memory: what is read when, what SIGUSR1 writes, what sinks get."""

from __future__ import annotations

import signal
from typing import NoReturn

import pytest
import trio

from gossipd.agent.handlers.applications import NAMES_MAX, count_name
from gossipd.ledger import Ledger
from gossipd.metrics.collecting import KEPT, LAST_SENDING, Collector
from gossipd.metrics.interval import Interval
from gossipd.metrics.reading import INTERVAL
from gossipd.node.events import OperationFinished
from gossipd.serf.events import QueryReceived, UserEventReceived
from support.fake_handle import FakeHandle
from support.memory_agents import Running
from support.memory_network import MemoryNetwork


class Taken:
    """A sink that keeps what it takes."""

    def __init__(self) -> None:
        self.intervals: list[Interval] = []
        self.lost: dict[str, int] = {}
        self.takes_long = 0.0

    def take(self, interval: Interval) -> None:
        self.intervals.append(interval)

    async def run(self) -> NoReturn:
        await trio.sleep_forever()
        raise AssertionError

    async def finish(self) -> None:
        await trio.sleep(self.takes_long)


class Clocked:
    """A collector whose calendar goes with the test's clock, from ``start`` on."""

    def __init__(self, nursery: trio.Nursery, start: float) -> None:
        self.ledger = Ledger()
        self.sink = Taken()
        offset = start - trio.current_time()
        self.collector = Collector(
            FakeHandle().statistics, self.ledger, lambda: trio.current_time() + offset
        )
        self.collector.sinks = [self.sink]
        nursery.start_soon(self.collector.run)

    def begins(self) -> list[int]:
        return [interval.begin for interval in self.sink.intervals]


async def test_intervals_end_at_full_tens_of_the_calendar(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    clocked = Clocked(nursery, 1003.0)
    await trio.sleep(6.9)
    assert clocked.begins() == []
    await trio.sleep(0.2)
    assert clocked.begins() == [1000]
    await trio.sleep(3 * INTERVAL)
    assert clocked.begins() == [1000, 1010, 1020, 1030]


async def test_each_interval_has_what_happened_in_it_from_the_start_on(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    clocked = Clocked(nursery, 1003.0)
    clocked.ledger.count("x", 2)
    await trio.sleep(INTERVAL)
    clocked.ledger.count("x")
    await trio.sleep(2 * INTERVAL)
    counters = [interval.counters for interval in clocked.sink.intervals]
    assert [found["x"].times if "x" in found else 0 for found in counters] == [2, 1, 0]


async def test_the_end_is_sent_but_waits_for_no_sink_long(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    clocked = Clocked(nursery, 1003.0)
    clocked.sink.takes_long = 100.0
    clocked.ledger.count("x")
    began = trio.current_time()
    await clocked.collector.finish()
    assert trio.current_time() == began + LAST_SENDING
    assert [interval.counters["x"].times for interval in clocked.sink.intervals] == [1]


async def test_the_dump_has_the_finished_intervals_of_one_minute(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    clocked = Clocked(nursery, 0.0)
    assert clocked.collector.dump() == []
    await trio.sleep(20 * INTERVAL + 5)
    stamps = {line.partition("][")[0] for line in clocked.collector.dump()}
    assert stamps == {
        f"[1970-01-01 00:0{s // 60}:{s % 60:02d} +0000 UTC" for s in range(140, 200, 10)
    }
    assert len(stamps) == KEPT


async def test_a_cluster_fills_an_interval_and_sigusr1_does_not_end_it(
    nursery: trio.Nursery, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the calendar must run with the clock, or intervals end too often and early ones are lost
    monkeypatch.setattr(Collector.__init__, "__defaults__", (trio.current_time,))
    network = MemoryNetwork(nursery)
    one, two = Running(network, "a", "10.0.0.1"), Running(network, "b", "10.0.0.2")
    first, second = await one.start(nursery), await two.start(nursery)
    await second.join(["10.0.0.1"])
    await first.send_event("de ploy", b"1")
    await trio.sleep(2.5 * INTERVAL)
    await one.signal_in.send(signal.SIGUSR1)
    await trio.sleep(1)
    assert one.exit_code is None
    text = "\n".join(one.errors.texts)
    for part in (
        "[G] 'serf-agent.gossipd.members.alive': 2.000",
        "[C] 'serf-agent.serf.member.join': Count: 2 Sum: 2.000",
        "[C] 'serf-agent.serf.events.de_ploy': Count: 1 Sum: 1.000",
        "[C] 'serf-agent.serf.events': Count: 1 Sum: 1.000",
        "[C] 'serf-agent.memberlist.tcp.accept': Count: 2 Sum: 2.000",  # a join and another one
        "[S] 'serf-agent.memberlist.probeNode': Count: ",
        "[S] 'serf-agent.memberlist.gossip': Count: ",
        "[S] 'serf-agent.gossipd.step': Count: ",
        "[S] 'serf-agent.gossipd.step.late': Count: ",
    ):
        assert part in text, part
    assert not any("metrics" in line for line in one.lines.texts)


@pytest.mark.parametrize("kind", ["events", "queries"])
def test_names_of_peers_are_counted_apart_up_to_a_limit(kind: str) -> None:
    ledger = Ledger()

    def event(name: str) -> UserEventReceived | QueryReceived:
        if kind == "events":
            return UserEventReceived(1, name, None, False)
        return QueryReceived(1, 1, name, None, "a", 5.0)

    for number in range(2 * NAMES_MAX):
        count_name(event(f"n{number}"), ledger)
    count_name(event("n0"), ledger)
    count_name(event("x" * 5000), ledger)
    count_name(OperationFinished(1), ledger)
    assert len(ledger.counts) == NAMES_MAX
    assert ledger.counts[f"serf.{kind}.n0"] == 2
