"""The changelog tells each thing once: merges like to put a paragraph in twice."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

CHANGELOG = (Path(__file__).resolve().parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")


def test_no_entry_stands_twice() -> None:
    for release in re.split(r"^## ", CHANGELOG, flags=re.M)[1:]:
        entries = re.findall(r"^- .*", release, flags=re.M)
        assert entries
        assert [entry for entry, count in Counter(entries).items() if count > 1] == []
