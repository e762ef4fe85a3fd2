"""Documents written as TOML are read back as they were."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime

import pytest

from gossipd_sim.document import Table, write_toml


def test_a_document_reads_back_as_it_was() -> None:
    document: Table = {
        "name": 'quoted "name" \\ and\ttab, ü, \x7f',
        "nodes": 12,
        "horizon": 90.0,
        "small": 1e-07,
        "quiet": False,
        "names": ["a", "b"],
        "empty": [],
        "day": date(2026, 1, 2),
        "moment": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "swim": {"probe_interval": 0.5, "deep": {"odd key.": True}},
        "faults": [
            {"at": 3.25, "do": "crash", "hosts": "n003"},
            {"at": 7, "do": "link", "laws": {"loss": 0.25, "latency": {"low": 0.1}}},
        ],
    }
    assert tomllib.loads(write_toml(document)) == document


def test_what_toml_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        write_toml({"nothing": None})
