"""Services in a cluster of real Serf agents and gossipds: complete, and no Serf complains."""

from __future__ import annotations

import base64
from functools import partial
from typing import cast

import pytest
import trio

from gossipd.agent.agent import run_agent
from gossipd.agent.handle import AgentHandle
from gossipd.config.agent_model import AgentConfig
from gossipd.config.model import NodeConfig
from gossipd.node.node import Node
from gossipd.services.definition import Service
from gossipd.services.own import FROM_CLIENT
from support.agents import SERF
from support.clusters import PUSH_PULL_SECONDS, NewCluster, log_marks, trouble_since

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("serf_program")]

OURS = ("g1", "g2", "g3")


def node_of(handle: AgentHandle) -> Node:
    return cast(Node, handle._driver.node)


def owners(handle: AgentHandle) -> list[str]:
    return [instance.owner for instance in node_of(handle).service("web").instances]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("key", [b"", bytes(32)], ids=["plain", "encrypted"])
async def test_services_pass_between_serfs_that_never_see_them(
    new_cluster: NewCluster, key: bytes
) -> None:
    cluster = new_cluster(encrypt=base64.b64encode(key).decode())
    await trio.to_thread.run_sync(partial(cluster.start, serf=4, gossipd=0))
    await trio.to_thread.run_sync(cluster.join_all)
    serfs = cluster.of(SERF)
    marks = log_marks(serfs)
    handles: list[AgentHandle] = []
    async with trio.open_nursery() as nursery:
        for number, name in enumerate(OURS):
            config = AgentConfig(
                node=NodeConfig(name=name, tags={"role": "web"}, keys=(key,) if key else ()),
                bind=f"{cluster.next_host()}:7946",
                start_join=(serfs[number].options.bind,),  # each through another Serf
            )
            handle = await nursery.start(partial(run_agent, config))
            assert isinstance(handle, AgentHandle)
            handles.append(handle)
        with trio.fail_after(PUSH_PULL_SECONDS):
            while any(len(handle.view().members) < 7 for handle in handles):  # noqa: ASYNC110
                await trio.sleep(0.1)
            for number, handle in enumerate(handles):
                service = Service(id="web", name="web", port=8000 + number)
                handle._driver.step(node_of(handle).register_service, service, FROM_CLIENT)
            while any(owners(handle) != list(OURS) for handle in handles):  # noqa: ASYNC110
                await trio.sleep(0.05)
        await trio.sleep(8.0)
        assert trouble_since(serfs, marks) == []
        nursery.cancel_scope.cancel()
