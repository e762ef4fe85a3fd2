"""What a seed means: always the same scenario, always one that can be run."""

from __future__ import annotations

from random import Random

import pytest

from gossipd.value import replace
from gossipd_sim.cluster import Cluster
from gossipd_sim.document import write_toml
from gossipd_sim.fuzz import (
    HORIZON_MAX,
    HORIZON_MIN,
    NODES_MIN,
    FuzzTask,
    random_document,
    seeds_from,
)
from gossipd_sim.main import run_fuzz_task
from gossipd_sim.random_faults import KINDS
from gossipd_sim.scenario import FAULTS, read_scenario
from gossipd_sim.schedule import make_schedule
from gossipd_sim.service_faults import FAULTS_OF_SERVICES

SEEDS = range(300)
NEVER_BY_THEMSELVES = {"clash_ends", "restart", "event", "query"}
"""What only ends another, and what applications do: that is no fault."""
NOT_AT_RANDOM = {"ask_install_key", "ask_use_key", "ask_remove_key"}
"""Who is down meanwhile is cut off afterwards, and has reason to be."""
OF_SERVICES = {kind.do for kind in FAULTS_OF_SERVICES}
"""What programs do: drawn apart, in some of the runs."""
COMPANIONS = {
    *("heal", "open", "thaw", "unblock_sending", "unblock_receiving", "use_key", "remove_key"),
    "anomaly_over",
}
"""What comes with others of its kind."""


def test_every_seed_makes_a_scenario_that_can_be_run() -> None:
    for seed in SEEDS:
        scenario = read_scenario(write_toml(random_document(seed)), f"{seed}.toml")
        make_schedule(scenario, Random(seed))
        assert NODES_MIN <= scenario.nodes <= 64
        assert HORIZON_MIN <= scenario.horizon <= HORIZON_MAX


def test_a_seed_means_the_same_scenario_each_time_and_another_seed_another_one() -> None:
    assert random_document(7, 24) == random_document(7, 24)
    assert random_document(7, 24) != random_document(8, 24)


def test_every_kind_of_fault_occurs_and_no_run_has_all_of_them() -> None:
    seen: dict[str, int] = dict.fromkeys(FAULTS, 0)
    for seed in SEEDS:
        faults = random_document(seed)["faults"]
        assert isinstance(faults, list)
        kinds = {fault["do"] for fault in faults}
        assert (
            len(kinds - COMPANIONS - OF_SERVICES) <= len(KINDS) // 2 + 3
        )  # newcomers bring a crash, and more
        for kind in sorted(kinds):
            seen[kind] += 1
    never = {kind for kind, times in seen.items() if times == 0}
    assert never == NEVER_BY_THEMSELVES | NOT_AT_RANDOM


def test_some_runs_have_services_and_some_of_those_hosts_without_a_catalog() -> None:
    scenarios = [read_scenario(write_toml(random_document(seed)), "f.toml") for seed in SEEDS]
    share = sum(scenario.has_services for scenario in scenarios) / len(SEEDS)
    assert 0.3 < share < 0.5
    assert any(special.catalog for scenario in scenarios for special in scenario.special)


def test_a_campaign_may_be_of_runs_with_services_alone() -> None:
    chosen = seeds_from(100, 20, 64, with_services=True)
    assert len(chosen) == 20
    for seed in range(100, chosen[-1] + 1):
        assert ("catalog" in random_document(seed)) is (seed in chosen)
    assert seeds_from(100, 3, 64, with_services=False) == [100, 101, 102]


def test_clusters_stay_within_the_asked_size() -> None:
    sizes = [int(str(random_document(seed, 24)["nodes"])) for seed in SEEDS]
    assert min(sizes) == NODES_MIN
    assert max(sizes) == 24


@pytest.mark.parametrize("seed", range(3))
def test_a_seed_gives_the_same_run_again(seed: int) -> None:
    task = FuzzTask(seed, 5)
    first, again = run_fuzz_task(task), run_fuzz_task(task)
    assert first.trace
    assert first == again


@pytest.mark.slow
@pytest.mark.parametrize("first", range(500, 550, 10))
def test_random_runs_of_small_clusters_are_clean(first: int) -> None:
    failing = {
        f"gossipd simulate replay {seed} --nodes-max 8": result.violations[0]
        for seed in range(first, first + 10)
        if (result := run_fuzz_task(FuzzTask(seed, 8))).violations
    }
    assert failing == {}


def test_a_run_by_wire_is_the_run_by_reference_with_every_byte_sealed() -> None:
    by_wire = next(seed for seed in SEEDS if random_document(seed, 4).get("by_wire"))
    document = {**random_document(by_wire, 4), "checkers": ["none"]}
    scenario = read_scenario(write_toml(document), "f.toml")
    sealed = Cluster(scenario, by_wire).run()
    assert sealed.sealed_bytes > 0
    assert Cluster(replace(scenario, by_wire=False), by_wire).run() == replace(
        sealed, sealed_bytes=0
    )
