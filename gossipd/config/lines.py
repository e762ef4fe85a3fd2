"""Where the keys of a configuration file stand: key paths to line numbers.

A table within an array is under its number from 0 on: ``("service", "1", "port")``.

The standard parsers keep no positions. A TOML file is taken statement by
statement: one ends with the first line that leaves no bracket and no text
open. In a JSON file objects and arrays are walked with the standard scanner. Both
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
    counts: dict[Path, int] = {}
    table: Path = ()
    for begun, statement in _statements(text):
        parsed = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _opened(parsed, begun, counts, found)
            continue
        for path in _paths(parsed, table):
            found.setdefault(path, begun)
    return found


def _opened(header: Any, begun: int, counts: dict[Path, int], found: dict[Path, int]) -> Path:
    """Return where the keys behind a header belong; ``counts`` has the tables of each array.

    ``[[service.checks]]`` is one more check of the last service.
    """
    path: Path = ()
    while header:
        if isinstance(header, list):
            counts[path] = counts.get(path, -1) + 1
            (header,) = header
            path = (*path, str(counts[path]))
        else:
            ((key, header),) = header.items()
            path = (*path, key)
            if path in counts and isinstance(header, dict):
                path = (*path, str(counts[path]))
        found.setdefault(path, begun)
    return path


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


def _paths(value: Mapping[str, Any], above: Path) -> Iterator[Path]:
    for key, inner in value.items():
        path = (*above, key)
        yield path
        if isinstance(inner, dict):
            yield from _paths(inner, path)
        elif isinstance(inner, list):
            for index, element in enumerate(inner):
                if isinstance(element, dict):
                    yield (*path, str(index))
                    yield from _paths(element, (*path, str(index)))


def _json_lines(text: str) -> dict[Path, int]:
    from json import JSONDecoder

    decode = JSONDecoder().raw_decode
    found: dict[Path, int] = {}
    seen, line = 0, 1

    def skip(at: int, also: str = "") -> int:
        while text[at] in " \t\r\n" or text[at] in also:
            at += 1
        return at

    def line_at(at: int) -> int:
        nonlocal seen, line
        line += text.count("\n", seen, at)
        seen = at
        return line

    def walk(at: int, above: Path) -> int:
        is_list, end = text[at] == "[", "]" if text[at] == "[" else "}"
        at, index = skip(at + 1), 0
        while text[at] != end:
            path, begun = (*above, str(index)), at
            if not is_list:
                key, at = decode(text, at)
                path = (*above, key)
                at = skip(at, ":")
            if not is_list or text[at] == "{":
                found[path] = line_at(begun)
            at = walk(at, path) if text[at] in "{[" else decode(text, at)[1]
            at = skip(at, ",")
            index += 1
        return at + 1

    walk(skip(0), ())
    return found
