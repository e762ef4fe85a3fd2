"""Every key of a file is found on the line where it stands."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.config.lines import key_lines
from gossipd.config.origin import ConfigFile

TOML = '''# a comment

node_name = "a"
retry_join = [   # several lines
  "x",
  "[tags]",
]
note = """
bind = 3
"""
tags.dc = "east"

[swim]
probe_interval = "2s"
[mdns]
interface = "eth0"
'''


def lines_of(name: str, text: str) -> dict[tuple[str, ...], int]:
    return key_lines(ConfigFile(name, text))


def test_statements_of_toml_are_counted_by_their_first_line() -> None:
    assert lines_of("a.toml", TOML) == {
        ("node_name",): 3,
        ("retry_join",): 4,
        ("note",): 8,
        ("tags",): 11,
        ("tags", "dc"): 11,
        ("swim",): 13,
        ("swim", "probe_interval"): 14,
        ("mdns",): 15,
        ("mdns", "interface"): 16,
    }


def test_a_table_written_in_one_line_and_lines_of_windows_are_understood() -> None:
    text = 'tags = { a = "1", b = "2" }\r\nbind = "x"'
    assert lines_of("a.toml", text) == {
        ("tags",): 1,
        ("tags", "a"): 1,
        ("tags", "b"): 1,
        ("bind",): 2,
    }


@pytest.mark.parametrize(
    "value",
    [
        '"\u2028 \x85 \u2029"',  # ends of lines for Python, and none for TOML
        '"""\n[a\n"x" \\""" = {\n"""',
        '"""a"""""',
        "'''\n# [\n'''",
        "'C:\\'",
        '"# [" # ] "',
        '[ # [\n "]", # "\n [1, 2],\n\n]',
    ],
)
def test_no_value_of_toml_hides_what_comes_behind_it(value: str) -> None:
    text = f"a = {value}\n\nb = 1\n"
    lines = lines_of("a.toml", text)
    assert lines == {("a",): 1, ("b",): text.split("\n").index("b = 1") + 1}


def test_a_list_of_many_lines_is_read_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """It took seconds when each line was tried as the last one."""
    real, sizes = tomllib.loads, []

    def counted(text: str) -> dict[str, object]:
        sizes.append(len(text))
        return real(text)

    monkeypatch.setattr(tomllib, "loads", counted)
    text = f"a = [\n{chr(10).join(['1,'] * 5000)}\n]\nb = 1"
    assert lines_of("a.toml", text) == {("a",): 1, ("b",): 5003}
    assert sum(sizes) == len(text) + 1


def test_keys_of_json_are_found_also_behind_text_that_looks_like_them() -> None:
    text = '{\n "a": "\\"b\\": 1 }",\n\n "tags"\n :\n {"x": [{"y": 1}],\n "z": "\\u00e9"}, "c": -1}'
    assert lines_of("a.json", text) == {
        ("a",): 2,
        ("tags",): 4,
        ("tags", "x"): 6,
        ("tags", "x", "0"): 6,
        ("tags", "x", "0", "y"): 6,
        ("tags", "z"): 7,
        ("c",): 7,
    }
    assert lines_of("a.json", "  {} ") == {}


TABLES = """
[[service]]
name = "web"
[service.meta]
a = "1"
[[service.checks]]
http = "/"
[[service.checks]]
tcp = ""
[[service]]
name = "db"
checks = [{ ttl = "5s" },
 { tcp = "", interval = 3 }]
"""


def test_tables_of_an_array_are_under_their_number() -> None:
    assert lines_of("a.toml", TABLES) == {
        ("service",): 2,
        ("service", "0"): 2,
        ("service", "0", "name"): 3,
        ("service", "0", "meta"): 4,
        ("service", "0", "meta", "a"): 5,
        ("service", "0", "checks"): 6,
        ("service", "0", "checks", "0"): 6,
        ("service", "0", "checks", "0", "http"): 7,
        ("service", "0", "checks", "1"): 8,
        ("service", "0", "checks", "1", "tcp"): 9,
        ("service", "1"): 10,
        ("service", "1", "name"): 11,
        ("service", "1", "checks"): 12,
        ("service", "1", "checks", "0"): 12,
        ("service", "1", "checks", "0", "ttl"): 12,
        ("service", "1", "checks", "1"): 12,
        ("service", "1", "checks", "1", "tcp"): 12,
        ("service", "1", "checks", "1", "interval"): 12,
    }
    text = '{"service": [\n {"name": "web",\n "tags": ["a", "b"]},\n {"checks": [{\n "ttl": 1}]}]}'
    assert lines_of("a.json", text) == {
        ("service",): 1,
        ("service", "0"): 2,
        ("service", "0", "name"): 2,
        ("service", "0", "tags"): 3,
        ("service", "1"): 4,
        ("service", "1", "checks"): 4,
        ("service", "1", "checks", "0"): 4,
        ("service", "1", "checks", "0", "ttl"): 5,
    }


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=6), st.sampled_from([None, 0, 2]))
def test_each_key_of_any_json_object_gets_a_line_within_the_text(
    value: dict[str, object], indent: int | None
) -> None:
    text = json.dumps(value, indent=indent)
    lines = lines_of("a.json", text)
    assert {path[0] for path in lines} == set(value)
    for (key, *_), line in lines.items():
        assert json.dumps(key) in text.splitlines()[line - 1] or len(_) > 0
