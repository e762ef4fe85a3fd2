"""Formulas of cluster size, against values computed by the reference implementation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gossipd.swim.scaling import (
    confirmations_wanted,
    push_pull_interval,
    retransmit_limit,
    suspicion_minimum,
    suspicion_timeout,
)

VECTORS = Path(__file__).parents[2] / "interop" / "vectors" / "gossip" / "formulas.json"


def rows(name: str) -> list[dict[str, Any]]:
    for vector in json.loads(VECTORS.read_text()):
        if vector["name"] == f"formula.{name}":
            found: list[dict[str, Any]] = vector["decoded"]
            assert found
            return found
    raise AssertionError(f"no vector {name}")


def test_case_81_the_vector_file_holds_exactly_the_formulas_tested_here() -> None:
    names = {vector["name"] for vector in json.loads(VECTORS.read_text())}
    assert names == {
        "formula.push_pull_scale",
        "formula.retransmit_limit",
        "formula.suspicion_remaining",
        "formula.suspicion_timeout",
    }


def test_case_81_push_pull_interval_equals_the_reference() -> None:
    for row in rows("push_pull_scale"):
        interval = row["interval_ms"] / 1000
        assert push_pull_interval(interval, row["n"]) == row["scaled_ms"] / 1000, row


def test_case_81_retransmit_limit_equals_the_reference() -> None:
    for row in rows("retransmit_limit"):
        assert retransmit_limit(row["retransmit_mult"], row["n"]) == row["limit"], row


def test_case_81_suspicion_minimum_equals_the_reference() -> None:
    for row in rows("suspicion_timeout"):
        interval = row["probe_interval_ms"] / 1000
        low = suspicion_minimum(row["suspicion_mult"], row["n"], interval)
        assert round(low * 1e9) == row["timeout_ns"], row


def test_case_81_suspicion_remaining_equals_the_reference() -> None:
    for row in rows("suspicion_remaining"):
        total = suspicion_timeout(row["n_confirmations"], row["k"], row["min_s"], row["max_s"])
        assert round((total - row["elapsed_s"]) * 1e9) == row["remaining_ns"], row


def test_case_93_an_entry_is_sent_four_times_among_nine_nodes_and_eight_among_ten() -> None:
    assert retransmit_limit(4, 9) == 4
    assert retransmit_limit(4, 10) == 8


def test_case_96_push_pull_slows_down_above_32_nodes() -> None:
    assert [push_pull_interval(30.0, n) for n in (32, 33, 65)] == [30.0, 60.0, 90.0]


@pytest.mark.parametrize(("nodes", "wanted"), [(1, 0), (2, 0), (3, 0), (4, 2), (10, 2), (1000, 2)])
def test_confirmations_are_wanted_only_where_there_are_nodes_to_give_them(
    nodes: int, wanted: int
) -> None:
    assert confirmations_wanted(4, nodes) == wanted


def test_a_small_suspicion_multiplier_wants_no_confirmations() -> None:
    assert confirmations_wanted(1, 100) == 0
    assert confirmations_wanted(2, 100) == 0


def test_without_wanted_confirmations_the_shortest_time_counts() -> None:
    assert suspicion_timeout(0, 0, 4.0, 24.0) == 4.0


def test_lan_numbers_of_the_specification_hold() -> None:
    assert suspicion_minimum(4, 10, 1.0) == 4.0
    assert suspicion_minimum(4, 100, 1.0) == 8.0
    assert suspicion_timeout(1, 2, 4.0, 24.0) == pytest.approx(11.381)
