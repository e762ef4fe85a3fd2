"""The unit in ``deploy/systemd`` by systemd's own tool."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.peers import skip_or_fail

pytestmark = pytest.mark.interop

UNIT = Path(__file__).resolve().parents[2] / "deploy" / "systemd" / "gossipd.service"
PROGRAM = "/usr/bin/gossipd"


def complaints(folder: Path, text: str) -> str:
    """Return what systemd says of a unit; its exit code is 0 whatever that is."""
    program = shutil.which("systemd-analyze")
    if program is None:
        skip_or_fail("needs systemd-analyze (Debian package systemd)")
    unit = folder / UNIT.name
    unit.write_text(text.replace(PROGRAM, sys.executable))  # it has to be there
    done = subprocess.run(
        [program, "verify", "--man=no", str(unit)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def test_systemd_has_nothing_to_say_of_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text()
    assert PROGRAM in text
    assert complaints(tmp_path, text) == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("ProtectHome=yes", "ProtectHomes=yes"),
        ("Restart=on-failure", "Restart=sometimes"),
        ("RestrictAddressFamilies=AF_UNIX", "RestrictAddressFamilies=AF_MOON"),
        (PROGRAM, "gossipd/agent"),
    ],
)
def test_what_is_wrong_in_a_unit_would_be_found(tmp_path: Path, right: str, wrong: str) -> None:
    text = UNIT.read_text()
    assert right in text
    assert complaints(tmp_path, text.replace(right, wrong)) != ""
