"""Where the keys of a configuration file stand: key paths to line numbers.

The standard parsers keep no positions. A TOML file is taken statement by
statement: a statement is as many lines as it takes until they parse. In a
JSON file the keys of objects are walked with the standard scanner. Both
expect a text that was parsed as a whole before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]
STATEMENT_LINES_MAX = 2000
"""Of a longer statement only the table's own line is known; nobody writes one by hand."""


def key_lines(name: str, text: str) -> dict[Path, int]:
    """Return the line (from 1) of every key of a legal file, by its path from the root.

    ``name`` ends in ``.json`` for JSON; everything else is TOML.
    """
    return _json_lines(text) if name.endswith(".json") else _toml_lines(text)


def _toml_lines(text: str) -> dict[Path, int]:
    import tomllib

    found: dict[Path, int] = {}
    table = ""
    waiting: list[str] = []
    begun = 0
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if not waiting:
            begun = number
            if not line.strip() or line.lstrip().startswith("#"):
                continue
        waiting.append(line)
        statement = "".join(waiting)
        try:
            parsed = tomllib.loads(table + statement)
        except ValueError:
            if len(waiting) >= STATEMENT_LINES_MAX:
                waiting = []
            continue
        waiting = []
        if statement.lstrip().startswith("["):
            table = statement if statement.endswith("\n") else statement + "\n"
            parsed = tomllib.loads(table)
        for path in _paths(parsed):
            found.setdefault(path, begun)
    return found


def _paths(value: Mapping[str, Any], above: Path = ()) -> Iterator[Path]:
    for key, inner in value.items():
        yield (*above, key)
        if isinstance(inner, dict):
            yield from _paths(inner, (*above, key))


def _json_lines(text: str) -> dict[Path, int]:
    from json import JSONDecoder

    decode = JSONDecoder().raw_decode
    found: dict[Path, int] = {}

    def skip(at: int, also: str = "") -> int:
        while text[at] in " \t\r\n" or text[at] in also:
            at += 1
        return at

    def walk(at: int, above: Path) -> int:
        at = skip(at + 1)
        while text[at] != "}":
            line = text.count("\n", 0, at) + 1
            key, at = decode(text, at)
            path = (*above, key)
            found[path] = line
            at = skip(at, ":")
            at = walk(at, path) if text[at] == "{" else decode(text, at)[1]
            at = skip(at, ",")
        return at + 1

    walk(skip(0), ())
    return found
