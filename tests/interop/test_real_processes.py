"""Scenarios on real processes beside the simulator: both kinds of agent, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gossipd_cli.exits import INTERRUPTED
from support.agents import agent_environment

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("serf_program")]

SCENARIO = """
nodes = 6
horizon = 45.0
settle = 20.0
late = "n005"
[[faults]]
at = 2.0
do = "leave"
hosts = "n003"
lasts = 6.0
[[faults]]
at = 3.0
do = "freeze"
hosts = "n004"
lasts = 20.0
[[faults]]
at = 4.0
do = "start"
hosts = "n005"
[[faults]]
at = 5.5
do = "crash"
hosts = "n002"
lasts = 18.5
remember = true
"""
"""The crash comes after other news: a Serf writes what it remembers with the first record
that is half a second younger than the last it wrote, and killed before that it knows nobody."""
EXPECTED = {
    ("crash", "first"): 1,
    ("leave", "first"): 1,
    ("freeze", "first"): 1,
    ("return", "first"): 3,
    ("join", "first"): 1,
}
"""Pieces of news that somebody must have heard, by kind."""


def run(folder: Path, program: str, *words: str, code: str = "") -> subprocess.Popen[str]:
    """Start the command in ``folder``, where its agents leave their files."""
    file = folder / "short.toml"
    file.write_text(SCENARIO)
    start = ["-c", code] if code else ["-m", "gossipd_cli"]
    return subprocess.Popen(
        [sys.executable, *start, "simulate", "run", str(file), "--real", program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=agent_environment() | {"TMPDIR": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )


def agents_in(folder: Path) -> list[str]:
    """Return the command lines of all processes that name ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if "agent" in words and any(str(folder) in word for word in words):
                found.append(" ".join(words))
    return found


def end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.mark.parametrize("program", ["gossipd", "serf"])
def test_processes_crash_leave_freeze_and_return_as_simulated_ones(
    tmp_path: Path, program: str
) -> None:
    process = run(tmp_path, program, "--seeds", "3", "--jobs", "1", "--json")
    try:
        stdout, stderr = process.communicate(timeout=110)
    finally:
        end(process)
    assert process.returncode == 0, stderr
    found = json.loads(stdout)
    assert found["finished"] is True
    assert found["troubles"] == []
    rows: dict[tuple[str, str], dict[str, Any]] = {
        (row["news"], row["how"]): row for row in found["rows"]
    }
    for key, count in EXPECTED.items():
        assert rows[key]["real"]["count"] == count, rows[key]
        assert rows[key]["virtual"]["count"] == 3 * count, rows[key]
    # one sample each on a busy machine: the order of magnitude, no more
    for key in (("crash", "first"), ("freeze", "first")):
        assert -60 < rows[key]["difference_percent"] < 150, rows[key]
    assert rows["leave", "first"]["real"]["median"] < 5.0
    assert agents_in(tmp_path) == []


def test_an_interrupt_ends_every_process_and_tells_what_was_seen(tmp_path: Path) -> None:
    process = run(tmp_path, "gossipd", "--seeds", "1", "--json", code=_TELLING_NOTES)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("freeze"):
                break
        assert len(agents_in(tmp_path)) >= 3
        os.kill(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == INTERRUPTED, stderr
    assert "Traceback" not in stderr
    assert "every process was ended" in stderr
    found = json.loads(stdout)
    assert found["finished"] is False
    assert agents_in(tmp_path) == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["short.toml"]


_TELLING_NOTES = """
import contextlib, sys
import gossipd_sim.progress

@contextlib.contextmanager
def told(label, total):
    yield lambda by, note: print(note, file=sys.stderr, flush=True)

if __name__ == "__main__":
    gossipd_sim.progress.progress_bar = told
    from gossipd_cli.main import main
    sys.exit(main())
"""
