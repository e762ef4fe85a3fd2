"""What is shipped: the three packages and their licence, nothing else."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_wheel_holds_the_packages_the_command_and_the_licence(tmp_path: Path) -> None:
    built = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--disable-pip-version-check", "--wheel-dir", str(tmp_path), str(ROOT)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = next(name for name in names if name.endswith("entry_points.txt"))
        assert "gossipd = gossipd_cli.main:main" in archive.read(entry_points).decode()
    tops = {name.split("/")[0] for name in names}
    (metadata,) = {top for top in tops if top.endswith(".dist-info")}
    assert tops == {"gossipd", "gossipd_cli", "gossipd_sim", metadata}
    assert "gossipd/py.typed" in names
    assert {"gossipd/rest/ui/page.html", "gossipd/rest/ui/page.css"} <= set(names)
    assert "gossipd/rest/ui/main.js" in names
    assert "gossipd_cli/py.typed" in names
    assert "gossipd_sim/py.typed" in names
    scenario = re.compile(r"gossipd_sim/scenarios/(fast|slow|rare)/[a-z-]+\.toml")
    assert sum(1 for name in names if scenario.fullmatch(name)) >= 20
    assert "gossipd_sim/py.typed" in names
    assert "gossipd_sim/scenarios/fast/single-crash.toml" in names
    assert any(name.endswith("LICENSE") for name in names)
    assert not [name for name in names if "__pycache__" in name]


@pytest.mark.parametrize("folder", ["cli", "simulations"])
def test_source_roots_are_not_packages(folder: str) -> None:
    assert importlib.util.find_spec(folder) is None


def test_importing_gossipd_loads_neither_trio_nor_click() -> None:
    program = (
        "import sys, gossipd; "
        "print(sorted({'trio', 'click', 'anyio', 'cryptography', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
