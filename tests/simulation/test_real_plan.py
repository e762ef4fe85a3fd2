"""What of a scenario real processes are given to do, and how both sides are compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gossipd.value import replace
from gossipd_cli.simulate import command
from gossipd_sim.cluster import Cluster
from gossipd_sim.errors import ScenarioError
from gossipd_sim.faults import Crash, Leave, Restart
from gossipd_sim.main import load
from gossipd_sim.news import News, Spread
from gossipd_sim.real.comparison import (
    EVERYWHERE,
    FIRST,
    compare,
    comparison_json,
    comparison_text,
    run_virtual,
)
from gossipd_sim.real.plan import RealPlan, make_plan
from gossipd_sim.real.programs import GOSSIPD, SERF
from gossipd_sim.real.run import RealOutcome
from gossipd_sim.scenario import read_scenario

POSSIBLE = """
nodes = 6
horizon = 70.0
settle = 40.0
profile = "local"
late = "n005"
[swim]
probe_interval = 0.5
[wire]
compression = false
[[churn]]
at = 2.0
lasts = 25.0
every = 8.0
away = 4.0
remembers = 0.0
[[faults]]
at = 3.0
do = "crash"
hosts = "random:2"
lasts = 5.0
[[faults]]
at = 4.0
do = "start"
hosts = "n005"
"""


def plan_of(text: str, seed: int = 0) -> RealPlan:
    return make_plan(read_scenario(text, "plan.toml"), seed, GOSSIPD)


def simulate(*words: str) -> Result:
    return CliRunner().invoke(command, words)


def test_the_simulated_side_of_a_plan_suffers_the_same_with_any_seed() -> None:
    plan = plan_of(POSSIBLE, seed=7)
    clusters = [Cluster(plan.scenario, seed) for seed in (1, 2)]
    for cluster in clusters:
        assert [fault for fault in cluster.faults if fault.do != "calm"] == list(plan.faults)
    assert plan.faults != plan_of(POSSIBLE, seed=8).faults
    assert {type(fault) for fault in plan.faults} >= {Crash, Restart}
    assert [boot.hosts for boot in plan.boots] != list(plan.names)
    assert sorted([*(boot.hosts for boot in plan.boots), "n005"]) == list(plan.names)


def test_processes_of_a_formed_cluster_join_through_its_first() -> None:
    plan = plan_of('nodes = 4\nhorizon = 20\nsettle = 5\nbootstrap = "formed"\n')
    assert {boot.hosts: boot.to for boot in plan.boots} == {
        "n000": "",
        "n001": "n000",
        "n002": "n000",
        "n003": "n000",
    }


def test_settings_of_the_scenario_become_words_for_the_daemon() -> None:
    plan = plan_of(POSSIBLE)
    assert plan.profile == "local"
    assert plan.settings == (
        *("--set", "swim.probe_interval=0.5"),
        *("--set", "wire.compression=false"),
    )
    with pytest.raises(ScenarioError, match=r"swim \(only gossipd has such settings\)"):
        make_plan(read_scenario(POSSIBLE, "plan.toml"), 0, SERF)


def test_only_a_restart_with_memory_asks_for_snapshots() -> None:
    text = 'nodes = 3\nhorizon = 20\nsettle = 5\n[[faults]]\nat = 2\ndo = "crash"\n'
    text += 'hosts = "n001"\nlasts = 5\n'
    assert not plan_of(text).keeps_snapshots
    assert plan_of(text + "remember = true\n").keeps_snapshots


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("dirty-links", "cannot do links at 10 s;"),
        ("one-way-link", "one_way at"),
        ("clock-drift", "clock_drift at"),
        ("power-loss", "crash with power_lost at"),
        ("mixed-profiles", "special"),
        ("flip-flop", "partition at 20 s; heal at 23 s; they"),
        ("wan-three-zones", "network"),
    ],
)
def test_what_processes_cannot_do_is_refused_by_name(name: str, named: str) -> None:
    done = simulate("run", name, "--real", "gossipd")
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert named in line
    assert "they can crash, restart" in line


def test_a_missing_serf_is_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    done = simulate("run", "crash-and-leave", "--real", "serf")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "serf program is not installed" in done.stderr


def test_a_report_is_not_of_real_processes(tmp_path: Path) -> None:
    done = simulate("run", "crash-and-leave", "--real", "gossipd", "--report", str(tmp_path))
    assert done.exit_code == 2
    assert "--real" in done.stderr


def test_the_scenario_made_for_real_processes_has_samples_enough() -> None:
    for kind in (GOSSIPD, SERF):
        plan = make_plan(load("crash-and-leave"), 0, kind)
        assert plan.scenario.nodes == 48
        for fault in (Crash, Leave):
            assert sum(type(one) is fault for one in plan.faults) >= 20


def test_medians_are_compared_in_percent_of_the_virtual_ones() -> None:
    virtual = [
        (
            Spread(News.CRASH, "n001", 1.0, (8.0, 9.0), 2),
            Spread(News.CRASH, "n002", 2.0, (10.0, 11.0), 2),
        ),
        (Spread(News.CRASH, "n001", 1.0, (9.0, 9.5), 2), Spread(News.LEAVE, "n3", 3.0, (), 4)),
    ]
    real = RealOutcome(
        kind="gossipd",
        spreads=(
            Spread(News.CRASH, "n001", 5.0, (9.9,), 2),
            Spread(News.FALSE_ALARM, "n002", 5.0, (0.0,), 2),
        ),
        finished=False,
        seconds=12.0,
        troubles=(),
    )
    first, everywhere = compare(virtual, real)
    assert (first.news, first.how) == (News.CRASH, FIRST)
    assert first.virtual.samples == (8.0, 9.0, 10.0)
    assert first.percent == pytest.approx(10.0)
    assert everywhere.how == EVERYWHERE
    assert (everywhere.real.samples, everywhere.real.happened) == ((), 1)
    assert everywhere.percent is None
    plan = plan_of(POSSIBLE)
    text = comparison_text(plan, virtual, real)
    assert "+10.0 %" in text
    assert "0/1" in text
    assert "false alarms: 0 in the simulated runs, 1 among processes" in text
    assert "cut off" in text
    assert "nothing happened" in comparison_text(plan, [()], replace(real, spreads=()))
    found = comparison_json(plan, virtual, real)
    assert json.loads(json.dumps(found)) == found
    assert found["finished"] is False


def test_the_simulated_side_is_the_same_on_one_core_and_two() -> None:
    plan = plan_of(POSSIBLE.replace("nodes = 6", "nodes = 6\n"))
    alone, pool = (
        sorted(run_virtual(plan, (0, 1), jobs), key=lambda spreads: repr(spreads))
        for jobs in (1, 2)
    )
    assert alone == pool
    assert {spread.news for spread in alone[0]} >= {News.CRASH, News.JOIN}
    assert all(spread.at >= 2.0 for spread in alone[0])  # the bootstrap is not compared
