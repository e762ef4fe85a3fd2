"""``gossipd simulate`` as an operator types it: what it prints and how it ends."""

from __future__ import annotations

import json
import os
import signal
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gossipd_cli.simulate import command
from gossipd_sim.scenario import library
from support.interruptible import interrupted, program_telling

SMALL = """
name = "small"
description = "Three nodes, one of which stops."
nodes = 3
horizon = 70.0
settle = 40.0

[[faults]]
at = 10.0
do = "crash"
hosts = "n002"
"""
TOO_SHORT = """
name = "short"
nodes = 3
horizon = 70.0
settle = 0.5

[[faults]]
at = 10.0
do = "partition"
groups = ["n000,n001", "n002"]
lasts = 59.0
"""
"""At the end the parts still show each other as failed: the rest was too short."""


def simulate(*words: str) -> Result:
    return CliRunner().invoke(command, words)


@pytest.fixture
def small(tmp_path: Path) -> str:
    file = tmp_path / "small.toml"
    file.write_text(SMALL)
    return str(file)


def test_without_a_command_the_help_is_shown() -> None:
    shown = simulate()
    assert shown.exit_code == 0
    for name in (
        "list",
        "run",
        "fuzz",
        "replay",
        "shrink",
        "compare",
        "sweep",
        "explain",
        "papers",
    ):
        assert f"  {name} " in shown.stdout


def test_list_names_every_scenario_of_the_library() -> None:
    shown = simulate("list")
    assert shown.exit_code == 0
    names = [line.split()[0] for line in shown.stdout.splitlines()[1:]]
    assert sorted(names) == sorted(library())
    listed = json.loads(simulate("list", "--json").stdout)
    assert [one["name"] for one in listed] == names
    assert {one["cost"] for one in listed} <= {"fast", "slow", "rare"}
    assert all(one["description"] for one in listed)


def test_a_clean_run_of_a_file_ends_with_0_and_a_table(small: str) -> None:
    done = simulate("run", small, "--seed", "3")
    assert done.exit_code == 0, done.output
    assert "clean: no checker complained" in done.stdout
    assert "virtual time" in done.stdout


def test_json_of_a_run_is_the_same_each_time_and_differs_by_seed(small: str) -> None:
    first, again, other = (
        simulate("run", small, "--json", "--seed", seed).stdout for seed in ("3", "3", "4")
    )
    assert first == again
    assert json.loads(first)["clean"] is True
    assert json.loads(first)["trace"] != json.loads(other)["trace"]


def test_nodes_changes_the_size(small: str) -> None:
    three = json.loads(simulate("run", small, "--json").stdout)
    eight = json.loads(simulate("run", small, "--json", "--nodes", "8").stdout)
    assert eight["events_done"] > 2 * three["events_done"]


def test_violations_are_shown_and_end_with_1(tmp_path: Path) -> None:
    file = tmp_path / "short.toml"
    file.write_text(TOO_SHORT)
    done = simulate("run", str(file))
    assert done.exit_code == 1
    assert "VIOLATIONS: " in done.stdout
    assert "n002" in done.stdout
    found = json.loads(simulate("run", str(file), "--json").stdout)
    assert found["clean"] is False
    assert found["violations"]
    assert set(found["violations"][0]) == {"checker", "host", "at", "text"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("nodes = 3", "nodes = 3\nnods = 4"), "nods"),
        (("n002", "n009"), "n009"),
        (("at = 10.0", "at = -10.0"), "at"),
        (("nodes = 3", "nodes = = 3"), "line 4"),
    ],
)
def test_a_scenario_that_makes_no_sense_ends_with_2_and_one_line(
    tmp_path: Path, change: tuple[str, str], named: str
) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(SMALL.replace(*change))
    done = simulate("run", str(file))
    assert done.exit_code == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "bad.toml" in done.stderr
    assert named in done.stderr


@pytest.mark.parametrize("name", ["no_such_scenario", "no/such/file.toml"])
def test_an_unknown_scenario_ends_with_2(name: str) -> None:
    done = simulate("run", name)
    assert done.exit_code == 2
    assert name in done.stderr


def test_fuzz_finds_the_same_with_one_process_and_with_two() -> None:
    words = ("fuzz", "--runs", "4", "--nodes-max", "4", "--seed", "100", "--json")
    alone = simulate(*words, "--jobs", "1")
    pool = simulate(*words, "--jobs", "2")
    assert json.loads(alone.stdout) == json.loads(pool.stdout)
    assert sorted(json.loads(alone.stdout)["traces"]) == ["100", "101", "102", "103"]


