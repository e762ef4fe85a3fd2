"""Lifeguard's and Rapid's experiments: the bench itself, and small samples with loose bands.

The samples are those of ``gossipd simulate papers --quick`` with their fixed seed.
Their bands are wider than those of the full ones: a median of some twenty
detections may be off by 0.8 s, or 8 points; of false positives only the ratio of
Lifeguard to SWIM is held, at 10 %.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from gossipd.address import Address
from gossipd.config.model import SwimConfig
from gossipd.swim.events import MemberFailed
from gossipd.swim.scaling import suspicion_bounds
from gossipd.value import replace
from gossipd_sim.checkers import insight
from gossipd_sim.network import Datagram
from gossipd_sim.papers import lifeguard_interval
from gossipd_sim.papers.figure import Figure
from gossipd_sim.papers.lifeguard_bench import (
    ALL_CONFIGURATIONS,
    BY_CODE,
    CONCURRENCIES,
    CONFIGURATIONS,
    DURATIONS_MS,
    INTERVALS_MS,
    SETTLING,
    Bench,
    swim_of,
)
from gossipd_sim.papers.lifeguard_interval import run_interval
from gossipd_sim.papers.rapid import drain_seconds
from gossipd_sim.papers.rapid_bench import LargeCluster
from gossipd_sim.papers.recipe import Effort, Findings, Result, Task
from gossipd_sim.papers.recipes import RECIPES

ROOT = 0


def tasks(name: str, effort: Effort = Effort.QUICK) -> list[Task]:
    return RECIPES[name].split(effort, ROOT)


def findings(name: str) -> Findings:
    """Run the quick sample of a recipe."""
    recipe = RECIPES[name]
    results = [Result(task=task, sample=recipe.work(task)) for task in tasks(name)]
    return recipe.judge(results, Effort.QUICK)


def failing(figures: Sequence[Figure]) -> list[str]:
    return [
        f"{figure.quantity}: {figure.measured:g}, band {figure.band}"
        for figure in figures
        if not figure.holds
    ]


# -- the bench ------------------------------------------------------------------------


def test_the_configurations_differ_in_the_three_parts_alone() -> None:
    swim, lifeguard = (swim_of(CONFIGURATIONS[name]) for name in ("SWIM", "Lifeguard"))
    wanted, low, high = suspicion_bounds(swim, 128)
    assert (wanted, low, high) == (0, 10.535, 10.535)
    wanted, low, high = suspicion_bounds(lifeguard, 128)
    assert (wanted, low) == (3, 10.535)
    assert high == pytest.approx(63.21)
    assert (swim.awareness_max_multiplier, lifeguard.awareness_max_multiplier) == (1, 8)
    assert (swim.buddy_system, lifeguard.buddy_system) == (False, True)
    assert lifeguard.probe_interval == swim.probe_interval == SwimConfig().probe_interval


def test_three_confirm_whatever_the_tuning() -> None:
    assert suspicion_bounds(swim_of(CONFIGURATIONS["Lifeguard"], 2, 6), 128)[0] == 3


def test_the_health_rules_are_the_papers_unless_the_name_says_otherwise() -> None:
    for name, label in BY_CODE.items():
        ours, theirs = swim_of(ALL_CONFIGURATIONS[label]), swim_of(CONFIGURATIONS[name])
        assert (ours.paper_health, theirs.paper_health) == (SwimConfig().paper_health, True)
        assert replace(ours, paper_health=True) == theirs


@pytest.mark.parametrize(("name", "worst"), [("Lifeguard", 0), (BY_CODE["Lifeguard"], 2)])
def test_memberlists_nacks_come_too_late_for_a_well_prober(name: str, worst: int) -> None:
    bench = Bench(swim_of(ALL_CONFIGURATIONS[name]), 1, 1, 12)
    well = [host.node for host in bench.site.hosts.values() if host not in bench.sick]
    scores: set[int] = set()
    start = bench.site.world.now
    for step in range(60):
        bench.site.world.at(
            start + 0.05 + step / 10.0,
            lambda: scores.update(insight.health_score(node) for node in well if node is not None),
        )
    bench.threshold(6.0)
    assert max(scores) == worst, "one less than the failure cost: the next probe succeeds at once"


def test_the_sick_are_sick_together_and_nobody_else_is() -> None:
    bench = Bench(swim_of(CONFIGURATIONS["SWIM"]), 3, 1, 12, handling=0.0)
    site, seen = bench.site, set()
    start = site.world.now
    assert start == SETTLING
    for step in range(1, 16):
        site.world.at(start + step - 0.5, lambda: seen.add(hindered(bench)))
    bench.interval(2.0, 1.0, 15.0)
    assert seen == {(), tuple(host.name for host in bench.sick)}
    assert site.world.now - start == 17.0, "the first anomaly that ends after 15 s"
    assert hindered(bench) == ()


def test_sick_agents_alone_need_time_for_a_backlog_and_only_between_anomalies() -> None:
    read: dict[str, list[float]] = {}
    bench = Bench(swim_of(CONFIGURATIONS["SWIM"]), 2, 1, 12, handling=0.05)
    for host in bench.site.hosts.values():
        node = host.node
        assert node is not None
        take, times = node.receive_packet, read.setdefault(host.name, [])

        def note(
            data: Datagram,
            source: Address,
            now: float,
            take: Callable[..., None] = take,
            times: list[float] = times,
        ) -> None:
            times.append(now)
            take(data, source, now)

        node.receive_packet = note  # type: ignore[method-assign]
    start = bench.site.world.now
    bench.interval(4.0, 0.12, 10.0)
    sick = {host.name for host in bench.sick}
    for name, times in read.items():
        if name in sick:
            taken = [round(when - start, 6) for when in times]
            assert taken, "it reads in the breaks"
            assert set(taken) <= {4.05, 4.1, 8.17, 8.22}, "streams take their time as well"
        else:
            assert min(b - a for a, b in pairwise(times)) < 0.05


def hindered(bench: Bench) -> tuple[str, ...]:
    return tuple(host.name for host in bench.site.hosts.values() if host.is_hindered)


def test_false_positives_are_those_about_agents_with_no_anomaly() -> None:
    bench = Bench(swim_of(CONFIGURATIONS["SWIM"]), 2, 1, 12)
    sick = bench.sick[0]
    well = next(host for host in bench.site.hosts.values() if host not in bench.sick)
    assert sick.node is not None
    members = {member.name: member for member in sick.node._swim.members}

    def tell(witness: str, about: str) -> tuple[int, int]:
        event = MemberFailed(members[about], "x", 0, None)
        bench.tally.on_event(bench.site.hosts[witness], event, bench.site.world.now + 3.0)
        return bench.tally.false, bench.tally.false_at_healthy

    assert tell(well.name, sick.name) == (0, 0)
    assert tell(sick.name, well.name) == (1, 0)
    assert tell(well.name, well.name) == (2, 1)
    assert bench.tally.seen[sick.name] == {well.name: 3.0}


def test_anomalies_that_outlast_no_suspicion_are_detected_by_nobody() -> None:
    bench = Bench(swim_of(CONFIGURATIONS["SWIM"]), 2, 3, 16)
    assert bench.threshold(4.0) == []


# -- samples ---------------------------------------------------------------------------


def test_a_ninth_of_the_grid_runs_once_in_each_configuration_with_the_same_chance() -> None:
    grid = tasks("L3", Effort.FULL)
    assert len(grid) == 7 * 48
    cells: dict[tuple[float, ...], set[int]] = {}
    for task in grid:
        cells.setdefault(tuple(task.number(name) for name in "CDI"), set()).add(task.seed)
    assert len(cells) == 48 >= 0.1 * 9 * 6 * 8
    assert all(len(seeds) == 1 for seeds in cells.values())
    assert {cell[0] for cell in cells} == set(CONCURRENCIES)
    assert {cell[1] for cell in cells} == set(DURATIONS_MS)
    assert {cell[2] for cell in cells} == set(INTERVALS_MS)
    assert len({task.seed for task in grid}) == 48


@pytest.mark.parametrize("name", ["L1", "L2"])
def test_detection_takes_as_long_as_published(name: str) -> None:
    assert failing(findings(name).figures) == []


def test_lifeguard_prevents_most_false_positives() -> None:
    assert failing(findings("L3").figures) == []


def test_a_run_of_a_cell_is_the_same_again() -> None:
    task = tasks("L3")[0]
    small = replace(task, parameters={**task.parameters, "agents": 16, "lasts": 20.0})
    assert run_interval(small) == run_interval(small)


def test_the_ratios_of_the_full_sample_are_taken_over_all_cells() -> None:
    counts = {"SWIM": 200.0, "LHA-Probe": 120.0, "LHA-Suspicion": 8.0, "Buddy": 180.0}

    def sample(task: Task) -> dict[str, list[float]]:
        fp = counts.get(task.text("configuration"), 4.0) * (task.count("C") == 4)
        return {"fp": [fp], "healthy": [fp], "messages": [100.0], "bytes": [100.0]}

    results = [Result(task=task, sample=sample(task)) for task in tasks("L3", Effort.FULL)]
    found = {
        figure.quantity: figure for figure in RECIPES["L3"].judge(results, Effort.FULL).figures
    }
    assert found["false positives (FP), LHA-Probe"].measured == 60.0
    assert found["false positives (FP), LHA-Probe"].note == "", "it holds"
    assert found["false positives (FP), Lifeguard"].measured == 2.0
    assert found["FP at healthy agents (FP-), Buddy"].measured == 90.0
    order = lifeguard_interval.PARTS_IN_ORDER
    assert found[order].measured == 4
    assert found["messages sent, Lifeguard"].measured == 100.0
    assert not found["messages sent, Lifeguard"].holds


def test_a_known_reason_stands_beside_a_figure_above_its_band() -> None:
    results = [
        Result(
            task=task,
            sample={
                "fp": [float(task.count("C") ** 2)],
                "healthy": [0.0],
                "messages": [1.0],
                "bytes": [1.0],
            },
        )
        for task in tasks("L3", Effort.FULL)
    ]
    above = [f for f in RECIPES["L3"].judge(results, Effort.FULL).figures if f.measured > f.high]
    assert {figure.quantity for figure in above if figure.note} == set(lifeguard_interval.REASONS)


@pytest.mark.parametrize("name", ["L5", "L6"])
def test_exhausted_hosts_and_mass_crashes_do_as_expected(name: str) -> None:
    assert failing(findings(name).figures) == []


# -- Rapid -----------------------------------------------------------------------------


def test_the_news_of_a_bootstrap_take_longer_than_linear_to_send() -> None:
    assert drain_seconds(1000) == pytest.approx(76.2, abs=0.1)
    assert drain_seconds(2000) == pytest.approx(152.4, abs=0.1)


def test_views_follow_those_who_crash() -> None:
    cluster = LargeCluster(12, 1)
    cluster.form()
    cluster.site.run(1.0)
    assert cluster.views.write_down(cluster.names) == (12, 12)
    (victim,), others = cluster.victims(1)
    cluster.site.hosts[victim].crash()
    cluster.site.run(20.0)
    assert cluster.views.write_down(others) == (11, 11)
    assert {name for _, _, name in cluster.views.removals} == {victim}
    assert cluster.views.returns == []


@pytest.mark.parametrize("name", ["R1", "R2"])
def test_large_clusters_form_and_shrink_as_measured(name: str) -> None:
    assert failing(findings(name).figures) == []
