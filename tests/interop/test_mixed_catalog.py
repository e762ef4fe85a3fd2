"""Services across a cluster in which real Serf agents sit between gossipd nodes.

The gossipd nodes know each other through Serf agents only: every join goes
through one. What they tell each other of services must reach all of them, and
no Serf may complain about any of it.
"""

from __future__ import annotations

import base64
import time

import pytest

from gossipd.client.blocking import Client
from support.agents import GOSSIPD, SERF, AgentProcess
from support.clusters import NewCluster, log_marks, trouble_since
from support.waiting import wait_for

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("serf_program")]

LONG_TEXT = "x" * 400
"""Many of these do not fit into a packet: such a record is fetched over a stream."""
SPREAD_SECONDS = 5.0
DETECTION_SECONDS = 30.0


def statuses(agent: AgentProcess, service: str) -> dict[str, str]:
    """Return the status of each instance by its id, as ``agent`` answers."""
    with Client(agent.options.rpc) as client:
        instances = client.service(service).instances
    return {instance.service.id: instance.status for instance in instances}


def wait_until_all_answer(agents: list[AgentProcess], service: str, wanted: dict[str, str]) -> None:
    """Return when every one of ``agents`` knows exactly that of ``service``."""
    for agent in agents:
        wait_until_it_answers(agent, service, wanted, SPREAD_SECONDS)


def wait_until_it_answers(
    agent: AgentProcess, service: str, wanted: dict[str, str], seconds: float
) -> None:
    """Return when ``agent`` knows exactly that of ``service``."""
    wait_for(
        lambda: statuses(agent, service) == wanted,
        seconds,
        f"{agent!r} to answer {wanted}",
        seen=lambda: str(statuses(agent, service)),
    )


@pytest.mark.timeout(180)
@pytest.mark.parametrize("key", [b"", bytes(32)], ids=["plain", "encrypted"])
def test_services_reach_all_gossipd_nodes_and_disturb_no_serf(
    new_cluster: NewCluster, key: bytes
) -> None:
    cluster = new_cluster(encrypt=base64.b64encode(key).decode())
    cluster.start(serf=3, gossipd=3)
    serfs, ours = cluster.of(SERF), cluster.of(GOSSIPD)
    marks = log_marks(cluster.agents)
    with Client(ours[0].options.rpc) as client:
        client.register_service("web", id="before", port=80)  # told to joiners
    cluster.join_all(through=serfs[0])
    cluster.wait_until_all_met(5.0)
    wait_until_all_answer(ours, "web", {"before": "passing"})

    with Client(ours[1].options.rpc) as client:
        client.register_service("web", id="after", port=81)
        meta = {f"key-{number}": LONG_TEXT for number in range(10)}
        client.register_service("big", port=82, meta=meta)
    wait_until_all_answer(ours, "web", {"before": "passing", "after": "passing"})
    wait_until_all_answer(ours, "big", {"big": "passing"})

    with Client(ours[2].options.rpc) as client, client.register("web", id="held", port=83):
        wait_until_all_answer(
            ours, "web", {"before": "passing", "after": "passing", "held": "passing"}
        )
    wait_until_all_answer(ours, "web", {"before": "passing", "after": "passing"})
    with Client(ours[0].options.rpc) as client:
        client.deregister("before")
    wait_until_all_answer(ours, "web", {"after": "passing"})
    time.sleep(1.0)
    assert trouble_since(serfs, marks) == []
    assert trouble_since(ours, marks) == []

    ours[1].kill()
    for agent in (ours[0], ours[2]):
        wait_until_it_answers(agent, "web", {"after": "critical"}, DETECTION_SECONDS)
