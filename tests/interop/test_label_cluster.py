"""Clusters with a label: only gossipd speaks it among what is installed here."""

from __future__ import annotations

import pytest

from support.agents import GOSSIPD
from support.clusters import NewCluster
from support.rpc_probe import RpcProblem

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("encrypt", ["", "AAECAwQFBgcICQoLDA0ODw=="], ids=["plain", "encrypted"])
def test_three_labelled_gossipds_agree_and_notice_a_failure(
    new_cluster: NewCluster, encrypt: str
) -> None:
    cluster = new_cluster(encrypt=encrypt, more=("--label", "blue"))
    cluster.start(gossipd=3)
    cluster.join_all()
    cluster.wait_until_all_alive(5.0)
    cluster.agents[2].kill()
    cluster.wait_until_shown("g3", "failed", 30.0)


@pytest.mark.parametrize("other", [(), ("--label", "green")], ids=["unlabelled", "green"])
def test_a_gossipd_of_another_label_is_kept_out(
    new_cluster: NewCluster, other: tuple[str, ...]
) -> None:
    cluster = new_cluster()
    blue = cluster.prepare(GOSSIPD, more=("--label", "blue"))
    stranger = cluster.prepare(GOSSIPD, more=other)
    for agent in (blue, stranger):
        agent.start()
    for agent, target in ((stranger, blue), (blue, stranger)):
        with agent.rpc() as probe, pytest.raises(RpcProblem):
            probe.join(target.options.bind)
    assert blue.statuses() == {blue.name: "alive"}
    assert stranger.statuses() == {stranger.name: "alive"}
