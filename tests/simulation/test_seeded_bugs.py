"""Bugs seeded into a copy of the daemon's code are found by the fuzzer, and shrunk.

Each patch is a mistake that somebody could make, in one place. Every search
begins with seed 0 and goes on until a run fails, or the promised number of runs
is reached. Here in small clusters, for they are cheap; with
``GOSSIPD_SEEDED_BUGS=full`` in those that the fuzzer makes by default, and for
some more bugs.

The clean copy runs the same seeds without a complaint, so what is found is the
bug.
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
from support import fuzz_hunt

RUNS = 500
"""Runs after which a bug counts as not found."""
NODES_AT_MOST, FAULTS_AT_MOST = 10, 5
"""What the shrinker must bring every failing run to."""
IS_FULL = os.environ.get("GOSSIPD_SEEDED_BUGS") == "full"
NODES_MAX = 64 if IS_FULL else 8
"""Of a random run; small ones are cheap, and break as well."""
SHRINK_RUNS = 300
SECONDS_MAX = 3600 if IS_FULL else 600
"""Until a search is given up: a guard against a bug that makes the simulator hang."""


class Bug(Value):
    """In ``file``, ``right`` stands once after ``after``; ``wrong`` in its place is the bug."""

    name: str
    file: str
    right: str
    wrong: str
    checkers: tuple[str, ...]
    """Any of these must be among those that complain."""
    after: str = ""
    takes_long: bool = False
    """Left to full searches."""


class Found(Value, kw_only=True):
    """What a search came to: see ``support/fuzz_hunt.py``."""

    seed: int
    runs: int
    checkers: tuple[str, ...]
    nodes: int
    faults: int


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
        "not is_us and claim.incarnation <= known.incarnation:",
        "not is_us and claim.incarnation < known.incarnation:",
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
        "low=low, high=high",
        "low=low, high=2 * high",
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
        "self._round = None\n        self.arm(now, late)",
        "self._round = None if succeeded else probe\n        self.arm(now, late)",
        ("probing",),
    ),
    Bug(
        "a removal that was gossiped is not taken off the shelves",
        "catalog/catalog.py",
        "        if is_new:\n            self._touched",
        "        if is_new and not news.record.removed:\n            self._touched",
        ("service-rest",),
    ),
    Bug(
        "every life of an owner has the same epoch",
        "node/node.py",
        "        check_node_config(config)\n",
        "        check_node_config(config)\n        catalog_epoch = 1\n",
        ("service-rest", "service-records"),
        after="catalog_epoch: int = 1",
        takes_long=True,
    ),
    Bug(
        "the floor is raised over a gap",
        "catalog/item.py",
        "if low <= self.floor:\n            self.floor = high",
        "if low <= high:\n            self.floor = high",
        ("service-rest", "service-records"),
        after="def learn",
    ),
    Bug(
        "only the newest key opens what comes in",
        "wire/crypto.py",
        "for key in keys:",
        "for key in keys[:1]:",
        ("decoding",),
        after="def _try_keys_untrusted",
        takes_long=True,
    ),
    Bug(
        "nobody tries failed members again",
        "serf/reconnect.py",
        "if random.random() > chance:",
        "if random.random() >= 0.0:",
        ("rest",),
        takes_long=True,
    ),
    Bug(
        "local health worsens without bounds",
        "swim/health.py",
        "min(self._score_max, max(0, self.score + delta))",
        "max(0, self.score + delta)",
        ("probing",),
        takes_long=True,
    ),
)
SOUGHT = tuple(bug for bug in BUGS if IS_FULL or not bug.takes_long)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, compiled once, to be patched and mended in turn."""
    root = tmp_path_factory.mktemp("seeded")
    source = Path(gossipd.__file__).parent
    shutil.copytree(source, root / "gossipd", ignore=shutil.ignore_patterns("__pycache__"))
    assert hunt(root, 1, write_bytecode=True) is None
    return root


def hunt(root: Path, runs: int, *, write_bytecode: bool = False) -> Found | None:
    """Fuzz with the copy below ``root``; return what was found and what is left of it."""
    path = [str(root), str(Path(gossipd_sim.__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONHASHSEED": "0"}
    environment["PYTHONDONTWRITEBYTECODE"] = "" if write_bytecode else "1"
    numbers = (0, runs, NODES_MAX, SHRINK_RUNS)
    done = subprocess.run(
        [sys.executable, str(Path(fuzz_hunt.__file__)), *map(str, numbers)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    if found is None:
        return None
    return Found(
        seed=found["seed"],
        runs=found["runs"],
        checkers=tuple(found["checkers"]),
        nodes=found["nodes"],
        faults=found["faults"],
    )


@pytest.mark.slow
@pytest.mark.timeout(SECONDS_MAX + 30)
@pytest.mark.parametrize("bug", SOUGHT, ids=[bug.name for bug in SOUGHT])
def test_a_seeded_bug_is_found_by_the_fuzzer_and_shrunk_to_its_core(bug: Bug, copy: Path) -> None:
    file = copy / "gossipd" / bug.file
    text = file.read_text(encoding="utf-8")
    head, mark, tail = text.partition(bug.after) if bug.after else ("", "", text)
    assert bug.right in tail, "the code changed: write this bug anew"
    file.write_text(head + mark + tail.replace(bug.right, bug.wrong, 1), encoding="utf-8")
    try:
        # what was compiled may look as new as the patch, to the second
        shutil.rmtree(file.parent / "__pycache__", ignore_errors=True)
        found = hunt(copy, RUNS)
    finally:
        file.write_text(text, encoding="utf-8")
    assert found is not None, f"not found within {RUNS} runs"
    assert set(found.checkers) & set(bug.checkers), found
    assert found.nodes <= NODES_AT_MOST, found
    assert found.faults <= FAULTS_AT_MOST, found
    print(bug.name, found)  # noqa: T201  # the record of a full run: pytest -rP


def test_the_clean_copy_gives_no_cause_to_complain(copy: Path) -> None:
    assert hunt(copy, 4) is None
