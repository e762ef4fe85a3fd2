"""The packaged scenarios: they read, are possible for any seed, and the fast ones run clean."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from gossipd_sim.cluster import Cluster, Outcome
from gossipd_sim.scenario import COSTS, Scenario, library, read_scenario
from gossipd_sim.schedule import make_schedule

NAMES = tuple(library())
FAST = tuple(name for name, path in library().items() if Path(f"{path}").parent.name == "fast")
RARE = tuple(name for name, path in library().items() if Path(f"{path}").parent.name == "rare")
"""Half a minute and more each; run on request."""
NAMED_IN_THE_PLAN = {
    "single-crash",
    "ten-crashes",
    "rack-loss",
    "rolling-restart",
    "mass-restart",
    "bootstrap",
    "churn",
    "lossy-links",
    "bad-cable",
    "one-way-link",
    "flip-flop",
    "split-in-halves",
    "split-off-few",
    "three-way-split",
    "slow-members",
    "frozen-members",
    "clock-drift",
    "name-clash",
    "address-reuse",
    "wan-three-zones",
    "hostile-packets",
    "mixed-profiles",
}
NOBODY_IS_CALLED_DEAD = {
    "bootstrap-at-once",
    "clock-drift",
    "clock-jump",
    "dirty-links",
    "forged-claims",
    "graceful-leave",
    "hostile-packets",
    "late-joiners",
    "name-clash",
    "no-tcp",
    "no-udp",
    "one-way-link",
    "rolling-restart",
}
NO_HEALTHY_ONE_IS_CALLED_DEAD = {
    "anomalies",
    "blocked-senders",
    "deaf-members",
    "flip-flop",
    "frozen-members",
    "slow-members",
}
SEEN_FAILED = {"single-crash", "power-loss", "address-reuse", "new-address", "force-leave"}
"""The crash is noticed by everybody within the longest suspicion and a few probes."""


def scenario(name: str) -> Scenario:
    return read_scenario(library()[name].read_text(encoding="utf-8"), f"{name}.toml")


def number(outcome: Outcome, table: str, *path: str) -> float:
    value = outcome.measures[table]
    for key in path:
        assert isinstance(value, Mapping)
        value = value[key]
    assert isinstance(value, int | float)
    return value


def test_the_library_has_what_was_planned_in_folders_by_cost() -> None:
    assert set(NAMES) >= NAMED_IN_THE_PLAN
    folders = [Path(f"{path}").parent.name for path in library().values()]
    assert folders == sorted(folders, key=COSTS.index)
    assert set(folders) == set(COSTS)


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_it_rehearses_and_is_possible_for_any_seed(name: str) -> None:
    text = library()[name].read_text(encoding="utf-8")
    assert text.startswith("# ")
    read = scenario(name)
    assert read.description
    for seed in range(10 if read.nodes <= 1000 else 1):
        make_schedule(read, Random(seed))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", FAST)
def test_the_fast_ones_run_clean_and_show_what_they_promise(name: str, seed: int) -> None:
    outcome = Cluster(scenario(name), seed).run()
    again = f"gossipd simulate run {name} --seed {seed}"
    assert outcome.violations == (), again
    if name in NOBODY_IS_CALLED_DEAD:
        assert number(outcome, "deaths", "told") == 0, again
    if name in NO_HEALTHY_ONE_IS_CALLED_DEAD:
        assert number(outcome, "deaths", "false_healthy") == 0, again
    if name in SEEN_FAILED:
        assert number(outcome, "detection", "full", "count") > 0, again
        assert number(outcome, "detection", "full", "max") < 30, again


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in (*FAST, *RARE)])
def test_the_slow_ones_run_clean(name: str) -> None:
    outcome = Cluster(scenario(name), 1).run()
    assert outcome.violations == (), f"gossipd simulate run {name} --seed 1"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not os.environ.get("GOSSIPD_SIM_RARE"), reason="set GOSSIPD_SIM_RARE=1")
@pytest.mark.parametrize("name", RARE)
def test_the_rare_ones_run_clean(name: str) -> None:
    outcome = Cluster(scenario(name), 1).run()
    assert outcome.violations == (), f"gossipd simulate run {name} --seed 1"
