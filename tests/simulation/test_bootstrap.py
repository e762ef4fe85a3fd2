"""Bootstraps in which gossip alone misses somebody: nobody stays unseen for long."""

from __future__ import annotations

import pytest

from gossipd_sim.cluster import Cluster
from gossipd_sim.script import Bootstrap, Scenario


@pytest.mark.parametrize("seed", [17, 21])
def test_whom_gossip_missed_is_seen_within_seconds(seed: int) -> None:
    """Without a further push/pull all know all after 61 and 77 s of these two runs."""
    scenario = Scenario(
        name="at-once", nodes=48, horizon=10.0, settle=5.0,
        bootstrap=Bootstrap(kind="at once", seeds=1),
    )  # fmt: skip
    measures = Cluster(scenario, seed).run().measures
    agreement = measures["agreement"]
    assert isinstance(agreement, dict)
    assert agreement["unsettled"] is None
    assert 2.0 < agreement["max"] < 5.5
