"""One seed gives one run whatever Python runs it (3.11 and newer).

The other versions are those that the machine has; ``.ci/run`` makes a bare
environment for each of them first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gossipd
import gossipd_sim
from support import one_run
from support.interpreters import environment_of, other_interpreters
from support.peers import skip_or_fail


def run_under(python: Path) -> dict[str, object]:
    path = [str(Path(gossipd.__file__).parents[1]), str(Path(gossipd_sim.__file__).parents[1])]
    done = subprocess.run(
        [python, str(Path(one_run.__file__))],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "random",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.slow
def test_every_python_on_this_machine_gives_the_same_runs() -> None:
    others = other_interpreters()
    if not others:
        pytest.skip("this machine has no other Python of 3.11 or newer")
    ours = run_under(Path(sys.executable))["runs"]
    assert isinstance(ours, list)
    assert len(ours) == 3
    for version in others:
        python = environment_of(version)
        if python is None:
            skip_or_fail(f"no environment for {version}: python tests/support/interpreters.py")
        theirs = run_under(python)
        assert str(theirs["python"]).startswith(version)
        assert theirs["runs"] == ours, version
