"""Single values of a configuration: text of a file, variable or flag into a typed value.

Each function raises ``ConfigError`` without naming the key; ``load.py`` puts
source and key in front.
"""

from __future__ import annotations

import binascii

from gossipd.duration import read_duration
from gossipd.errors import ConfigError

_YES = ("true", "1", "yes", "on", "t")
_NO = ("false", "0", "no", "off", "f")
COUNT_MAX = 2**63 - 1
"""What is larger is a slip, and no float could hold it."""


def seconds_from(value: object) -> float:
    """Return seconds from a number of seconds or a Go duration (``1h30m``, ``200ms``)."""
    try:
        return read_duration(value)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def number_from(value: object) -> float:
    """Return a number from 0 on, also from text."""
    try:
        number = float(value) if isinstance(value, int | float | str) else -1.0
    except (ValueError, OverflowError):
        number = -1.0
    if isinstance(value, bool) or not 0 <= number < float("inf"):
        raise ConfigError(f"{value!r} is not a number from 0 on")
    return number


def switch_from(value: object) -> bool:
    """Return a boolean from one, or from true/false, yes/no, on/off, 1/0."""
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ConfigError(f"{value!r} is neither true nor false")


def count_from(value: object) -> int:
    """Return a whole number from 0 on."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        # longer ones are a ValueError of Python's own
        value = int(value.strip().lstrip("0")[:30] or "0")
    if isinstance(value, int) and not isinstance(value, bool) and value > COUNT_MAX:
        raise ConfigError("the number is far too large")
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ConfigError(f"{value!r} is not a whole number from 0 on")


def text_from(value: object) -> str:
    """Return text as it is."""
    if isinstance(value, str):
        return value
    raise ConfigError(f"{value!r} is not text")


def list_from(value: object, separator: str = ",") -> tuple[str, ...]:
    """Return texts from a list; a single text is split at ``separator``."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(separator) if part.strip())
    if isinstance(value, list | tuple):
        return tuple(text_from(part) for part in value)
    raise ConfigError(f"{value!r} is not a list of texts")


def tags_from(value: object) -> dict[str, str]:
    """Return tags from a table of texts, or from ``key=value`` words (a list, or with commas)."""
    if isinstance(value, dict):
        return {text_from(key): text_from(text) for key, text in value.items()}
    tags = {}
    for word in list_from(value):
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise ConfigError(f"Invalid tag: '{word}'; write key=value")
        tags[key] = text
    return tags


def key_from(value: object) -> bytes:
    """Return an encryption key of 16, 24 or 32 bytes from its base64 text."""
    try:
        key = binascii.a2b_base64(text_from(value).strip(), strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigError("Invalid encryption key: it is not base64") from error
    if len(key) not in (16, 24, 32):
        raise ConfigError(f"Invalid encryption key: {len(key)} bytes; a key has 16, 24 or 32 bytes")
    return key
