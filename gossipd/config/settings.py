"""The effective configuration as a list of settings: what holds, and who said so.

Written as TOML it can be fed back. Secrets are never shown: their lines are
comments, so that a copy of the output asks for them instead of using stars.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gossipd.config.load import Loaded
from gossipd.config.options import FILE_ONLY, NODE_SECTIONS, OPTIONS, SECTIONS, Option
from gossipd.config.origin import DEFAULT, Origin
from gossipd.value import Value, fields_of

SECRETS = ("encrypt_key", "rpc_auth", "token", "read_token")
HIDDEN = "(hidden)"
_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")

Plain = str | int | float | bool | tuple[str, ...]


class Setting(Value):
    """One value that holds: ``table`` is empty for a key at the top of a file.

    ``origin`` is for people: ``default``, ``file:line``, a variable, a flag, several
    with commas, or what a running daemon was told later.
    """

    table: str
    key: str
    value: Plain
    origin: str


def settings_of(loaded: Loaded) -> tuple[Setting, ...]:
    """Return every setting of ``loaded``: keys of the top first, then the tables."""
    config, origins = loaded.config, loaded.origins
    found = [
        Setting("", option.key, _top_value(option, loaded), _named(origins, option.target))
        for option in (*OPTIONS, *FILE_ONLY)
        if option.kind not in ("sets", "tags") and "." not in option.target
    ]
    for tag, text in config.node.tags.items():
        found.append(Setting("tags", tag, text, _named(origins, f"tags.{tag}")))
    for section in SECTIONS:
        values = getattr(config.node if section in NODE_SECTIONS else config, section)
        for field in fields_of(values):
            origin = _named(origins, f"{section}.{field}")
            value = getattr(values, field)
            shown = HIDDEN if field in SECRETS and value else value
            found.append(Setting(section, field, shown, origin))
    return tuple(found)


def _top_value(option: Option, loaded: Loaded) -> Plain:
    config = loaded.config
    if option.target == "keys":
        return HIDDEN if config.node.keys else ""
    if option.target == "name":
        return config.node.name
    value: Plain = getattr(config, option.target)
    return HIDDEN if option.key in SECRETS and value else value


def _named(origins: Mapping[str, tuple[Origin, ...]], target: str) -> str:
    return ", ".join(str(origin) for origin in origins.get(target, (DEFAULT,)))


def as_toml(settings: Sequence[Setting]) -> str:
    """Return ``settings`` as a TOML file with the origin of each behind it."""
    return "".join(f"{line}\n" for line in _toml_lines(settings))


def _toml_lines(settings: Sequence[Setting]) -> Iterator[str]:
    table = ""
    for setting in settings:
        if setting.table != table:
            table = setting.table
            yield f"\n[{table}]"
        line = f"{_toml_key(setting.key)} = {_toml_value(setting.value)}"
        if setting.value == HIDDEN and setting.key in SECRETS:
            line = f"# {line}"
        elif setting.key == "encrypt_key" and not table:
            line = f"# {line}"  # no key is the absence of one
        yield f"{line}  # {_printable(setting.origin)}"


def _toml_key(key: str) -> str:
    return key if key and _BARE.issuperset(key) else _toml_text(key)


def _toml_value(value: Plain) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _toml_text(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_toml_text(text) for text in value)}]"
    return repr(value)


def _toml_text(text: str) -> str:
    """Return a basic string; what is no text at all (a lone surrogate) cannot be fed back."""
    return '"' + "".join(_toml_character(c) for c in text) + '"'


def _toml_character(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    if c.isprintable():
        return c
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
