"""Scenarios as documents: what a TOML file holds, before anybody checked it.

The fuzzer makes documents and the shrinker changes them; both hand them to
``read_scenario`` as text, so that what they find can be kept in a file, read
by a human and run again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, time
from typing import TypeAlias

Table: TypeAlias = dict[str, object]
"""A TOML table: strings, numbers, booleans, times, lists, tables."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def write_toml(document: Mapping[str, object]) -> str:
    """Return ``document`` as TOML text, keys in their order.

    Raises:
        TypeError: a value that TOML cannot hold.
    """
    lines: list[str] = []
    _write_table(lines, (), document)
    return "\n".join(lines) + "\n"


def _write_table(lines: list[str], path: tuple[str, ...], table: Mapping[str, object]) -> None:
    later: list[tuple[str, object]] = []
    for key, value in table.items():
        if isinstance(value, dict) or _is_list_of_tables(value):
            later.append((key, value))
        else:
            lines.append(f"{_key(key)} = {_inline(value)}")
    for key, value in later:
        name = ".".join(map(_key, (*path, key)))
        if isinstance(value, dict):
            lines += ["", f"[{name}]"]
            _write_table(lines, (*path, key), value)
        elif isinstance(value, list):
            for entry in value:
                lines += ["", f"[[{name}]]"]
                for inner_key, inner in entry.items():
                    lines.append(f"{_key(inner_key)} = {_inline(inner)}")


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    # a JSON string is a TOML basic string, but for the one control that JSON leaves bare
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _inline(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _string(value)
        case date() | time():  # no key wants one: it is for the reader to say
            return value.isoformat()
        case list() | tuple():
            return "[" + ", ".join(map(_inline, value)) + "]"
        case dict():
            return "{ " + ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in value.items()) + " }"
        case _:
            raise TypeError(f"{type(value).__name__} cannot be written as TOML")
