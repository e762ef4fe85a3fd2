"""Every feature of Serf that counts has its line in the document, and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "serf-compatibility.md").read_text(encoding="utf-8")
ROWS = 66
MAY_BE_LEFT_OUT = {16, 30}
"""Old protocol versions and TLS: no feature that a user of Serf's agent misses."""


def rows() -> dict[int, list[str]]:
    """Return the cells of each numbered line of the tables."""
    found = re.findall(r"^\| (\d+) \| (.*) \|$", DOCUMENT, flags=re.M)
    return {int(number): [cell.strip() for cell in rest.split("|")] for number, rest in found}


def existing_tests() -> set[str]:
    """Return the names of all test functions and methods."""
    names: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        names.update(re.findall(r"^\s*(?:async )?def (test_\w+)", text, flags=re.M))
    return names


def test_no_feature_is_left_out() -> None:
    assert list(rows()) == list(range(1, ROWS + 1))
    for number, cells in rows().items():
        assert len(cells) == 3, number
        assert all(cells[:2]), number


@pytest.mark.parametrize("number", sorted(set(range(1, ROWS + 1)) - MAY_BE_LEFT_OUT))
def test_each_feature_names_a_test(number: int) -> None:
    named = re.findall(r"`(test_\w+)`", rows()[number][2])
    assert named
    assert set(named) <= existing_tests()


def test_differing_recordings_are_told_to_operators() -> None:
    for words in (
        "A refused command's body is read",
        "a bad pattern in `members-filtered`",
        "Keys and texts sent as bin are understood",
        "`PrimaryKeys` in `list-keys`",
    ):
        assert words in DOCUMENT