def test_replay_does_what_fuzz_did_and_saves_the_scenario(tmp_path: Path) -> None:
    small_ones = ("--nodes-max", "4", "--json")
    fuzzed = json.loads(
        simulate("fuzz", "--runs", "1", "--jobs", "1", "--seed", "100", *small_ones).stdout
    )
    file = tmp_path / "saved.toml"
    replayed = json.loads(simulate("replay", "100", *small_ones, "--save", str(file)).stdout)
    assert replayed["trace"] == fuzzed["traces"]["100"]
    assert tomllib.loads(file.read_text())["name"] == "fuzz-100"
    run = json.loads(simulate("run", str(file), "--seed", "100", "--json").stdout)
    assert run["trace"] == replayed["trace"]


def test_failing_seeds_are_listed_with_the_command_that_replays_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    breaking_runs(monkeypatch)
    done = simulate("fuzz", "--runs", "2", "--jobs", "1", "--nodes-max", "4", "--seed", "5")
    assert done.exit_code == 1
    assert "2 runs, 2 failing" in done.stdout
    assert "exception" in done.stdout
    assert "gossipd simulate replay 5 --nodes-max 4\n" in done.stdout
    assert "gossipd simulate replay 6 --nodes-max 4\n" in done.stdout


def test_shrink_writes_a_smaller_scenario_that_run_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    breaking_runs(monkeypatch)
    file = tmp_path / "shrunk.toml"
    done = simulate("shrink", "5", "--nodes-max", "8", "--runs", "60", "--save", str(file))
    assert done.exit_code == 1
    assert "exception still complains" in done.stdout
    small = tomllib.loads(file.read_text())
    assert small["nodes"] <= 3
    assert small["faults"] == []


@pytest.mark.parametrize("verb", ["replay", "shrink"])
def test_a_place_where_nothing_can_be_saved_is_refused_before_the_work(
    verb: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    breaking_runs(monkeypatch)
    file = tmp_path / "none" / "saved.toml"
    done = simulate(verb, "5", "--nodes-max", "4", "--save", str(file))
    assert done.exit_code == 2
    assert done.stderr == f"gossipd: --save {file}: there is no such folder; make it first\n"


def test_what_was_shrunk_is_shown_also_when_it_cannot_be_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    breaking_runs(monkeypatch)
    words = ("--nodes-max", "4", "--runs", "5", "--save", "/dev/full")
    done = simulate("shrink", "5", *words)
    assert done.exit_code == 1
    assert "--save /dev/full: cannot be written" in done.stderr
    assert "exception still complains" in done.stdout


def breaking_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every run break after three seconds."""
    from gossipd_sim.cluster import Cluster, Outcome

    def run(self: Cluster) -> Outcome:
        self.world.run_until(3.0)
        raise AssertionError("planted")

    monkeypatch.setattr(Cluster, "run", run)


def test_shrinking_a_clean_seed_says_so() -> None:
    done = simulate("shrink", "100", "--nodes-max", "4")
    assert done.exit_code == 0
    assert "clean" in done.stderr
    assert json.loads(simulate("shrink", "100", "--nodes-max", "4", "--json").stdout) == {
        "checker": None,
        "seed": 100,
        "runs": 1,
        "toml": None,
    }


@pytest.mark.parametrize("whom", ["the group", "the command alone"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_and_reports_what_was_finished(
    number: signal.Signals, whom: str
) -> None:
    code, stdout, stderr = interrupted(
        *(_FUZZ_UNTIL_INTERRUPTED, "three are done"),
        *("simulate", "fuzz", "--runs", "5000", "--jobs", "2", "--nodes-max", "4", "--json"),
        number=number,
        send=os.killpg if whom == "the group" else os.kill,
    )
    assert code == 130, stderr
    report = json.loads(stdout)
    assert 3 <= report["runs"] < 5000
    assert len(report["traces"]) == report["runs"]
    assert f"interrupted after {report['runs']} of 5000 runs" in stderr
    assert "Traceback" not in stderr
    assert "leaked" not in stderr


_FUZZ_UNTIL_INTERRUPTED = program_telling(3, "three are done")


def test_by_wire_the_run_is_the_same_and_its_sealed_bytes_are_known(small: str) -> None:
    plain = json.loads(simulate("run", small, "--json").stdout)
    sealed = json.loads(simulate("run", small, "--json", "--wire").stdout)
    assert plain.pop("sealed_bytes") is None
    assert sealed.pop("sealed_bytes") > 1000
    assert plain == sealed
    assert "sealed bytes" in simulate("run", small, "--wire").stdout
    one = json.loads(simulate("replay", "5", "--nodes-max", "4", "--json").stdout)
    other = json.loads(simulate("replay", "5", "--nodes-max", "4", "--json", "--wire").stdout)
    assert one["trace"] == other["trace"]
