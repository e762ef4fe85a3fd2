"""Bugs seeded into a copy of the daemon's code are found by the simulator's checkers.

Each patch is a mistake that somebody could make, in one place. The clean copy
runs the same seeds without a complaint, so what is found is the bug.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gossipd
import gossipd_sim
from gossipd.value import Value
from support import bug_hunt

SEEDS = 5
"""Runs after which a bug counts as not found."""


class Bug(Value):
    """In ``file``, ``right`` stands once after ``after``; ``wrong`` in its place is the bug."""

    name: str
    file: str
    right: str
    wrong: str
    checkers: tuple[str, ...]
    """Any of these must be among those that complain."""
    after: str = ""


BUGS = (
    Bug(
        "a refutation does not raise the incarnation",
        "swim/refutation.py",
        "max(self.value, accused) + 1",
        "max(self.value, accused)",
        ("refutations",),
    ),
    Bug(
        "a suspicion is not cancelled on alive",
        "swim/claims.py",
        "suspicion = self._end_suspicion(after.name)",
        "suspicion = self.suspicions.get(after.name)",
        ("suspicions",),
    ),
    Bug(
        "dead is accepted at a lower incarnation",
        "swim/membership.py",
        "if known is None or claim.incarnation < known.incarnation:",
        "if known is None:",
        ("incarnations",),
        after="def judge_dead",
    ),
    Bug(
        "alive overrides an accusation of the same incarnation",
        "swim/membership.py",
        "claim.incarnation <= known.incarnation and not moves",
        "claim.incarnation < known.incarnation and not moves",
        ("precedence",),
    ),
    Bug(
        "a broadcast is sent once too often",
        "swim/dissemination.py",
        "if broadcast.transmits >= retransmit_limit:",
        "if broadcast.transmits > retransmit_limit:",
        ("transmits",),
    ),
    Bug(
        "every second member is passed over in a round",
        "swim/rotation.py",
        "self._position += 1",
        "self._position += 2",
        ("visits",),
    ),
    Bug(
        "suspicion lasts twice its longest time",
        "swim/claims.py",
        "high=low * config.suspicion_max_timeout_mult",
        "high=2 * low * config.suspicion_max_timeout_mult",
        ("suspicions",),
    ),
    Bug(
        "a death is told again",
        "swim/membership.py",
        "if known.state in (MemberState.DEAD, MemberState.LEFT):\n            return STALE",
        "if known.state is MemberState.LEFT:\n            return STALE",
        ("alternation",),
        after="def judge_dead",
    ),
    Bug(
        "a node believes that it is suspect",
        "swim/membership.py",
        "if claim.node == self._name:\n            return Judgement(Verdict.ABOUT_US",
        "if not claim.node:\n            return Judgement(Verdict.ABOUT_US",
        ("own-entry",),
        after="def judge_suspect",
    ),
    Bug(
        "gossip packets may be larger than the budget",
        "node/packing.py",
        "self._take(self._budget - COMPOUND_OVERHEAD",
        "self._take(2 * self._budget - COMPOUND_OVERHEAD",
        ("datagrams",),
    ),
    Bug(
        "a compound announces one part too many",
        "wire/compound.py",
        "bytes((len(messages),))",
        "bytes((len(messages) + 1,))",
        ("decoding",),
    ),
    Bug(
        "a node that saw a round fail probes nobody any more",
        "swim/prober.py",
        "self._round = None\n        self.arm(now)",
        "self._round = None if succeeded else probe\n        self.arm(now)",
        ("probing",),
    ),
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, compiled once, to be patched and mended in turn."""
    root = tmp_path_factory.mktemp("seeded")
    source = Path(gossipd.__file__).parent
    shutil.copytree(source, root / "gossipd", ignore=shutil.ignore_patterns("__pycache__"))
    assert hunt(root, seeds=1, write_bytecode=True) is None
    return root


def hunt(root: Path, seeds: int, *, write_bytecode: bool = False) -> dict[str, object] | None:
    """Run ``bug_hunt`` on the copy below ``root``; return what it found."""
    path = [str(root), str(Path(gossipd_sim.__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONHASHSEED": "0"}
    environment["PYTHONDONTWRITEBYTECODE"] = "" if write_bytecode else "1"
    done = subprocess.run(
        [sys.executable, str(Path(bug_hunt.__file__)), str(seeds)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] | None = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_seeded_bug_is_found_by_its_checker(bug: Bug, copy: Path) -> None:
    file = copy / "gossipd" / bug.file
    text = file.read_text(encoding="utf-8")
    head, mark, tail = text.partition(bug.after) if bug.after else ("", "", text)
    assert bug.right in tail, "the code changed: write this bug anew"
    file.write_text(head + mark + tail.replace(bug.right, bug.wrong, 1), encoding="utf-8")
    try:
        # what was compiled may look as new as the patch, to the second
        shutil.rmtree(file.parent / "__pycache__", ignore_errors=True)
        found = hunt(copy, SEEDS)
    finally:
        file.write_text(text, encoding="utf-8")
    assert found is not None, "not found"
    told = found["checkers"]
    assert isinstance(told, list)
    assert set(told) & set(bug.checkers), found


def test_the_clean_copy_gives_no_cause_to_complain(copy: Path) -> None:
    assert hunt(copy, SEEDS) is None
