"""Events and queries among three Serf agents and three of ours, asked from both sides.

Ours run in this process, on real sockets, so that what applications are told is seen
without a face in between.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest
import trio

from gossipd.agent.agent import run_agent
from gossipd.agent.handle import AgentHandle
from gossipd.config.agent_model import AgentConfig
from gossipd.config.model import NodeConfig
from gossipd.node.handle import EventStream
from gossipd.serf.events import QueryAcked, QueryAnswered, QueryReceived, UserEventReceived
from gossipd.serf.question import Question
from gossipd.wire.serf_messages import MemberStatus
from support.agents import SERF
from support.clusters import (
    GOSSIP_PORT,
    PUSH_PULL_SECONDS,
    Cluster,
    NewCluster,
    log_marks,
    trouble_since,
)
from support.logs import Lines
from support.rpc_probe import RpcProbe

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("serf_program")]

ARRIVAL_SECONDS = PUSH_PULL_SECONDS
"""What four copies from each of six nodes miss by chance comes with a push/pull."""
FULL_TIME = 20.0
EARLY = 10.0
"""Seconds in which a query of ``FULL_TIME`` has ended if everybody heard of it."""
ASKED_MAX = 5
"""A query that somebody missed is not repeated by anybody: one in fifty is incomplete."""


class Ours:
    """One of our agents, what its application is told, and how it answers."""

    def __init__(self, handle: AgentHandle, events: EventStream, answer: bytes | None) -> None:
        self.handle = handle
        self.name = handle.view().name
        self.answer = answer
        self.told: list[UserEventReceived] = []
        self.asked: list[QueryReceived] = []
        self._events = events

    async def run(self) -> None:
        async for event in self._events:
            if isinstance(event, UserEventReceived):
                self.told.append(event)
            elif isinstance(event, QueryReceived):
                self.asked.append(event)
                if self.answer is not None:
                    await self.handle.respond(event.number, self.answer)


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(ARRIVAL_SECONDS):
        while not condition():  # noqa: ASYNC110 (what is waited for has no event to set)
            await trio.sleep(0.02)


async def start_ours(
    nursery: trio.Nursery, stack: AsyncExitStack, cluster: Cluster, name: str, key: bytes
) -> Ours:
    config = AgentConfig(
        node=NodeConfig(name=name, keys=(key,) if key else ()),
        bind=f"{cluster.next_host()}:{GOSSIP_PORT}",
        start_join=(cluster.agents[0].options.bind,),
        log_level="WARN",
    )
    handle = await nursery.start(partial(run_agent, config, output=Lines()))
    subscription = handle.subscribe(coalesced=False, may_answer=lambda _: True)
    events = await stack.enter_async_context(subscription)
    ours = Ours(handle, events, name.encode())
    nursery.start_soon(ours.run)
    return ours


class Responder:
    """An application of a Serf agent: answers every query, in a thread of its own."""

    def __init__(self, probe: RpcProbe, answer: bytes) -> None:
        self.is_over = False
        self._probe = probe
        self._answer = answer
        probe.follow("query")

    def run(self) -> None:
        while not self.is_over:
            try:
                record = self._probe.next_record(0.2)
            except TimeoutError:
                continue
            self._probe.call("respond", {"ID": record["ID"], "Payload": self._answer})


async def next_event(probe: RpcProbe) -> dict[str, Any]:
    return await trio.to_thread.run_sync(probe.next_record, ARRIVAL_SECONDS)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("key", [b"", bytes(range(32))], ids=["plain", "encrypted"])
async def test_events_and_queries_work_from_both_sides(new_cluster: NewCluster, key: bytes) -> None:
    cluster = new_cluster(encrypt=base64.b64encode(key).decode())
    await trio.to_thread.run_sync(partial(cluster.start, serf=3))
    serfs = cluster.of(SERF)
    await trio.to_thread.run_sync(cluster.join_all)
    marks = log_marks(serfs)
    names = [agent.name for agent in serfs] + ["o1", "o2", "o3"]
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        ours = [await start_ours(nursery, stack, cluster, name, key) for name in ("o1", "o2", "o3")]
        probes = [stack.enter_context(agent.rpc()) for agent in serfs]
        for probe in probes:
            probe.follow("user")
        everybody = dict.fromkeys(names, "alive")
        await trio.to_thread.run_sync(cluster.wait_for_statuses, everybody, ARRIVAL_SECONDS)
        await until(lambda: all(alive(one.handle) == sorted(names) for one in ours))
        await events_reach_everybody(ours, probes)

        responders = [
            Responder(stack.enter_context(agent.rpc()), agent.name.encode()) for agent in serfs
        ]
        for responder in responders:
            nursery.start_soon(trio.to_thread.run_sync, responder.run)
        try:
            await our_query_is_answered_by_everybody(ours, names)
            await a_query_for_ours_may_be_answered_at_length(ours)
            with serfs[0].rpc() as asker:
                await trio.to_thread.run_sync(serfs_query_is_answered_by_ours, asker, names)
        finally:  # threads are not cancelled: a failure would wait for them
            for responder in responders:
                responder.is_over = True
        nursery.cancel_scope.cancel()
    assert trouble_since(serfs, marks) == []


def alive(handle: AgentHandle) -> list[str]:
    members = handle.view().members
    return sorted(member.name for member in members if member.status is MemberStatus.ALIVE)


async def events_reach_everybody(ours: list[Ours], probes: list[RpcProbe]) -> None:
    await ours[0].handle.send_event("from-ours", b"\x00\xff", may_coalesce=False)
    for probe in probes:
        record = await next_event(probe)
        told = (record["Name"], record["Payload"], record["Coalesce"])
        assert told == ("from-ours", b"\x00\xff", False)
    await until(lambda: all(one.told for one in ours))
    for one in ours:
        [event] = one.told
        assert (event.name, event.payload, event.may_coalesce) == ("from-ours", b"\x00\xff", False)
        assert event.is_own == (one is ours[0])
        assert event.sender in ("o1", "")  # by a push/pull of a Serf it comes without

    await trio.to_thread.run_sync(probes[1].event, "from-serf", b"v1")
    for probe in probes:
        assert (await next_event(probe))["Name"] == "from-serf"
    await until(lambda: all(len(one.told) == 2 for one in ours))
    assert {(one.told[1].name, one.told[1].sender) for one in ours} == {("from-serf", "")}

    # a Serf passes on whom it is for, and tells its own applications all the same
    await ours[1].handle.send_event("some", None, nodes=["o3"])
    for probe in probes:
        assert (await next_event(probe))["Name"] == "some"
    await until(lambda: len(ours[2].told) == 3)
    assert ours[2].told[2].name == "some"
    assert len(ours[1].told) == 2


async def ask_until_complete(
    handle: AgentHandle, question: Question
) -> tuple[list[str], dict[str, bytes | None]]:
    """Return who acked and who answered what, of the first query that ended early."""
    for _ in range(ASKED_MAX):
        acked, answered = [], {}
        with trio.move_on_after(EARLY) as limit:
            async with handle.ask(question) as answers:
                async for answer in answers:
                    if isinstance(answer, QueryAcked):
                        acked.append(answer.node)
                    else:
                        assert isinstance(answer, QueryAnswered)
                        assert answer.node not in answered
                        answered[answer.node] = answer.payload
        if not limit.cancelled_caught:
            return acked, answered
    raise AssertionError(f"{question} never ended early; the last one: {acked}, {answered}")


async def our_query_is_answered_by_everybody(ours: list[Ours], names: list[str]) -> None:
    question = Question(
        name="load", payload=b"\xff", wants_acks=True, relay_factor=2, timeout=FULL_TIME
    )
    acked, answered = await ask_until_complete(ours[1].handle, question)
    assert sorted(acked) == sorted(names)
    assert answered == {name: name.encode() for name in names}


async def a_query_for_ours_may_be_answered_at_length(ours: list[Ours]) -> None:
    ours[0].answer = bytes(200_000)
    question = Question(name="dump", nodes=("o1", "o3"), timeout=FULL_TIME)
    _, answered = await ask_until_complete(ours[2].handle, question)
    assert answered == {"o1": bytes(200_000), "o3": b"o3"}
    ours[0].answer = b"o1"


def serfs_query_is_answered_by_ours(asker: RpcProbe, names: list[str]) -> None:
    asked = ["o1", "o2", "o3", names[1]]
    question = {
        "Name": "load",
        "Payload": b"?",
        "RequestAck": True,
        "FilterNodes": asked,
        "Timeout": 2_000_000_000,
    }
    expected: set[tuple[str, str, bytes | None]] = {("ack", name, None) for name in asked}
    expected |= {("response", name, name.encode()) for name in asked}
    for _ in range(ASKED_MAX):
        asker.call("query", question)
        got = []
        while (record := asker.next_record(ARRIVAL_SECONDS))["Type"] != "done":
            got.append((record["Type"], record["From"], record["Payload"]))
        assert set(got) <= expected
        assert len(set(got)) == len(got)
        if len(got) == len(expected):
            return
    raise AssertionError(f"the last of {ASKED_MAX} queries brought only {got}")
