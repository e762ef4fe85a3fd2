"""Services of whole agents, as the faces see them: registered at one, followed at another."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from gossipd.agent.handle import AgentHandle
from gossipd.agent.service_wakes import ServiceReader, ServiceWakes
from gossipd.catalog.events import ServiceChanged
from gossipd.errors import UsageError
from gossipd.node.events import OperationFinished
from gossipd.services.instance import ServiceChange, ServiceReset
from gossipd.services.own import FROM_CLIENT
from gossipd.services.reading import read_service
from support.fake_handle import FakeHandle
from support.fake_services import make_instance
from support.memory_agents import Running
from support.memory_network import MemoryNetwork


async def start_cluster(nursery: trio.Nursery, names: str) -> list[AgentHandle]:
    network = MemoryNetwork(nursery)
    agents = [Running(network, name, f"10.0.0.{n}") for n, name in enumerate(names, 1)]
    handles = [await agent.start(nursery) for agent in agents]
    for handle in handles[1:]:
        await handle.join(["10.0.0.1"])
    await trio.sleep(2)
    return handles


def register(handle: AgentHandle, name: str = "web", port: int = 80, **more: object) -> None:
    handle.register_service(read_service({"name": name, "port": port, **more}), FROM_CLIENT)


async def test_what_is_registered_at_one_is_followed_at_another(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    a, b = await start_cluster(nursery, "ab")
    async with b.watch_service("web") as changes:
        first = await anext(changes)
        assert isinstance(first, ServiceReset)
        assert first.view.instances == ()
        began = trio.current_time()
        register(a)
        up = await anext(changes)
        assert trio.current_time() - began < 0.5
        assert isinstance(up, ServiceChange)
        assert (up.kind, up.instance.owner, up.instance.service.port) == ("up", "a", 80)
        register(a, port=81)
        changed = await anext(changes)
        assert isinstance(changed, ServiceChange)
        assert (changed.kind, changed.instance.service.port) == ("changed", 81)
        a.deregister_service("web")
        down = await anext(changes)
        assert isinstance(down, ServiceChange)
        assert down.kind == "down"
    async with b.watch_service("web", up.index) as changes:
        assert [await anext(changes), await anext(changes)] == [changed, down]
    assert b.service("web").index == down.index
    nursery.cancel_scope.cancel()


async def test_a_node_is_made_ready_for_services_once_somebody_follows_one(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    a, b = await start_cluster(nursery, "ab")
    assert (a.statistics().levels, b.statistics().levels) == ({}, {})
    unhook = a.on_service_change("web", lambda: None)
    await trio.testing.wait_all_tasks_blocked()
    unhook()
    assert a.statistics().levels["catalog_peers"] == 1
    assert b.statistics().levels == {}, "nobody follows anything there"
    nursery.cancel_scope.cancel()


async def test_whoever_waits_for_any_service_is_told_the_index(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    (a,) = await start_cluster(nursery, "a")
    index = await a.wait_for_services(0)
    assert index > 0
    found: list[int] = []

    async def wait() -> None:
        found.append(await a.wait_for_services(index))

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    register(a, "db")
    await trio.testing.wait_all_tasks_blocked()
    assert found == [a.services()[0].index]
    assert a.own_services().services[0].service.name == "db"
    assert [one.service.name for one in a.services_of("a")] == ["db"]
    nursery.cancel_scope.cancel()


async def test_commands_reach_the_node_and_its_refusals_come_back(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    (a,) = await start_cluster(nursery, "a")
    register(a, check={"ttl": "30s"})
    assert a.service("web").instances[0].status == "critical"
    a.report_check("service:web", "passing", "fine")
    assert a.service("web").instances[0].status == "passing"
    a.set_maintenance("web", "deploy")
    assert a.service("web").instances[0].maintenance == "deploy"
    a.set_maintenance("web", None)
    a.report_load("web", 0.5)
    a.drain("web", 10.0)
    assert a.service("web").instances[0].is_draining
    with pytest.raises(UsageError):
        a.deregister_service("nonsense")
    with pytest.raises(UsageError):
        a.deregister_check("nonsense")
    nursery.cancel_scope.cancel()


async def test_a_reader_ends_with_the_agent_after_what_it_lacks(autojump_clock: object) -> None:
    handle, wakes = FakeHandle(), ServiceWakes()
    reader = ServiceReader(handle, wakes, "web", 0)
    assert isinstance(await anext(reader), ServiceReset)
    handle.show(make_instance("b"))
    wakes.take([ServiceChanged("db", handle.index)])
    wakes.close()
    left = [one async for one in _of(reader)]
    assert [one.kind for one in left if isinstance(one, ServiceChange)] == ["up"]


async def _of(reader: ServiceReader) -> AsyncIterator[ServiceReset | ServiceChange]:
    async for one in reader:
        yield one


def test_only_those_who_follow_a_service_are_woken() -> None:
    wakes, woken = ServiceWakes(), list[str]()
    unhook = wakes.on_change("web", lambda: woken.append("web"))
    wakes.on_change("db", lambda: woken.append("db"))
    wakes.take([])
    wakes.take([ServiceChanged("web", 1), OperationFinished(1), ServiceChanged("web", 2)])
    assert woken == ["web"], "once for all that one step changed"
    unhook()
    unhook()
    wakes.take([ServiceChanged("web", 3)])
    assert woken == ["web"]
