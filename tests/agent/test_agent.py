"""Whole agents on the in-memory network: start, join, leave, signals, and how they end."""

from __future__ import annotations

import errno
import signal

import pytest
import trio
import trio.lowlevel
import trio.testing

from gossipd.address import Address
from gossipd.agent.handle import AgentHandle
from gossipd.config.agent_model import AgentConfig
from gossipd.errors import UsageError
from gossipd.node.handle import JoinResult
from gossipd.serf.events import MembersChanged
from gossipd.serf.question import PING_ALL
from gossipd.wire.serf_messages import MemberStatus
from support.memory_agents import Running
from support.memory_network import MemoryMachine, MemoryNetwork


def statuses(handle: AgentHandle) -> dict[str, MemberStatus]:
    return {member.name: member.status for member in handle.view().members}


async def test_an_agent_runs_inside_a_nursery_of_the_caller_and_can_be_cancelled(
    autojump_clock: object,
) -> None:
    async with trio.open_nursery() as nursery:
        agent = Running(MemoryNetwork(nursery), "a", "10.0.0.1")
        handle = await agent.start(nursery)
        assert statuses(handle) == {"a": MemberStatus.ALIVE}
        assert handle.now() == trio.current_time()
        assert agent.lines.has("==> gossipd agent running!")
        nursery.cancel_scope.cancel()
    assert agent.machine.packets.is_closed
    assert agent.machine.streams.is_closed
    assert agent.exit_code is None


@pytest.mark.parametrize("face", ["http_address", "dns_address", ""])
async def test_a_name_that_a_face_cannot_show_is_told_at_start(
    nursery: trio.Nursery, autojump_clock: object, monkeypatch: pytest.MonkeyPatch, face: str
) -> None:
    if face:
        monkeypatch.setattr(MemoryMachine, face, Address(bytes([10, 0, 0, 1]), 80))
    agent = Running(MemoryNetwork(nursery), "db\n1", "10.0.0.1")
    await agent.start(nursery)
    told = "[WARN] agent: node name 'db\\n1': it "
    assert agent.lines.has(told) is bool(face)


