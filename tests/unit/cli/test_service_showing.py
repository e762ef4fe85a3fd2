"""Services as lines and as JSON; nothing of others writes to the terminal."""

from __future__ import annotations

import json

import pytest

from gossipd.catalog.graph import Impact, Loss
from gossipd.services.definition import CheckState
from gossipd.services.instance import ServiceSummary
from gossipd.value import replace
from gossipd_cli.render import as_json
from gossipd_cli.services.graphing import impact_text
from gossipd_cli.services.showing import (
    age_text,
    instance_json,
    instance_table,
    remarks,
    summary_table,
)
from support.template_source import make_instance


def test_services_are_a_line_each() -> None:
    summaries = (
        ServiceSummary(name="db", index=1, passing=1),
        ServiceSummary(
            name="web\x1b[2J",
            index=2,
            passing=2,
            critical=1,
            doubtful=1,
            tags=("v1", "v2"),
            needs=("cache\x1b[2J", "db"),
            is_guarded=True,
        ),
    )
    assert summary_table(summaries).splitlines() == [
        "db          1 passing",
        "web\\x1b[2J  2 passing, 1 critical, 1 doubtful, guarded  v1,v2  needs cache\\x1b[2J,db",
    ]


def test_instances_are_a_line_each_and_say_why() -> None:
    ill = replace(
        make_instance(owner="b", address="::1", status="critical", weight=0),
        owner_status="suspect",
        suspected_at=98.8,
        is_doubtful=True,
        maintenance="new\ndisk",
        load=0.5,
        learned_at=-100.0,
        checks=(
            CheckState("c1", "up", "http", "critical", "503 " + 80 * "x" + "\nmore"),
            CheckState("c2", "", "tcp", "passing", "fine"),
        ),
    )
    well = replace(make_instance(tags=("v1",)), learned_at=97.0)
    first, second = instance_table([well, ill], 100.0).splitlines()
    assert first == "a  web  10.0.0.1:80  passing   weight 1  3s ago  v1"
    assert second == (
        "b  web  [::1]:80     critical  weight 0  3m ago      node suspected for 1.2 s; doubtful;"
        f" maintenance: new\\ndisk; load 0.5; up critical (503 {53 * 'x'}...)"
    )


def test_a_failed_node_is_a_reason() -> None:
    assert remarks(replace(make_instance(), owner_status="failed"), 0.0) == "node failed"
    draining = replace(make_instance(), is_draining=True, maintenance="draining")
    assert remarks(draining, 0.0) == "draining"


def test_an_instance_as_json_has_ages_and_no_clock_of_ours() -> None:
    instance = replace(
        make_instance(meta={"k": "v"}), learned_at=90.0, suspected_at=99.0, owner_status="suspect"
    )
    shown = json.loads(as_json(instance_json(instance, 100.0)))
    assert shown["age_seconds"] == 10.0
    assert shown["suspected_for_seconds"] == 1.0
    assert (shown["node"], shown["id"], shown["port"]) == ("a", "web", 80)
    assert shown["meta"] == {"k": "v"}
    assert "learned_at" not in shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0s"), (3.9, "3s"), (119, "119s"), (120, "2m"), (7200, "2h"), (200000, "2d")],
)
def test_ages_are_short(seconds: float, text: str) -> None:
    assert age_text(seconds) == text


def test_of_many_lost_instances_the_first_are_named() -> None:
    lost = tuple(make_instance(own_id=f"web-{number:02}") for number in range(12))
    text = impact_text("node", "a", Impact(losses=(Loss(service="web", lost=lost, left=3),)))
    assert text.startswith("web: loses 12 of 15 that pass (a/web-00, a/web-01, ")
    assert text.endswith(", a/web-09 and 2 more)\n")
