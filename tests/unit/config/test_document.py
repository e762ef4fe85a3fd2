"""``docs/configuration.md`` names every setting, and no other, with its default."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from gossipd.config.agent_model import AgentConfig
from gossipd.config.faces import DnsConfig, HttpConfig
from gossipd.config.load import load_config
from gossipd.config.model import PROFILES, CatalogConfig, NodeConfig, SerfConfig
from gossipd.config.options import FILE_ONLY, NUMBERS, OPTIONS, SECTIONS, Option
from gossipd.config.origin import ConfigFile
from gossipd.value import Value, fields_of

DOCUMENT = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
KINDS = {float: "duration", int: "count", bool: "switch", str: "text", tuple: "list"}
UNSHOWN = {"node_name": "host name", "socket": "see below"}
"""Defaults that depend on the machine."""


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table behind ``heading``."""
    lines = DOCUMENT[DOCUMENT.index(heading) :].splitlines()
    table: list[list[str]] = []
    for line in lines:
        if line.startswith("|"):
            table.append([cell.strip() for cell in line.strip("|").split("|")])
        elif table:
            break
    return table[2:]


def shown(value: object) -> str:
    """Return a default as the document writes it."""
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case str():
            return f"`{value}`" if value else "none"
        case int():
            return str(value)
        case _:
            assert not value
            return "none"


def section_of(profile: str, section: str) -> Value:
    swim, wire = PROFILES[profile]
    sections: dict[str, Value] = {
        "swim": swim,
        "serf": SerfConfig(),
        "wire": wire,
        "catalog": CatalogConfig(),
        "http": HttpConfig(),
        "dns": DnsConfig(),
    }
    return sections[section]


def shown_default(option: Option) -> str:
    if option.key in UNSHOWN:
        return UNSHOWN[option.key]
    section, _, field = option.target.rpartition(".")
    holder: Value = AgentConfig(node=NodeConfig(name="a"))
    if section in SECTIONS:
        holder = section_of("lan", section)
    value = getattr(holder, field, None)
    if option.key_negates:
        value = not value
    return shown(value)


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def test_every_key_flag_and_variable_is_listed_with_its_default() -> None:
    expected = []
    for option in OPTIONS:
        is_key = option.kind != "sets"
        expected.append(
            [
                code(option.key if is_key else ""),
                code(f"--{option.flag}"),
                code(f"GOSSIPD_{option.key.upper()}" if is_key else ""),
                option.kind if is_key else "repeated",
                shown_default(option),
            ]
        )
    listed = rows("## Keys")
    assert [row[:5] for row in listed] == expected
    assert all(row[5] for row in listed)


def test_every_key_without_flag_is_listed() -> None:
    listed = [row[:3] for row in rows("Further keys of Serf's files")]
    assert listed == [[code(o.key), o.kind, shown_default(o)] for o in FILE_ONLY]


@pytest.mark.parametrize("table", SECTIONS)
def test_every_field_of_a_table_is_listed_with_the_default_of_each_profile(table: str) -> None:
    bases = {profile: section_of(profile, table) for profile in PROFILES}
    expected = []
    for field in fields_of(bases["lan"]):
        values = [shown(getattr(base, field)) for base in bases.values()]
        by_profile = ", ".join(
            f"{profile} {value}" for profile, value in zip(bases, values, strict=True)
        )
        kind = KINDS[type(getattr(bases["lan"], field))] if field not in NUMBERS else "number"
        expected.append([code(field), kind, values[0] if len(set(values)) == 1 else by_profile])
    assert [row[:3] for row in rows(f"### [{table}]")] == expected


def test_the_example_is_a_configuration_that_works() -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```", DOCUMENT, flags=re.M | re.S)
    assert tomllib.loads(example)
    config = load_config([ConfigFile("example.toml", example)], {}, {}, node_name="host")
    assert config.node.name == "web-1"
    assert config.node.swim.probe_interval == 2.0
