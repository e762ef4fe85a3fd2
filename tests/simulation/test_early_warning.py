"""Early warning in whole clusters: of who gets worse it is told, of who is well it is not."""

from __future__ import annotations

import pytest

from gossipd_sim.cluster import Cluster
from gossipd_sim.early_warnings import EarlyWarnings
from gossipd_sim.faults import Crash, Fault, Slow
from gossipd_sim.latency import LogNormal
from gossipd_sim.laws import Laws
from gossipd_sim.link_faults import LinkLaws
from gossipd_sim.script import Scenario

BEGAN = 400.0
"""Seconds after which something befalls n003; until then it is learned what is usual."""


def run(
    *faults: Fault, horizon: float, laws: Laws | None = None, nodes: int = 8, seed: int = 1
) -> EarlyWarnings:
    scenario = Scenario(
        name="worse",
        nodes=nodes,
        horizon=horizon,
        settle=10.0,
        laws=laws or Laws(),
        faults=faults,
    )
    cluster = Cluster(scenario, seed)
    warnings = EarlyWarnings()
    cluster.observers.append(warnings)
    cluster.run()
    return warnings


def losing(at: float, loss: float) -> LinkLaws:
    return LinkLaws(at=at, sources="n003", targets="all", laws={"loss": loss})


def test_nobody_is_degraded_where_all_is_as_usual() -> None:
    jittery = Laws(latency=LogNormal(median=0.02, sigma=0.6), loss=0.01)
    for laws in (Laws(), Laws(loss=0.02), jittery):
        assert run(horizon=1200.0, laws=laws).warned == []


def test_a_member_that_answers_slowly_is_told_of_by_all_and_nobody_else_is() -> None:
    warnings = run(Slow(at=BEGAN, hosts="n003", seconds=0.05), horizon=600.0)
    first = warnings.first("n003")
    assert first is not None
    assert first.at < BEGAN + 60
    assert first.reason.startswith("round trip 5")
    others = [one for one in warnings.warned if one.host != "n003"]
    assert {one.name for one in others} == {"n003"}
    assert len({one.host for one in others}) == 7
    own = [one for one in warnings.warned if one.host == "n003"]
    assert own[-1].name == "n003"  # it blames itself in the end
    assert "n003" not in warnings.failed


@pytest.mark.parametrize("seed", [1, 4, 7])  # it accuses others all the while, and refutes
def test_a_member_that_loses_more_and_more_is_told_of_a_minute_before_it_fails(seed: int) -> None:
    faults = (losing(BEGAN, 0.3), losing(BEGAN + 120, 0.6), losing(BEGAN + 240, 0.95))
    warnings = run(*faults, horizon=800.0, seed=seed)
    first = warnings.first("n003")
    assert first is not None
    assert first.at + 60 < warnings.failed["n003"]
    others = [one for one in warnings.warned if one.host != "n003"]
    assert {one.name for one in others} == {"n003"}


def test_a_crash_is_no_news_for_early_warning() -> None:
    warnings = run(Crash(at=BEGAN, hosts="n003"), horizon=500.0)
    assert "n003" in warnings.failed
    assert warnings.warned == []
