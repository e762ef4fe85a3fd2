"""Compile the hot modules of this interpreter's own gossipd with mypyc.

Run by ``make compiled`` with the interpreter of an installation made for it.
Needs mypy, setuptools and a C compiler. Which modules are compiled changes no
run: ``make bench-simulator`` compares the traces.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

MODULES = {
    "gossipd": ("timers", "outbox", "shared"),
    "gossipd/swim": (
        "anti_entropy", "claims", "dissemination", "health", "membership", "probe", "prober",
        "refutation", "relay", "rotation", "scaling", "suspicion", "swim", "timers",
    ),
    "gossipd/serf": (
        "broadcasts", "inquiries", "intents", "lamport", "members", "reconnect", "roster", "serf",
        "state_sync", "tags", "timers", "upkeep", "user_events",
    ),
    "gossipd/catalog": (
        "early_news", "gaps", "item", "owners", "reconcile", "replica", "spreading", "syncing",
    ),
    "gossipd/node": (
        "carriage", "delivery", "departure", "exchange", "node", "operations", "packing",
        "readings", "service_verbs", "sessions", "traffic", "unsealed",
    ),
    "gossipd/wire": (
        "catalog_codec", "catalog_parts", "codec", "compound", "keyring", "label", "packet",
        "serf_codec",
    ),
    "gossipd_sim": (
        "agreement", "alarm", "birth", "clock", "formed", "host", "inbox", "joiner", "law_rules",
        "ledger", "measures", "network", "outgoing", "queue", "trace", "truth", "world",
    ),
    "gossipd_sim/checkers": (
        "alternation", "datagrams", "decoding", "incarnations", "own_entry",
        "precedence", "probing", "queues", "refutations", "suspicions", "transmits", "visits",
    ),
}  # fmt: skip
"""Classes that derive from ``Value`` stay as they are: mypyc knows no metaclasses."""


def main() -> int:
    """Compile; returns mypyc's exit code."""
    spec = find_spec("gossipd")
    if spec is None or spec.origin is None or find_spec("mypyc") is None:
        sys.stderr.write("needs gossipd, mypy and setuptools installed for this interpreter\n")
        return 2
    root = Path(spec.origin).parents[1]
    if not (root / "gossipd_sim").is_dir():
        sys.stderr.write(f"{root} is no installation of its own: install without --editable\n")
        return 2
    files = [f"{folder}/{name}.py" for folder, names in MODULES.items() for name in names]
    words = [sys.executable, "-m", "mypyc", "--ignore-missing-imports", *files]
    # apart from the other libraries, whose sources mypy would take for ours
    with tempfile.TemporaryDirectory(prefix="gossipd-compiled-") as name:
        apart = Path(name)
        for package in ("gossipd", "gossipd_sim"):
            shutil.copytree(
                root / package, apart / package, ignore=shutil.ignore_patterns("__pycache__")
            )
        done = subprocess.run(words, cwd=apart, check=False)
        if done.returncode == 0:
            for made in apart.rglob("*.so"):
                place = made.relative_to(apart)
                if place.parts[0] != "build":
                    shutil.copy2(made, root / place)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
