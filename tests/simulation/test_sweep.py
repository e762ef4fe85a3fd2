"""A grid of settings: the order of the grid, tables, files, failures and interrupts."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gossipd_cli.simulate import command
from gossipd_sim.grid import Source, parse_axis
from gossipd_sim.sweep import Sweep
from gossipd_sim.trial import TrialResult, run_trial
from support.interruptible import interrupted, program_telling

CRASH = """
nodes = 4
horizon = 40.0
settle = 25.0
checkers = ["rest"]

[[faults]]
at = 5.0
do = "crash"
hosts = "n002"
"""
SPLIT = """
nodes = 4
horizon = 40.0
settle = 25.0
checkers = ["rest"]

[[faults]]
at = 5.0
do = "partition"
groups = ["50%", "rest"]
lasts = 10.0
"""
"""If it lasts until shortly before the end, the halves still show each other as failed there."""
SOURCE = Source("crash.toml", "crash.toml", CRASH)


def simulate(*words: str) -> Result:
    return CliRunner().invoke(command, words)


@pytest.fixture
def crash(tmp_path: Path) -> str:
    file = tmp_path / "crash.toml"
    file.write_text(CRASH)
    return str(file)


def make_sweep(*axes: str, seeds: int = 2) -> Sweep:
    return Sweep(SOURCE, [parse_axis(axis) for axis in axes], (), range(seeds))


def test_results_are_in_the_order_of_the_grid_whatever_the_order_of_finishing() -> None:
    forwards, backwards = (make_sweep("nodes=3,4", "swim.gossip_nodes=1,2") for _ in range(2))
    trials = forwards.campaign.trials
    results = [
        TrialResult(f"{trial.place}/{trial.seed}", 1.0, 1, (), {"deaths.false": float(place)})
        for place, trial in enumerate(trials)
    ]
    for trial, result in zip(trials, results, strict=True):
        forwards.campaign.take(trial, result)
    for trial, result in reversed(list(zip(trials, results, strict=True))):
        backwards.campaign.take(trial, result)
    assert forwards.to_json() == backwards.to_json()
    assert forwards.to_csv() == backwards.to_csv()
    points = forwards.to_json()["points"]
    assert isinstance(points, list)
    assert [point["settings"] for point in points] == [
        {"nodes": 3, "swim.gossip_nodes": 1},
        {"nodes": 3, "swim.gossip_nodes": 2},
        {"nodes": 4, "swim.gossip_nodes": 1},
        {"nodes": 4, "swim.gossip_nodes": 2},
    ]
    assert points[3]["traces"] == {"0": "3/0", "1": "3/1"}


def test_a_run_that_breaks_is_a_violation_of_its_point(monkeypatch: pytest.MonkeyPatch) -> None:
    from gossipd_sim.cluster import Cluster, Outcome

    def run(self: Cluster) -> Outcome:
        raise AssertionError("planted")

    monkeypatch.setattr(Cluster, "run", run)
    sweep = make_sweep("nodes=3,4", seeds=1)
    for trial in sweep.campaign.trials:
        sweep.campaign.take(trial, run_trial(trial))
    assert sweep.rows()[1][:4] == ["3", "1", "1", "-"]
    assert "exception: AssertionError: planted" in sweep.failures()
    assert "gossipd simulate run crash.toml --set nodes=4 --seed 0\n" in sweep.failures()


def test_a_sweep_shows_a_row_for_each_point_and_writes_a_line_for_each_run(
    crash: str, tmp_path: Path
) -> None:
    file = tmp_path / "runs.csv"
    words = ("sweep", crash, "--grid", "nodes=3,5", "--seeds", "2", "--jobs", "1")
    done = simulate(*words, "--measure", "detection.first.median", "--write", str(file))
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines()[2:]]
    assert rows[0] == ["nodes", "RUNS", "VIOLATIONS", "detection.first.median"]
    assert [row[:3] for row in rows[1:]] == [["3", "2", "0"], ["5", "2", "0"]]
    with file.open(newline="") as lines:
        runs = list(csv.DictReader(lines))
    assert [(run["nodes"], run["seed"]) for run in runs] == [
        ("3", "0"), ("3", "1"), ("5", "0"), ("5", "1"),
    ]  # fmt: skip
    assert all(float(run["detection.first.median"]) > 0 for run in runs)


def test_a_failing_point_names_the_command_that_fails_again(tmp_path: Path) -> None:
    file = tmp_path / "split.toml"
    file.write_text(SPLIT)
    split = str(file)
    late = simulate(
        "sweep", split, "--grid", "settle=0.5,25", "--set", "faults[0].lasts=34.4", "--jobs", "1"
    )
    assert late.exit_code == 2  # it heals within the 25 s of rest: refused before anything runs
    short = simulate(
        *("sweep", split, "--grid", "settle=0.5,0.6", "--set", "faults[0].lasts=34.4"),
        *("--seeds", "1", "--jobs", "1"),
    )
    assert short.exit_code == 1
    assert "VIOLATIONS: 2 runs" in short.stdout
    again = next(line for line in short.stdout.splitlines() if "gossipd simulate run" in line)
    assert "--set 'faults[0].lasts=34.4' --set settle=0.5 --seed 0" in again
    repeated = simulate(
        *("run", split, "--set", "faults[0].lasts=34.4", "--set", "settle=0.5", "--seed", "0")
    )
    assert repeated.exit_code == 1


def test_a_full_disk_does_not_lose_the_table(crash: str) -> None:
    words = ("--grid", "nodes=3,4", "--seeds", "1", "--jobs", "1", "--write", "/dev/full")
    done = simulate("sweep", crash, *words)
    assert done.exit_code == 1
    assert done.stderr == "gossipd: --write /dev/full: cannot be written: No space left on device\n"
    assert len(done.stdout.splitlines()) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--grid", "swim.probe_intervall=1,2"), "swim.probe_intervall: unknown key"),
        (("--grid", "nodes=3,many"), "nodes: 'many'"),
        (("--grid", "nodes=3", "--grid", "nodes=4"), "twice"),
        (("--grid", "nodes=3", "--on", "disk"), "--on 'disk'"),
        (("--grid", "nodes=3", "--on", "dask://here"), "dask://HOST:PORT"),
        (("--grid", "nodes=3", "--write", "/no/such/folder/runs.csv"), "there is no such folder"),
    ],
)
def test_what_makes_no_sense_ends_with_2_and_one_line(
    crash: str, words: tuple[str, ...], said: str
) -> None:
    done = simulate("sweep", crash, *words, "--jobs", "1")
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr


@pytest.mark.parametrize("on", [(), ("--on", "dask")], ids=["processes", "dask"])
def test_an_interrupt_keeps_and_reports_what_was_finished(
    crash: str, tmp_path: Path, on: tuple[str, ...]
) -> None:
    if on:
        pytest.importorskip("distributed")
    file = tmp_path / "runs.csv"
    code, stdout, stderr = interrupted(
        *(_UNTIL_INTERRUPTED, "three are done", "simulate", "sweep", crash),
        *("--grid", "nodes=3,4", "--seeds", "5000", "--jobs", "2", "--json"),
        *("--write", str(file), *on),
    )
    assert code == 130, stderr
    report = json.loads(stdout)
    assert 3 <= report["runs"] < 10_000
    assert sum(point["runs"] for point in report["points"]) == report["runs"]
    assert len(file.read_text().splitlines()) == report["runs"] + 1
    assert f"interrupted after {report['runs']} of 10000 runs" in stderr
    assert "Traceback" not in stderr


def test_an_interrupt_while_dask_starts_ends_it_without_a_word_of_its_own(crash: str) -> None:
    pytest.importorskip("distributed")
    done = subprocess.run(
        [
            *(sys.executable, "-c", _INTERRUPTED_AT_THE_START, "simulate", "sweep", crash),
            *("--grid", "nodes=3,4", "--seeds", "500", "--jobs", "2", "--json", "--on", "dask"),
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 130, done.stderr
    # on a busy machine some runs may have come through by then
    told = re.fullmatch(r"gossipd: interrupted after (\d+) of 1000 runs\n", done.stderr)
    assert told is not None
    assert json.loads(done.stdout)["runs"] == int(told[1]) < 1000


_INTERRUPTED_AT_THE_START = """
import os, signal, sys, threading
import distributed

cluster = distributed.LocalCluster

def interrupted(**options):
    threading.Timer(0.5, os.killpg, (0, signal.SIGINT)).start()
    return cluster(**options)

if __name__ == "__main__":
    distributed.LocalCluster = interrupted
    from gossipd_cli.main import main
    sys.exit(main())
"""


_UNTIL_INTERRUPTED = program_telling(3, "three are done")
