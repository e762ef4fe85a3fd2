"""What is in ``deploy/`` speaks of metrics, options and commands that there are."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gossipd.config.options import OPTIONS
from gossipd.metrics.families import FAMILIES, HISTOGRAM, SUMMARY

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "gossipd.rules.yml"
DASHBOARD = DEPLOY / "grafana" / "gossipd.json"


def series() -> set[str]:
    """Return the names of all series that ``/metrics`` has."""
    found = set()
    for family in FAMILIES:
        found.add(family.name)
        if family.kind in (SUMMARY, HISTOGRAM):
            found |= {f"{family.name}_count", f"{family.name}_sum"}
        if family.kind == HISTOGRAM:
            found.add(f"{family.name}_bucket")
    return found


@pytest.mark.parametrize(
    "path", [RULES, RULES.with_suffix("").with_suffix(".rules.test.yml"), DASHBOARD]
)
def test_rules_and_dashboard_know_only_metrics_that_exist(path: Path) -> None:
    named = set(re.findall(r"(?<![a-z:])gossipd_[a-z0-9_]+", path.read_text()))
    assert named
    assert named - series() == set()


def test_labels_that_are_chosen_by_exist() -> None:
    by_series = {}
    for family in FAMILIES:
        for name in series():
            if name == family.name or name.startswith(f"{family.name}_"):
                by_series[name] = {*family.labels, "job", "instance", "le"}
    for path in (RULES, DASHBOARD):
        text = path.read_text().replace('\\"', '"')
        for name, selector in re.findall(r"(gossipd_[a-z0-9_]+)\{([^}]*)\}", text):
            labels = set(re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", selector))
            assert labels <= by_series[name], (name, labels)


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def test_every_panel_says_what_it_shows_and_asks_something() -> None:
    shown = [panel for panel in panels() if panel["type"] != "row"]
    assert len(shown) > 30
    for panel in shown:
        assert panel["title"]
        assert panel["description"].endswith((".", "failed", "one"))
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["expr"].count("(") == target["expr"].count(")")
            assert "$job" in target["expr"]
    titles = [panel["title"] for panel in shown]
    assert len(set(titles)) == len(titles)
    identities = [panel["id"] for panel in panels()]
    assert len(set(identities)) == len(identities)


def test_panels_do_not_lie_on_each_other() -> None:
    rows: dict[int, list[dict[str, int]]] = {}
    for panel in panels():
        rows.setdefault(panel["gridPos"]["y"], []).append(panel["gridPos"])
    end = 0
    for y, places in sorted(rows.items()):
        assert y >= end
        end = y + max(place["h"] for place in places)
        for left, right in pairwise(sorted(places, key=lambda place: place["x"])):
            assert left["x"] + left["w"] <= right["x"]
        assert max(place["x"] + place["w"] for place in places) <= 24


def test_the_unit_starts_the_daemon_with_options_that_there_are() -> None:
    text = (DEPLOY / "systemd" / "gossipd.service").read_text()
    (command,) = re.findall(r"^ExecStart=((?:.*\\\n)*.*)$", text, flags=re.M)
    words = command.replace("\\\n", " ").split()
    assert words[:2] == ["/usr/bin/gossipd", "agent"]
    flags = {f"--{option.flag}" for option in OPTIONS} | {"--config"}
    assert {word for word in words if word.startswith("--")} <= flags
