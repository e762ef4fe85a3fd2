"""Where the keys of a configuration file stand: key paths to line numbers.

The standard parsers keep no positions. A TOML file is taken statement by
statement: one ends with the first line that leaves no bracket and no text
open. In a JSON file the keys of objects are walked with the standard scanner. Both
expect a text that was parsed as a whole before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gossipd.config.origin import ConfigFile

Path = tuple[str, ...]
_TOKEN = re.compile(
    r"""
    "{3} (?: \\. | [^\\] )*? "{3,5}  # a text of several lines may end with two quotes of its own
    | '{3} .*? '{3,5}
    | " (?: \\. | [^"\\] )* "
    | ' [^']* '
    | \# [^\n]*
    | [][{}\n]
    """,
    re.DOTALL | re.VERBOSE,
)
"""What opens, closes or hides brackets and ends of lines in legal TOML."""


def key_lines(file: ConfigFile) -> dict[Path, int]:
    """Return the line (from 1) of every key of a legal file, by its path from the root."""
    return _json_lines(file.text) if file.is_json else _toml_lines(file.text)


def _toml_lines(text: str) -> dict[Path, int]:
    import tomllib

    found: dict[Path, int] = {}
    table = ""
    for begun, statement in _statements(text):
        parsed = tomllib.loads(table + statement)
        if statement.lstrip().startswith("["):
            table = statement
        for path in _paths(parsed):
            found.setdefault(path, begun)
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each statement of a legal TOML file with the line on which it begins."""
    depth, begin, line, begun = 0, 0, 1, 1
    text += "\n"
    for token in _TOKEN.finditer(text):
        word = token[0]
        line += word.count("\n")
        if word in "[{":
            depth += 1
        elif word in "]}":
            depth -= 1
        elif word == "\n" and not depth:
            statement = text[begin : token.end()]
            if statement.strip() and not statement.lstrip().startswith("#"):
                yield begun, statement
            begin, begun = token.end(), line


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
