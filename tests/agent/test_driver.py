"""The driver: when it wakes the node, in which order effects go out, who hears events."""

from __future__ import annotations

import math

import pytest
import trio
import trio.testing

from gossipd.address import Address
from gossipd.agent.driver import Driver
from gossipd.errors import Unavailable, UsageError
from gossipd.node.effects import CloseStream, OpenStream, SendPacket, WriteStream
from gossipd.node.events import NodeEvent, OperationFinished
from support.scripted_node import ADDRESS, ScriptedNode

PEER = Address(bytes([10, 0, 0, 2]), 7946)


class Recorder:
    """Packet port and stream sink in one; notes what it is asked, in order."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.takes_streams = True
        self.lost: dict[str, int] = {}

    def send(self, data: bytes, to: Address) -> None:
        self.asked.append(("send", data, to))

    async def run(self, deliver: object) -> None:
        raise NotImplementedError

    def open(self, effect: OpenStream) -> bool:
        if self.takes_streams:
            self.asked.append(("open", effect.stream))
        return self.takes_streams

    def write(self, stream: int, data: bytes) -> None:
        self.asked.append(("write", stream, data))

    def close(self, stream: int | None = None) -> None:
        self.asked.append(("close", stream))


def make_driver(node: ScriptedNode) -> tuple[Driver, Recorder, list[NodeEvent]]:
    recorder, seen = Recorder(), []
    driver = Driver(node, recorder, lambda event, _now: seen.append(event))  # type: ignore[arg-type]
    driver.attach(recorder)
    return driver, recorder, seen


async def test_effects_of_one_step_go_out_in_their_order(autojump_clock: object) -> None:
    node = ScriptedNode()
    driver, recorder, _ = make_driver(node)
    node.effects = [
        OpenStream(stream=1, to=PEER, data=b"", timeout=1.0),
        SendPacket(to=PEER, data=b"a"),
        WriteStream(stream=1, data=b"b"),
        CloseStream(stream=1),
        SendPacket(to=PEER, data=b"c"),
    ]
    driver.start()
    assert recorder.asked == [
        ("open", 1),
        ("send", b"a", PEER),
        ("write", 1, b"b"),
        ("close", 1),
        ("send", b"c", PEER),
    ]


async def test_a_packet_is_stamped_with_the_moment_of_its_arrival(autojump_clock: object) -> None:
    node = ScriptedNode()
    driver, _, _ = make_driver(node)
    await trio.sleep(3.5)
    driver.packet_in(b"x", PEER)
    assert node.calls == [("packet", b"x", PEER, trio.current_time())]


async def test_the_node_is_woken_exactly_at_its_deadline_and_not_without_one(
    autojump_clock: object,
) -> None:
    node = ScriptedNode()
    driver, _, _ = make_driver(node)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.watch_deadline)
        start = trio.current_time()
        node.deadline = start + 10.0
        driver.start()
        await trio.sleep(1000.0)
        nursery.cancel_scope.cancel()
    assert node.calls == [("start", start), ("deadline", start + 10.0)]


async def test_a_node_woken_late_hears_first_what_came_meanwhile(autojump_clock: object) -> None:
    node = ScriptedNode()
    driver, _, _ = make_driver(node)
    driver.now = lambda: trio.current_time() + 1.0  # as if the process had been held up
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.watch_deadline)
        for _ in range(20):  # the order of tasks woken together is random
            node.calls.clear()
            node.deadline = trio.current_time() + 10.0
            driver.packet_in(b"arms the deadline", PEER)
            await trio.sleep_until(node.deadline)
            driver.packet_in(b"ack", PEER)
            await trio.testing.wait_all_tasks_blocked()
            assert node.verbs() == ["packet", "packet", "deadline"]
        nursery.cancel_scope.cancel()


async def test_a_step_moves_the_deadline_both_earlier_and_later(autojump_clock: object) -> None:
    node = ScriptedNode()
    driver, _, _ = make_driver(node)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.watch_deadline)
        start = trio.current_time()
        node.deadline = start + 10.0
        driver.start()
        await trio.sleep(1.0)
        node.deadline = start + 5.0
        driver.packet_in(b"", PEER)
        await trio.sleep(1.0)
        node.deadline = start + 20.0
        driver.packet_in(b"", PEER)
        await trio.sleep(100.0)
        nursery.cancel_scope.cancel()
    assert [call[-1] for call in node.calls if call[0] == "deadline"] == [start + 20.0]


async def test_a_deadline_in_the_past_is_handled_at_once(autojump_clock: object) -> None:
    node = ScriptedNode()
    driver, _, _ = make_driver(node)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.watch_deadline)
        await trio.sleep(1.0)
        node.deadline = trio.current_time() - 1.0
        driver.packet_in(b"", PEER)
        await trio.testing.wait_all_tasks_blocked()
        assert node.verbs() == ["packet", "deadline"]
        nursery.cancel_scope.cancel()


async def test_a_periodic_deadline_comes_every_period(autojump_clock: object) -> None:
    node = ScriptedNode()
    node.period = 0.2
    driver, _, _ = make_driver(node)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.watch_deadline)
        node.deadline = trio.current_time() + 0.2
        driver.start()
        await trio.sleep(10.1)
        nursery.cancel_scope.cancel()
    assert node.verbs().count("deadline") == 50


async def test_a_stream_that_cannot_be_taken_fails_in_the_same_step(
    autojump_clock: object,
) -> None:
    node = ScriptedNode()
    driver, recorder, _ = make_driver(node)
    recorder.takes_streams = False
    node.effects = [OpenStream(stream=4, to=PEER, data=b"", timeout=1.0)]
    driver.start()
    assert node.calls[-1][:3] == ("failed", 4, "too many open streams")


async def test_an_operation_that_ends_within_its_own_step_is_not_missed(
    autojump_clock: object,
) -> None:
    driver, _, seen = make_driver(ScriptedNode())
    operation = driver.begin(driver.node.force_leave, "x", False)
    with trio.fail_after(1):
        await operation.wait()
    assert seen == [OperationFinished(operation.number)]


async def test_a_failed_operation_raises_what_the_node_said(autojump_clock: object) -> None:
    node = ScriptedNode()
    driver, _, _ = make_driver(node)
    node.joins[PEER] = "connection refused"
    operation = driver.begin(node.join, PEER, "", ignore_old=True)
    with pytest.raises(Unavailable, match="connection refused"):
        await operation.wait()


async def test_a_cancelled_waiter_is_forgotten_and_its_late_result_harmless(
    autojump_clock: object,
) -> None:
    node = ScriptedNode()
    driver, _, _ = make_driver(node)
    operation = driver.begin(node.join, PEER, "", ignore_old=True)
    with trio.move_on_after(1) as scope:
        await operation.wait()
    assert scope.cancelled_caught
    assert len(driver._operations) == 0
    node.events = [OperationFinished(operation.number, "late")]
    driver.packet_in(b"", PEER)


async def test_a_refused_command_changes_nothing_and_the_next_step_works(
    autojump_clock: object,
) -> None:
    node = ScriptedNode()
    driver, _, _ = make_driver(node)
    driver.begin(node.leave)
    with pytest.raises(UsageError):
        driver.begin(node.leave)
    driver.packet_in(b"x", ADDRESS)
    assert node.verbs() == ["leave", "packet"]


async def test_subscribers_hear_events_in_order(autojump_clock: object) -> None:
    node = ScriptedNode()
    driver, _, seen = make_driver(node)
    events = [OperationFinished(number) for number in range(3)]
    with driver.fanout.subscribe(10) as subscription:
        node.events = list(events)
        driver.packet_in(b"", PEER)
        driver.fanout.close()
        assert [event async for event in subscription] == events
    assert seen == events


async def test_who_follows_services_is_woken_before_anything_is_sent_or_shown(
    autojump_clock: object,
) -> None:
    node = ScriptedNode()
    driver, recorder, seen = make_driver(node)
    told: list[tuple[list[NodeEvent], int, int]] = []
    driver.wake = lambda events: told.append((list(events), len(recorder.asked), len(seen)))
    recorder.takes_streams = False
    refused = OperationFinished(2)
    node.stream_failed = lambda *_: node.events.append(refused)  # type: ignore[method-assign]
    events: list[NodeEvent] = [OperationFinished(0), OperationFinished(1)]
    node.events = list(events)
    node.effects = [
        SendPacket(to=PEER, data=b"a"),
        OpenStream(stream=4, to=PEER, data=b"", timeout=1.0),
    ]
    driver.packet_in(b"", PEER)
    assert told == [(events, 0, 0), ([refused], 1, 0)]
    assert seen == [*events, refused]


async def test_the_deadline_task_can_be_cancelled(autojump_clock: object) -> None:
    driver, _, _ = make_driver(ScriptedNode())
    with trio.move_on_after(1) as scope:
        await driver.watch_deadline()
    assert scope.cancelled_caught
    assert driver._armed == math.inf


async def test_the_times_of_woken_steps_are_measured_and_gossip_apart(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    node = ScriptedNode()
    driver, _, _ = make_driver(node)
    node.deadline = trio.current_time() + 1.0
    driver.start()
    nursery.start_soon(driver.watch_deadline)
    await trio.sleep(2)
    assert {name: tally.count for name, tally in driver.ledger.tallies.items()} == {
        "gossipd.step": 1,
        "gossipd.step.late": 1,
    }
    handled = node.handle_deadline

    def gossip(now: float) -> None:
        node.gossip_ticks += 1
        handled(now)

    node.handle_deadline = gossip  # type: ignore[method-assign]
    node.deadline = trio.current_time() + 1.0
    driver.step(node.start)
    await trio.sleep(2)
    assert driver.ledger.tallies["memberlist.gossip"].count == 1
    assert driver.ledger.tallies["gossipd.step"].count == 2
    assert driver.ledger.tallies["gossipd.step.late"].total == 0.0
