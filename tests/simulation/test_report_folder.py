"""``gossipd simulate run --report``: what is in the folder, and which folders are refused."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ElementTree
from errno import ENOSPC
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gossipd_cli.simulate import command
from gossipd_sim.markdown import FIRST_LINE
from gossipd_sim.report_folder import FILES, PICTURES
from support.interruptible import interrupted, program_telling

SMALL = """
name = "small"
description = "Four nodes | one stops."
nodes = 4
horizon = 60.0
settle = 40.0

[[faults]]
at = 10.0
do = "crash"
hosts = "random:1"
"""
TOO_SHORT = """
name = "short"
nodes = 4
horizon = 60.0
settle = 0.5

[[faults]]
at = 10.0
do = "partition"
groups = ["50%", "rest"]
lasts = 49.0
"""
"""At the end the halves still show each other as failed: the rest was too short."""
AXES = {
    "detection": "seconds since the crash",
    "infection": "share of members that know",
    "views": "members shown as alive",
    "traffic": "bytes a member a second",
}
PNG = b"\x89PNG\r\n\x1a\n"


def simulate(*words: str) -> Result:
    return CliRunner().invoke(command, words)


@pytest.fixture
def small(tmp_path: Path) -> str:
    file = tmp_path / "small.toml"
    file.write_text(SMALL)
    return str(file)


def test_a_report_tells_all_and_is_the_same_again(small: str, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "report"
    words = ("run", small, "--seed", "3", "--report", str(folder))
    done = simulate(*words)
    assert done.exit_code == 0, done.output
    assert f"wrote {folder / 'report.md'}" in done.stdout
    written = {entry.name: entry.read_bytes() for entry in folder.iterdir()}
    assert set(written) == set(FILES)
    assert all(written[name].startswith(PNG) for name in PICTURES if name.endswith(".png"))
    for name in PICTURES:
        if name.endswith(".svg"):
            assert ElementTree.fromstring(written[name]).tag.endswith("svg")
    for name, axis in AXES.items():
        assert axis in written[f"{name}.svg"].decode()
    page = written["report.md"].decode()
    assert page.startswith(FIRST_LINE)
    for part in (
        "Four nodes | one stops.",
        f"gossipd simulate run {small} --seed 3 --report {folder}\n",
        "![How news spreads](infection.svg)",
        "| detection: crashes | 1 |",
        "| 10.000 | crash n00",
        "None: no checker complained.",
        'hosts = "random:1"',
    ):
        assert part in page
    plain = simulate("run", small, "--seed", "3", "--json").stdout
    assert json.loads(written["outcome.json"]) == json.loads(plain)
    curves = json.loads(written["curves.json"])["3"]
    assert [one["news"] for one in curves["spreads"] if one["at"] == 10.0] == ["crash"]
    assert simulate(*words).exit_code == 0  # over the one that is there
    assert {entry.name: entry.read_bytes() for entry in folder.iterdir()} == written


def test_several_seeds_are_pooled_and_the_same_on_one_core_and_two(
    small: str, tmp_path: Path
) -> None:
    change = ("--set", "swim.suspicion_mult=5")
    words = ("run", small, "--seeds", "3", *change, "--report", str(tmp_path / "out"), "--json")
    alone = simulate(*words, "--jobs", "1")
    first = {entry.name: entry.read_bytes() for entry in (tmp_path / "out").iterdir()}
    pool = simulate(*words, "--jobs", "2")
    assert alone.exit_code == pool.exit_code == 0
    assert alone.stdout == pool.stdout
    assert {entry.name: entry.read_bytes() for entry in (tmp_path / "out").iterdir()} == first
    runs = json.loads(pool.stdout)["runs"]
    assert [run["seed"] for run in runs] == [0, 1, 2]
    page = first["report.md"].decode()
    assert "seeds 0, 1, 2" in page
    assert "--set swim.suspicion_mult=5 --seed 0 --seeds 3" in page
    assert "suspicion_mult = 5" in page
    assert "| detection: first: count | 1 | 1 | 1 | 3 |" in page
    for run in runs:
        assert f"| `{run['trace']}` |" in page


@pytest.mark.parametrize(("nodes", "bootstrap"), [(1, "one seed"), (3, "formed")])
def test_a_run_without_any_news_is_drawn_all_the_same(
    tmp_path: Path, nodes: int, bootstrap: str
) -> None:
    file = tmp_path / "calm.toml"
    file.write_text(f"nodes = {nodes}\nhorizon = 5\nsettle = 1\nbootstrap = {bootstrap!r}\n")
    done = simulate("run", str(file), "--report", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert {entry.name for entry in (tmp_path / "out").iterdir()} == set(FILES)
    assert "there was no news" in (tmp_path / "out" / "infection.svg").read_text()
    curves = json.loads((tmp_path / "out" / "curves.json").read_text())["0"]
    assert all(spread["delays"] == [] for spread in curves["spreads"])


def test_several_seeds_without_a_report_are_shown_as_a_table(small: str) -> None:
    done = simulate("run", small, "--seeds", "2", "--jobs", "1")
    assert done.exit_code == 0
    assert "2 seeds from 0 on" in done.stdout
    assert "median" in done.stdout.splitlines()[2]
    assert "clean: no checker complained" in done.stdout


def test_violations_are_in_the_report_and_end_with_1(tmp_path: Path) -> None:
    file = tmp_path / "short.toml"
    file.write_text(TOO_SHORT)
    done = simulate("run", str(file), "--report", str(tmp_path / "out"))
    assert done.exit_code == 1
    page = (tmp_path / "out" / "report.md").read_text()
    assert "violations**" in page
    assert "rest at n00" in page


@pytest.mark.parametrize("content", ["notes.txt", "report.md"])
def test_a_folder_that_is_not_ours_is_refused_and_kept(
    small: str, tmp_path: Path, content: str
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / content).write_text("my own\n")
    done = simulate("run", small, "--report", str(folder))
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert str(folder) in done.stderr
    assert [entry.name for entry in folder.iterdir()] == [content]
    assert (folder / content).read_text() == "my own\n"


def test_a_file_in_the_place_of_the_folder_is_refused(small: str) -> None:
    done = simulate("run", small, "--report", small)
    assert done.exit_code == 2
    assert "is not a folder" in done.stderr


def test_a_folder_that_cannot_be_made_is_refused_before_the_work(small: str) -> None:
    done = simulate("run", small, "--report", f"{small}/out/deep")
    assert done.exit_code == 2
    assert f"no folder can be made in {small}" in done.stderr
    assert done.stdout == ""


def test_names_that_are_no_text_are_escaped_in_a_report(tmp_path: Path) -> None:
    file = tmp_path / "sma\udcffll.toml"
    file.write_text(SMALL.replace('name = "small"\n', ""))
    folder = tmp_path / "out"
    words = ("--set", "description=b\udcfed", "--report", str(folder))
    done = simulate("run", str(file), *words)
    assert done.exit_code == 0, done.output
    page = (folder / "report.md").read_text()
    assert "sma?ll" in page
    assert "sma\\udcffll.toml" in page
    assert "b\\udcfed" in page


def test_a_report_that_cannot_be_written_does_not_lose_the_measures(
    small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *_: object, **__: object) -> int:
        raise OSError(ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", full)
    folder = tmp_path / "out"
    done = simulate("run", small, "--report", str(folder))
    assert done.exit_code == 1
    assert f"--report {folder}: cannot be written: No space left" in done.stderr
    assert "detection" in done.stdout
    assert "wrote" not in done.stdout


def test_without_matplotlib_all_but_the_plots_is_written(
    small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "gossipd_sim.plots", raising=False)
    folder = tmp_path / "out"
    done = simulate("run", small, "--report", str(folder))
    assert done.exit_code == 0
    (line,) = done.stderr.splitlines()
    assert "no plots" in line
    assert "pip install 'gossipd[sim]'" in line
    assert {entry.name for entry in folder.iterdir()} == set(FILES) - set(PICTURES)
    page = (folder / "report.md").read_text()
    assert "pip install 'gossipd[sim]'" in page
    assert ".svg" not in page


def test_an_interrupt_reports_the_seeds_that_were_finished(small: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    words = ("simulate", "run", small, "--seeds", "500", "--jobs", "2", "--report", str(folder))
    code, _, stderr = interrupted(_RUN_UNTIL_INTERRUPTED, "two are done", *words)
    assert code == 130, stderr
    assert "Traceback" not in stderr
    runs = json.loads((folder / "outcome.json").read_text())["runs"]
    assert 2 <= len(runs) < 500
    assert f"interrupted after {len(runs)} of 500 seeds" in stderr


_RUN_UNTIL_INTERRUPTED = program_telling(2, "two are done")
