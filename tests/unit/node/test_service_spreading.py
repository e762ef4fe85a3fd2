"""News of services reaches everybody by gossip alone, in small clusters too."""

from __future__ import annotations

import pytest

from gossipd.services.definition import Service
from gossipd.services.own import FROM_CLIENT
from support.node_net import NodeNet


@pytest.mark.parametrize("seed", range(1, 5))
def test_nine_nodes_that_all_register_at_once_miss_nothing(seed: int) -> None:
    net = NodeNet(seed)
    machines = net.cluster("abcdefghi")
    service = Service(id="web", name="web")
    for machine in machines:
        machine.do(lambda now, node=machine.node: node.register_service(service, FROM_CLIENT, now))
    net.run(1.0)
    assert {len(machine.node.service("web").instances) for machine in machines} == {9}