async def test_what_the_sockets_lost_is_in_the_statistics(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    agent = Running(MemoryNetwork(nursery), "a", "10.0.0.1")
    handle = await agent.start(nursery)
    assert handle.statistics().lost == {}
    agent.machine.packets.lost["datagrams-unsent"] = 2
    agent.machine.streams.accept_errors.append(OSError(errno.EMFILE, "too many open files"))
    agent.machine.streams.connect(Address(bytes([10, 0, 0, 9]), 5))
    await trio.sleep(1)
    agent.machine.streams.connect(Address(bytes([10, 0, 0, 9]), 5))
    await trio.sleep(1)
    assert handle.statistics().lost == {"datagrams-unsent": 2, "accept-errors": 1}


async def test_two_agents_join_and_a_failure_is_noticed(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    network = MemoryNetwork(nursery)
    one, two = Running(network, "a", "10.0.0.1"), Running(network, "b", "10.0.0.2")
    first, second = await one.start(nursery), await two.start(nursery)
    assert await second.join(["10.0.0.1"]) == JoinResult(1)
    await trio.sleep(2)
    assert statuses(first) == statuses(second)
    assert len(statuses(first)) == 2
    async with first.subscribe() as events:
        network.machines.pop(two.machine.bound)  # unplugged
        with trio.fail_after(30):
            async for event in events:
                if isinstance(event, MembersChanged):
                    break
    assert statuses(first)["b"] is MemberStatus.FAILED
    assert one.lines.has("[INFO] serf: EventMemberFailed: b 10.0.0.2")
    nursery.cancel_scope.cancel()


async def test_start_join_tells_how_many_it_reached(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    network = MemoryNetwork(nursery)
    one = Running(network, "a", "10.0.0.1")
    two = Running(network, "b", "10.0.0.2", start_join=("10.0.0.1", "10.0.0.77"))
    await one.start(nursery)
    await two.start(nursery)
    assert two.lines.has("    Join completed. Synced with 1 initial agents")
    assert two.lines.has("agent: error joining: Failed to join 10.0.0.77: dial tcp")
    nursery.cancel_scope.cancel()


async def test_a_start_join_that_reaches_nobody_fails_the_start(autojump_clock: object) -> None:
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork(nursery)
        lonely = Running(network, "a", "10.0.0.1", start_join=("10.0.0.9",))
        await lonely.run()
    assert "could not join the cluster at start: Failed to join 10.0.0.9" in str(lonely.error)


async def test_retry_join_gives_up_after_its_attempts_and_fails_the_agent(
    autojump_clock: object,
) -> None:
    async with trio.open_nursery() as nursery:
        network = MemoryNetwork(nursery)
        lonely = Running(
            network, "a", "10.0.0.1", retry_join=("10.0.0.9",), retry_max_attempts=2
        )  # fmt: skip
        start = trio.current_time()
        await lonely.run()
        assert 60 <= trio.current_time() - start <= 61
    assert str(lonely.error) == "maximum retry join attempts made, exiting"


async def test_retry_join_goes_on_until_the_seed_comes_up(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    network = MemoryNetwork(nursery)
    late = Running(network, "a", "10.0.0.1", retry_join=("10.0.0.2",))
    handle = await late.start(nursery)
    await trio.sleep(40)
    await Running(network, "b", "10.0.0.2").start(nursery)
    await trio.sleep(60)
    assert statuses(handle)["b"] is MemberStatus.ALIVE
    assert late.lines.has("retrying in 30s")
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_both_signals_leave_gracefully_with_exit_code_0(
    autojump_clock: object, nursery: trio.Nursery, number: int
) -> None:
    network = MemoryNetwork(nursery)
    stays, goes = Running(network, "a", "10.0.0.1"), Running(network, "b", "10.0.0.2")
    handle = await stays.start(nursery)
    goes.config = AgentConfig(node=goes.config.node, start_join=("10.0.0.1",))
    await goes.start(nursery)
    await trio.sleep(1)
    await goes.signal_in.send(number)
    await goes.ended.wait()
    assert goes.exit_code == 0
    assert goes.machine.packets.is_closed
    assert goes.machine.streams.is_closed
    await trio.sleep(1)
    assert statuses(handle)["b"] is MemberStatus.LEFT
    order = ["Caught signal", "Gracefully shutting", "requesting graceful leave",
             "EventMemberLeave: b", "requesting serf shutdown", "shutdown complete"]  # fmt: skip
    found = [i for part in order for i, text in enumerate(goes.lines.texts) if part in text]
    assert found == sorted(found)
    assert len(found) == len(order)
    nursery.cancel_scope.cancel()


async def test_a_second_signal_ends_at_once_with_exit_code_1(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    agent = Running(MemoryNetwork(nursery), "a", "10.0.0.1")
    await agent.start(nursery)
    await agent.signal_in.send(signal.SIGINT)
    await trio.testing.wait_all_tasks_blocked()
    start = trio.current_time()
    await agent.signal_in.send(signal.SIGTERM)
    await agent.ended.wait()
    assert trio.current_time() - start < 0.1
    assert agent.exit_code == 1
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("number", "settings"),
    [
        (signal.SIGTERM, {"leave_on_terminate": False}),
        (signal.SIGINT, {"skip_leave_on_interrupt": True}),
    ],
)
async def test_without_a_leave_the_exit_code_is_1_and_others_see_a_failure(
    autojump_clock: object, nursery: trio.Nursery, number: int, settings: dict[str, object]
) -> None:
    agent = Running(MemoryNetwork(nursery), "a", "10.0.0.1", **settings)
    await agent.start(nursery)
    await agent.signal_in.send(number)
    await agent.ended.wait()
    assert agent.exit_code == 1
    assert agent.lines.has("[WARN] serf: Shutdown without a Leave")
    nursery.cancel_scope.cancel()


async def test_a_hangup_without_files_is_answered_in_the_log_and_changes_nothing(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    agent = Running(MemoryNetwork(nursery), "a", "10.0.0.1")
    await agent.start(nursery)
    await agent.signal_in.send(signal.SIGHUP)
    await trio.sleep(10)
    assert agent.lines.has("not reloaded: this agent was not started from files")
    assert not agent.ended.is_set()
    nursery.cancel_scope.cancel()


async def test_a_leave_that_takes_too_long_is_cut_at_the_cap(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    network = MemoryNetwork(nursery)
    stays = Running(network, "a", "10.0.0.1")
    goes = Running(network, "b", "10.0.0.2", leave_timeout=0.5, start_join=("10.0.0.1",))
    await stays.start(nursery)
    await goes.start(nursery)
    await trio.sleep(1)
    start = trio.current_time()
    await goes.signal_in.send(signal.SIGINT)
    await goes.ended.wait()
    assert 0.5 <= trio.current_time() - start <= 0.7
    assert goes.exit_code == 1
    assert goes.lines.has("[ERR] agent: leave not finished in 0.5s")
    nursery.cancel_scope.cancel()


async def test_a_leave_by_command_ends_the_agent_even_if_the_caller_went_away(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    agent = Running(MemoryNetwork(nursery), "a", "10.0.0.1")
    handle = await agent.start(nursery)
    with trio.move_on_after(0):
        await handle.leave()
    with pytest.raises(UsageError):
        await handle.join(["10.0.0.2"])
    with pytest.raises(UsageError):
        await handle.leave()
    with trio.fail_after(30):
        await agent.ended.wait()
    assert agent.exit_code == 0
    nursery.cancel_scope.cancel()


async def test_a_signal_during_a_leave_by_command_waits_for_that_leave(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    agent = Running(MemoryNetwork(nursery), "a", "10.0.0.1")
    handle = await agent.start(nursery)
    nursery.start_soon(handle.leave)
    await trio.testing.wait_all_tasks_blocked()
    await agent.signal_in.send(signal.SIGINT)
    await agent.ended.wait()
    assert agent.exit_code == 0
    nursery.cancel_scope.cancel()


async def test_tags_and_force_leave_take_effect_everywhere(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    network = MemoryNetwork(nursery)
    one, two = Running(network, "a", "10.0.0.1"), Running(network, "b", "10.0.0.2")
    first, second = await one.start(nursery), await two.start(nursery)
    await second.join(["10.0.0.1"])
    await first.set_tags({"role": "web"}, ["none"])
    await trio.sleep(1)
    seen = {member.name: dict(member.tags) for member in second.view().members}
    assert seen["a"] == {"role": "web"}
    with pytest.raises(UsageError):
        await first.set_tags({"big": "x" * 600}, [])
    network.machines.pop(two.machine.bound)
    await trio.sleep(30)
    assert statuses(first)["b"] is MemberStatus.FAILED
    await first.force_leave("b", prune=True)
    assert "b" not in statuses(first)
    nursery.cancel_scope.cancel()


async def test_reachability_names_everybody_once_and_ends(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    network = MemoryNetwork(nursery)
    agents = [Running(network, name, f"10.0.0.{i}") for i, name in enumerate("abc", 1)]
    handles = [await agent.start(nursery) for agent in agents]
    for handle in handles[1:]:
        await handle.join(["10.0.0.1"])
    await trio.sleep(2)
    start = trio.current_time()
    async with handles[0].ask(PING_ALL) as acks:
        assert sorted([ack.node async for ack in acks]) == ["a", "b", "c"]
    assert trio.current_time() - start < 1
    nursery.cancel_scope.cancel()


async def test_the_log_can_be_followed_from_its_beginning(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    agent = Running(MemoryNetwork(nursery), "a", "10.0.0.1", log_level="ERR")
    handle = await agent.start(nursery)
    async with handle.follow_log("INFO") as lines:
        texts = [getattr(await anext(lines), "text", "") for _ in range(2)]
    assert texts[0].endswith("[INFO] agent: Serf agent starting")
    assert texts[1].endswith("[INFO] serf: EventMemberJoin: a 10.0.0.1")
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("verb", ["join", "leave", "set_tags", "force_leave", "subscribe"])
async def test_each_wait_can_be_cancelled_and_the_agent_goes_on(
    autojump_clock: object, nursery: trio.Nursery, verb: str
) -> None:
    network = MemoryNetwork(nursery)
    agent = Running(network, "a", "10.0.0.1")
    peer = Running(network, "b", "10.0.0.2", start_join=("10.0.0.1",))
    handle = await agent.start(nursery)
    await peer.start(nursery)
    network.silent.add(Address(bytes([10, 0, 0, 9]), 7946))
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as inner:

            async def call() -> None:
                match verb:
                    case "join":
                        await handle.join(["10.0.0.9"])
                    case "leave":
                        await handle.leave()
                    case "set_tags":
                        await handle.set_tags({"x": "y"}, [])
                    case "force_leave":
                        await handle.force_leave("b")
                    case _:
                        async with handle.subscribe() as events:
                            async for _ in events:
                                pass

            inner.start_soon(call)
            await trio.lowlevel.checkpoint()
            scope.cancel()
    if verb == "leave":
        await agent.ended.wait()
        assert agent.exit_code == 0
    else:
        await trio.sleep(60)
        assert not agent.ended.is_set()
        assert len(handle._driver.fanout) == 0
        assert len(handle._driver._operations) == 0
    nursery.cancel_scope.cancel()
