"""Events and queries through whole agents on the in-memory network."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from gossipd.address import address_from_host
from gossipd.agent.handle import AgentHandle
from gossipd.errors import UsageError
from gossipd.serf.collector import OPEN_QUERIES_MAX
from gossipd.serf.events import QueryAcked, QueryAnswered, QueryReceived, UserEventReceived
from gossipd.serf.question import PING_ALL, Question
from gossipd.value import replace
from support.memory_agents import Running
from support.memory_network import MemoryNetwork

THREE = ("a", "b", "c")


async def cluster(
    nursery: trio.Nursery, names: tuple[str, ...] = THREE, network: MemoryNetwork | None = None
) -> list[AgentHandle]:
    network = network or MemoryNetwork(nursery)
    agents = [Running(network, name, f"10.0.0.{i}") for i, name in enumerate(names, 1)]
    handles = [await agent.start(nursery) for agent in agents]
    for handle in handles[1:]:
        await handle.join(["10.0.0.1"])
    await trio.sleep(2)
    return handles


async def answer_for_ever(
    handle: AgentHandle,
    payload: bytes,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    async with handle.subscribe(coalesced=False, may_answer=lambda _: True) as events:
        task_status.started()
        async for event in events:
            if isinstance(event, QueryReceived):
                await handle.respond(event.number, payload)


async def test_a_query_is_answered_by_all_and_ends_before_its_time(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    handles = await cluster(nursery)
    for handle, payload in zip(handles, (b"1", b"2", b"3" * 5000), strict=True):
        await nursery.start(answer_for_ever, handle, payload)
    start = trio.current_time()
    question = Question(name="load", wants_acks=True, timeout=60.0)
    async with handles[1].ask(question) as answers:
        told = [answer async for answer in answers]
    assert trio.current_time() - start < 2
    assert sorted(each.node for each in told if isinstance(each, QueryAcked)) == ["a", "b", "c"]
    answered = {each.node: each.payload for each in told if isinstance(each, QueryAnswered)}
    assert answered == {"a": b"1", "b": b"2", "c": b"3" * 5000}
    nursery.cancel_scope.cancel()


async def test_two_queries_at_once_do_not_mix(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    handles = await cluster(nursery)
    await nursery.start(answer_for_ever, handles[1], b"b")
    async with (
        handles[0].ask(Question(name="one", nodes=("b",))) as one,
        handles[0].ask(Question(name="none", nodes=("c",))) as none,
        handles[0].ask(Question(name="nobody", nodes=("x",))) as nobody,
    ):
        assert [(answer.node, type(answer)) async for answer in one] == [("b", QueryAnswered)]
        assert [answer async for answer in nobody] == []
        assert [answer async for answer in none] == []
    nursery.cancel_scope.cancel()


async def test_reachability_may_be_left_before_its_end(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    handles = await cluster(nursery)
    async with handles[0].ask(PING_ALL) as acks:
        assert (await anext(acks)).node == "a"
    nursery.cancel_scope.cancel()


async def test_a_ping_waits_for_the_silent_as_long_as_it_was_told_to(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    network = MemoryNetwork(nursery)
    handles = await cluster(nursery, network=network)
    network.silent.add(address_from_host("10.0.0.2", 7946))

    async def seconds(**wish: Any) -> float:
        start = trio.current_time()
        async with handles[0].ask(replace(PING_ALL, **wish)) as acks:
            assert sorted([ack.node async for ack in acks]) == ["a", "c"]
        return trio.current_time() - start

    assert await seconds(nodes=("a", "c"), timeout=0.5) < 0.5
    assert await seconds(timeout=0.4) == pytest.approx(0.4)
    assert await seconds(timeout=4.0) == pytest.approx(4.0)  # above the default of 3.2 s
    nursery.cancel_scope.cancel()


async def test_queries_whose_askers_have_gone_leave_room_for_others(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    handles = await cluster(nursery)
    for handle in handles[1:]:
        await nursery.start(answer_for_ever, handle, b"x")
    for _ in range(OPEN_QUERIES_MAX + 1):
        async with handles[0].ask(Question(name="load", timeout=1e6)):
            await trio.lowlevel.checkpoint()
    async with handles[0].ask(Question(name="load", timeout=1e6)) as answers:
        assert sorted([answer.node async for answer in answers]) == ["b", "c"]
    nursery.cancel_scope.cancel()


async def test_refusals_reach_the_caller_and_change_nothing(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    [handle] = await cluster(nursery, ("a",))
    with pytest.raises(UsageError, match="prefix"):
        async with handle.ask(Question(name="_serf_install-key")):
            raise AssertionError("it must not be asked")
    with pytest.raises(UsageError, match="No pending queries matching ID"):
        await handle.respond(1, b"x")
    with pytest.raises(UsageError, match="512 bytes before encoding"):
        await handle.send_event("e", bytes(600))
    assert handle.statistics().event_time == 1
    nursery.cancel_scope.cancel()


async def test_an_event_is_told_to_those_it_is_for(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    handles = await cluster(nursery)
    told: dict[str, list[UserEventReceived]] = {name: [] for name in THREE}

    async def follow(
        name: str,
        handle: AgentHandle,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        async with handle.subscribe(coalesced=False) as events:
            task_status.started()
            async for event in events:
                if isinstance(event, UserEventReceived):
                    told[name].append(event)

    for name, handle in zip(THREE, handles, strict=True):
        await nursery.start(follow, name, handle)
    await handles[1].send_event("deploy", b"v2", may_coalesce=True)
    await handles[1].send_event("cache", None, nodes=["a"])
    await trio.sleep(2)
    names = {
        name: sorted((event.name, event.sender, event.is_own) for event in events)
        for name, events in told.items()
    }
    assert names == {
        "a": [("cache", "b", False), ("deploy", "b", False)],
        "b": [("deploy", "b", True)],
        "c": [("deploy", "b", False)],
    }
    nursery.cancel_scope.cancel()
