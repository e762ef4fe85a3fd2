"""Whole agents and their applications: what is told, handled, declined and logged."""

from __future__ import annotations

import signal
from functools import partial

import pytest
import trio

from gossipd.agent.agent import run_agent
from gossipd.agent.handlers import runner
from gossipd.agent.handlers.runner import END_WAIT, Handlers
from gossipd.agent.handlers.script import Outcome
from gossipd.config.agent_model import AgentConfig
from gossipd.config.model import NodeConfig
from gossipd.errors import ConfigError
from gossipd.serf.events import MembersChanged
from gossipd.serf.question import Question
from gossipd.value import replace
from support.memory_agents import Running
from support.memory_network import MemoryNetwork


async def test_what_is_asked_for_is_logged_with_its_payload_at_debug_only(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    agent = Running(MemoryNetwork(nursery), "a", "10.0.0.1", log_level="DEBUG")
    handle = await agent.start(nursery)
    await handle.send_event("deploy", b'v"1\\\n', may_coalesce=True)
    await handle.send_event("big", b"x" * 400)
    async with handle.ask(Question(name="load", payload=None)) as answers:
        assert [type(answer) async for answer in answers] == []
    assert agent.lines.has(
        "[DEBUG] agent: Requesting user event send: deploy."
        ' Coalesced: true. Payload: "v\\"1\\\\\\n"'
    )
    assert agent.lines.has('[DEBUG] agent: Requesting query send: load. Payload: ""')
    assert agent.lines.has("[INFO] agent: Received event: user-event: deploy")
    assert agent.lines.has("[INFO] agent: Received event: query: load")
    shown = [text for text in agent.lines.texts if "xxx" in text]
    assert [("[DEBUG]" in text) for text in shown] == [True]
    nursery.cancel_scope.cancel()


async def test_a_bad_handler_ends_the_start_before_anything_is_taken(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    network = MemoryNetwork(nursery)
    config = AgentConfig(node=NodeConfig(name="a"), event_handlers=("ok.sh", "user:x,nope=y.sh"))
    with pytest.raises(ConfigError) as caught:
        await run_agent(config, machine=network.machine("10.0.0.1"))
    assert str(caught.value) == "Invalid event script: Event 'nope' invoking 'y.sh'"


async def test_handlers_are_shown_and_replaced(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    agent = Running(MemoryNetwork(nursery), "a", "10.0.0.1", event_handlers=("query:load=uptime",))
    handle = await agent.start(nursery)
    assert handle.statistics().event_handlers == {"query:load": "uptime"}
    with pytest.raises(ConfigError):
        handle.set_handlers(replace(agent.config, event_handlers=("user=fine", "nope=x")))
    assert handle.statistics().event_handlers == {"query:load": "uptime"}
    handle.set_handlers(replace(agent.config, event_handlers=("user=fine",)))
    assert handle.statistics().event_handlers == {"user:": "fine"}
    nursery.cancel_scope.cancel()


async def test_a_query_that_nobody_answers_is_over_at_once(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    network = MemoryNetwork(nursery)
    agents = [Running(network, name, f"10.0.0.{n}") for n, name in enumerate("abc", 1)]
    handles = [await agent.start(nursery) for agent in agents]
    for handle in handles[1:]:
        await handle.join(["10.0.0.1"])
    await trio.sleep(2)
    began = trio.current_time()
    async with handles[0].ask(Question(name="load", timeout=60.0)) as answers:
        assert [answer async for answer in answers] == []
    assert trio.current_time() - began < 2
    nursery.cancel_scope.cancel()


async def test_streams_are_told_once_of_what_came_close_together(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    network = MemoryNetwork(nursery)
    agents = [Running(network, name, f"10.0.0.{n}") for n, name in enumerate("abc", 1)]
    handles = [await agent.start(nursery) for agent in agents]
    await trio.sleep(10)
    async with handles[0].subscribe() as gathered, handles[0].subscribe(coalesced=False) as quick:
        for handle in handles[1:]:
            await handle.join(["10.0.0.1"])
        for name in "bc":
            event = await anext(quick)
            assert isinstance(event, MembersChanged)
            assert [member.name for member in event.members] == [name]
        event = await anext(gathered)
        assert isinstance(event, MembersChanged)
        assert sorted(member.name for member in event.members) == ["b", "c"]
    nursery.cancel_scope.cancel()


async def test_first_handlers_may_be_configured_while_the_agent_runs(
    nursery: trio.Nursery, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    async def note(script: str, *_: object) -> Outcome:
        await trio.lowlevel.checkpoint()
        ran.append(script)
        return Outcome("", b"", b"")

    monkeypatch.setattr(runner, "Handlers", partial(Handlers, run=note))
    agent = Running(MemoryNetwork(nursery), "a", "10.0.0.1")
    handle = await agent.start(nursery)
    assert handle.statistics().event_handlers == {}
    with pytest.raises(ConfigError):
        handle.set_handlers(replace(agent.config, event_handlers=("nope=x",)))
    handle.set_handlers(agent.config)
    assert handle.statistics().event_handlers == {}
    handle.set_handlers(replace(agent.config, event_handlers=("user=fine",)))
    assert handle.statistics().event_handlers == {"user:": "fine"}
    await handle.send_event("deploy", b"")
    await trio.sleep(10)
    assert ran == ["fine"]
    handle.set_handlers(agent.config)
    await handle.send_event("deploy", b"again")
    await trio.sleep(10)
    assert ran == ["fine"]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("signals", [1, 2])
async def test_a_second_signal_does_not_wait_for_handlers(
    nursery: trio.Nursery,
    autojump_clock: object,
    monkeypatch: pytest.MonkeyPatch,
    signals: int,
) -> None:
    async def hang(*_: object) -> Outcome:
        await trio.sleep_forever()
        raise AssertionError("it sleeps for ever")

    monkeypatch.setattr(runner, "Handlers", partial(Handlers, run=hang))
    agent = Running(MemoryNetwork(nursery), "a", "10.0.0.1", event_handlers=("member-join=x",))
    await agent.start(nursery)
    await trio.sleep(2)
    began = trio.current_time()
    for _ in range(signals):
        await agent.signal_in.send(signal.SIGINT)
    await agent.ended.wait()
    took = trio.current_time() - began
    assert (took >= END_WAIT) is (signals == 1)
    assert agent.lines.has("1 event handler runs cut off, the daemon ends")
