"""A host that starts under another's name: it stays as long as the fault, or is voted out."""

from __future__ import annotations

from gossipd.value import replace
from gossipd_sim.cluster import Cluster
from gossipd_sim.identity_faults import NameClash
from gossipd_sim.script import Scenario

CLASH = Scenario(
    name="clash",
    nodes=6,
    horizon=90.0,
    settle=30.0,
    late="n005",
    faults=(NameClash(at=10.0, lasts=30.0, hosts="n005", of="n001"),),
)


def ups(scenario: Scenario, *moments: float) -> list[tuple[bool, bool]]:
    """Return at each of ``moments`` whether the name's holder and the other one are up."""
    cluster = Cluster(scenario, 1)
    seen: list[tuple[bool, bool]] = []

    def look() -> None:
        seen.append((cluster.hosts["n001"].is_up, cluster.hosts["n005"].is_up))

    for moment in moments:
        cluster.world.at(moment, look)
    outcome = cluster.run()
    assert outcome.violations == ()
    return seen


def test_by_default_a_clash_lasts_as_long_as_the_scenario_says() -> None:
    assert ups(CLASH, 12.0, 30.0, 45.0) == [(True, True), (True, True), (True, False)]


def test_where_names_are_voted_on_the_latecomer_ends_after_one_vote() -> None:
    voting = replace(CLASH, serf={"resolve_name_conflicts": True})
    assert ups(voting, 12.0, 30.0, 45.0) == [(True, True), (True, False), (True, False)]
