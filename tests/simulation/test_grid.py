"""Settings on the command line: read as TOML, put where they belong, checked by the reader."""

from __future__ import annotations

import pytest

from gossipd_sim.errors import ScenarioError
from gossipd_sim.grid import (
    Source,
    grid_of,
    make_variant,
    parse_axis,
    parse_setting,
)

TEXT = """
nodes = 3
horizon = 30.0
settle = 10.0

[swim]
probe_interval = 1.0

[[faults]]
at = 10.0
do = "crash"
hosts = "n002"
"""
SOURCE = Source("small.toml", "small.toml", TEXT)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("swim.probe_interval=0.5", 0.5),
        ("nodes=32", 32),
        ("swim.stream_ping=false", False),
        ("profile=wan", "wan"),
        ('profile="wan"', "wan"),
        ("faults[0].hosts=random:1", "random:1"),
        ("checkers=['visits', 'queues']", ["visits", "queues"]),
        ("network.latency={ low = 0.1, high = 0.2 }", {"low": 0.1, "high": 0.2}),
    ],
)
def test_a_value_is_toml_and_what_is_no_toml_is_a_text(text: str, value: object) -> None:
    setting = parse_setting(text)
    assert setting.value == value
    assert str(setting) == text


@pytest.mark.parametrize(
    "text", ["nodes", "nodes=", "=3", "swim..x=1", "faults[a].at=1", "[0]=1", "a b=1", ""]
)
def test_a_setting_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError, match="KEY=VALUE"):
        parse_setting(text)


def test_an_axis_is_cut_at_commas_that_are_not_inside_something() -> None:
    axis = parse_axis('network.latency=0.1,{ low = 0.1, high = 0.2 },"0,5"')
    assert [setting.value for setting in axis.settings] == [
        0.1,
        {"low": 0.1, "high": 0.2},
        "0,5",
    ]


@pytest.mark.parametrize(("text", "said"), [("nodes=3,,4", "VALUE"), ("nodes=3,4,3", "twice")])
def test_an_axis_of_another_form_is_refused(text: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        parse_axis(text)


def test_the_last_axis_of_a_grid_turns_fastest() -> None:
    points = grid_of([parse_axis("nodes=3,4"), parse_axis("swim.gossip_nodes=1,2")])
    assert [[str(setting) for setting in point] for point in points] == [
        ["nodes=3", "swim.gossip_nodes=1"],
        ["nodes=3", "swim.gossip_nodes=2"],
        ["nodes=4", "swim.gossip_nodes=1"],
        ["nodes=4", "swim.gossip_nodes=2"],
    ]


def test_a_grid_with_a_key_on_two_axes_or_far_too_many_points_is_refused() -> None:
    with pytest.raises(ScenarioError, match="nodes: is on the grid twice"):
        grid_of([parse_axis("nodes=3"), parse_axis("nodes=4")])
    hundred = ",".join(map(str, range(101)))
    with pytest.raises(ScenarioError, match="10201 points"):
        grid_of([parse_axis(f"nodes={hundred}"), parse_axis(f"horizon={hundred}")])


def test_settings_change_what_they_name_and_nothing_else() -> None:
    settings = [
        parse_setting(text)
        for text in ("swim.probe_interval=2", "faults[0].at=12.5", "network.loss=0.1")
    ]
    changed, plain = make_variant(SOURCE, settings).scenario, make_variant(SOURCE, ()).scenario
    assert changed.swim == {"probe_interval": 2}
    assert changed.faults[0].at == 12.5
    assert changed.laws.loss == 0.1
    assert changed.nodes == plain.nodes
    assert plain.swim == {"probe_interval": 1.0}


def test_of_two_settings_of_one_key_the_later_one_wins() -> None:
    variant = make_variant(SOURCE, [parse_setting("nodes=4"), parse_setting("nodes=5")])
    assert variant.scenario.nodes == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("swim.probe_intervall=2", "swim.probe_intervall: unknown key; did you mean"),
        ("swim.probe_interval=soon", "swim.probe_interval: 'soon'"),
        ("faults[1].at=3", r"faults\[1\].at: there are only 1"),
        ("nodes.more=3", "nodes.more: nodes is no table"),
        ("swim.probe_timeout=3", "probe_timeout 3 is above probe_interval"),
        ("faults[0].hosts=n009", "n009"),
        ("nodes=2026-01-02", "nodes: .* is not a whole number"),
        (f"nodes={'1' * 5000}", "nodes: .* is not a whole number|nodes: the number is far"),
        (f"nodes={'[' * 5000}", "nodes: .* is not a whole number"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_with_file_key_and_setting(
    text: str, said: str
) -> None:
    with pytest.raises(ScenarioError, match=said) as refused:
        make_variant(SOURCE, [parse_setting(text)])
    assert str(refused.value).startswith("small.toml: ")
    assert str(refused.value).endswith(f"(with {text})")


def test_what_is_wrong_without_the_settings_is_not_blamed_on_them() -> None:
    source = Source("bad.toml", "bad.toml", TEXT.replace("settle", "setle"))
    with pytest.raises(ScenarioError) as refused:
        make_variant(source, [parse_setting("nodes=4")])
    assert "setle" in str(refused.value)
    assert "nodes=4" not in str(refused.value)


def test_the_command_that_repeats_a_run_is_quoted_for_a_shell() -> None:
    variant = make_variant(SOURCE, [parse_setting("faults[0].hosts=random:1")])
    assert (
        variant.command("run", 7)
        == "gossipd simulate run small.toml --set 'faults[0].hosts=random:1' --seed 7"
    )
