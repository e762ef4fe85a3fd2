"""Where runs are made is no matter: here, in processes, and on Dask they are the same."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gossipd.errors import ConfigError, Unavailable, UsageError
from gossipd_sim.workers import open_workers

CRASH = """
nodes = 4
horizon = 30.0
settle = 20.0
checkers = ["queues"]

[[faults]]
at = 5.0
do = "crash"
hosts = "n002"
"""

_SWEEPS = """
import sys
from gossipd_cli.main import main

def sweep(name, *words):
    sys.stdout = open(sys.argv[2] + "/" + name, "w")
    code = main(["simulate", "sweep", sys.argv[1], "--grid", "nodes=3,4", "--seeds", "3", "--json",
                 "--jobs", "2", *words])
    sys.stdout.close()
    assert code == 0, (name, code)

if __name__ == "__main__":
    from distributed import LocalCluster
    sweep("processes.json")
    sweep("started.json", "--on", "dask")
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1",
        dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False},
    ) as cluster:
        sweep("elsewhere.json", "--on", cluster.scheduler_address.replace("tcp", "dask"))
"""


def test_dask_gives_what_processes_give(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    scenario, program = tmp_path / "crash.toml", tmp_path / "sweeps.py"
    scenario.write_text(CRASH)
    program.write_text(_SWEEPS)
    done = subprocess.run(
        [sys.executable, str(program), str(scenario), str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    processes, *others = (
        json.loads((tmp_path / f"{name}.json").read_text())
        for name in ("processes", "started", "elsewhere")
    )
    assert processes["runs"] == 6
    assert all(len(trace) == 32 for trace in processes["points"][0]["traces"].values())
    assert others == [processes, processes]
    assert "Traceback" not in done.stderr


def test_processes_are_only_counted_here() -> None:
    with open_workers("", 3) as workers:
        assert workers == 3


@pytest.mark.parametrize("on", ["tasks", "dask:", "dask://", "dask://host", "dask://h:0", "x:1"])
def test_another_word_is_refused(on: str) -> None:
    with pytest.raises(UsageError, match="dask://HOST:PORT"), open_workers(on, 1):
        pass


def test_without_dask_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ConfigError, match=r"pip install 'gossipd\[sim\]'"),
        open_workers("dask", 1),
    ):
        pass


class _Client:
    """A stand-in for Dask's client, whose workers say what they are told to."""

    says: object = None

    def __init__(self, address: str, **options: Any) -> None:
        self.address = address

    def __enter__(self) -> _Client:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(self, ask: Any) -> object:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@pytest.mark.parametrize(
    ("says", "said"),
    [
        ({}, "no workers"),
        ({"tcp://10.0.0.9:1": "0.0.1"}, "10.0.0.9:1 has gossipd 0.0.1"),
        (ModuleNotFoundError("No module named 'gossipd_sim'"), "pip install gossipd=="),
    ],
)
def test_workers_that_would_run_other_code_are_refused(
    monkeypatch: pytest.MonkeyPatch, says: object, said: str
) -> None:
    distributed: Any = pytest.importorskip("distributed")
    monkeypatch.setattr(distributed, "Client", _Client)
    monkeypatch.setattr(_Client, "says", says)
    assert importlib.import_module("distributed") is distributed
    with pytest.raises(Unavailable, match=said), open_workers("dask://10.0.0.1:8786", 1):
        pass
