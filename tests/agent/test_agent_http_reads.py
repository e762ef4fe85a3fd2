"""Reads in Consul's words of whole agents: what happens at one is read and awaited at another."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from gossipd.agent.handle import AgentHandle
from gossipd.rest.desk import Desk
from gossipd.rest.values import Reply
from gossipd.services.own import FROM_CLIENT
from gossipd.services.reading import read_service
from support.http_desk import Clock, ask, body_of, index_of, make_desk
from support.memory_agents import Running
from support.memory_network import MemoryNetwork

WEB = "/v1/health/service/web?passing"


class Cluster:
    """Agents a, b and c, and the HTTP face of a without its transport."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.scopes: dict[str, trio.CancelScope] = {}
        self.handles: dict[str, AgentHandle] = {}

    async def start(self) -> Desk:
        network = MemoryNetwork(self._nursery)
        for place, name in enumerate("abc", 1):
            agent = Running(network, name, f"10.0.0.{place}")
            self.scopes[name] = trio.CancelScope()

            async def run(
                agent: Running = agent,
                scope: trio.CancelScope = self.scopes[name],
                *,
                task_status: trio.TaskStatus[AgentHandle],
            ) -> None:
                with scope:
                    await agent.run(task_status=task_status)

            self.handles[name] = await self._nursery.start(run)
        for name in "bc":
            await self.handles[name].join(["10.0.0.1"])
        await trio.sleep(2)
        wall = Clock(trio.current_time())
        return make_desk(self.handles["a"], wall=wall)  # type: ignore[arg-type]

    def register(self, at: str, name: str = "web", **more: object) -> None:
        service = read_service({"name": name, "port": 80, **more})
        self.handles[at].register_service(service, FROM_CLIENT)


@pytest.fixture
def cluster(nursery: trio.Nursery) -> Cluster:
    return Cluster(nursery)


async def _owners(desk: Desk, target: str = WEB) -> list[str]:
    found: Any = body_of(await ask(desk, target))
    return [entry["Node"]["Node"] for entry in found]


async def _next(desk: Desk, target: str, reply: Reply) -> tuple[float, Reply]:
    """Wait for another answer; returns how long that took."""
    mark = "&" if "?" in target else "?"
    began = trio.current_time()
    answer = await ask(desk, f"{target}{mark}index={index_of(reply)}&wait=10m")
    return trio.current_time() - began, answer


async def test_a_registration_and_a_report_elsewhere_wake_who_waits(
    cluster: Cluster, nursery: trio.Nursery, autojump_clock: object
) -> None:
    desk = await cluster.start()
    reply = await ask(desk, WEB)
    assert body_of(reply) == []
    cluster.register("b", checks=[{"id": "beat", "ttl": "30s", "status": "passing"}])
    took, reply = await _next(desk, WEB, reply)
    assert took < 0.5
    assert await _owners(desk) == ["b"]
    cluster.handles["b"].report_check("beat", "critical", "no")
    took, reply = await _next(desk, WEB, reply)
    assert took < 0.5
    assert body_of(reply) == []
    everything: Any = body_of(await ask(desk, "/v1/health/checks/web"))
    assert [(check["CheckID"], check["Status"]) for check in everything] == [("beat", "critical")]
    nursery.cancel_scope.cancel()


async def test_a_node_that_dies_takes_its_instances_out_of_passing(
    cluster: Cluster, nursery: trio.Nursery, autojump_clock: object
) -> None:
    desk = await cluster.start()
    for name in "abc":
        cluster.register(name)
    await trio.sleep(1)
    assert await _owners(desk) == ["a", "b", "c"]
    reply = await ask(desk, WEB)
    checks = await ask(desk, "/v1/health/state/critical")
    cluster.scopes["c"].cancel()
    took, reply = await _next(desk, WEB, reply)
    assert took < 15
    assert await _owners(desk) == ["a", "b"]
    _, checks = await _next(desk, "/v1/health/state/critical", checks)
    found: Any = body_of(checks)
    assert [(check["Node"], check["CheckID"]) for check in found] == [("c", "serfHealth")]
    assert found[0]["Output"].startswith("failed by gossip since ")
    assert await _owners(desk, "/v1/health/service/web") == ["a", "b", "c"]
    nodes: Any = body_of(await ask(desk, "/v1/catalog/nodes"))
    assert [node["Node"] for node in nodes] == ["a", "b", "c"]
    nursery.cancel_scope.cancel()


async def test_a_node_that_leaves_is_gone_with_all_it_registered(
    cluster: Cluster, nursery: trio.Nursery, autojump_clock: object
) -> None:
    desk = await cluster.start()
    cluster.register("b")
    await trio.sleep(1)
    services, nodes = await ask(desk, "/v1/catalog/services"), await ask(desk, "/v1/catalog/nodes")
    assert body_of(services) == {"web": []}
    await cluster.handles["b"].leave()
    _, services = await _next(desk, "/v1/catalog/services", services)
    assert body_of(services) == {}
    _, nodes = await _next(desk, "/v1/catalog/nodes", nodes)
    found: Any = body_of(nodes)
    assert [node["Node"] for node in found] == ["a", "c"]
    assert body_of(await ask(desk, "/v1/catalog/node/b")) is None
    nursery.cancel_scope.cancel()


async def test_tags_of_a_node_are_its_meta(
    cluster: Cluster, nursery: trio.Nursery, autojump_clock: object
) -> None:
    desk = await cluster.start()
    cluster.register("b")
    await trio.sleep(1)
    reply = await ask(desk, f"{WEB}&node-meta=rack:r1")
    assert body_of(reply) == []
    await cluster.handles["b"].set_tags({"rack": "r1"}, ())
    took, reply = await _next(desk, f"{WEB}&node-meta=rack:r1", reply)
    assert took < 1
    found: Any = body_of(reply)
    assert found[0]["Node"]["Meta"] == {"rack": "r1"}
    nursery.cancel_scope.cancel()


async def test_nothing_wakes_who_waits_while_nothing_happens(
    cluster: Cluster, nursery: trio.Nursery, autojump_clock: object
) -> None:
    desk = await cluster.start()
    cluster.register("b")
    await trio.sleep(5)
    targets = (WEB, "/v1/catalog/nodes", "/v1/catalog/services", "/v1/health/state/any",
               "/v1/catalog/node/b", "/v1/health/service/other")  # fmt: skip
    async with trio.open_nursery() as waiting:
        for target in targets:
            waiting.start_soon(_next, desk, target, await ask(desk, target))
        await trio.sleep(300)
        assert len(waiting.child_tasks) == len(targets)
        assert desk.reading.topics.woken == 0
        waiting.cancel_scope.cancel()
    nursery.cancel_scope.cancel()


async def test_maintenance_and_user_events_reach_the_readers(
    cluster: Cluster, nursery: trio.Nursery, autojump_clock: object
) -> None:
    desk = await cluster.start()
    cluster.register("b")
    await trio.sleep(1)
    reply, events = await ask(desk, WEB), await ask(desk, "/v1/event/list")
    cluster.handles["b"].set_maintenance("", "new disk")
    await _next(desk, WEB, reply)
    found: Any = body_of(await ask(desk, "/v1/health/service/web"))
    out = [check for check in found[0]["Checks"] if check["Output"] == "new disk"]
    assert [check["Status"] for check in out] == ["critical"]
    await cluster.handles["c"].send_event("deploy", b"v2")
    _, events = await _next(desk, "/v1/event/list", events)
    listed: Any = body_of(events)
    assert [(event["Name"], event["Payload"]) for event in listed] == [("deploy", "djI=")]
    nursery.cancel_scope.cancel()
