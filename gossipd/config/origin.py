"""Where a setting comes from, and what is wrong with one: values beside the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gossipd.errors import ConfigError
from gossipd.value import Value


class Origin(Value):
    """One source: a file with the line of the key, a variable, a flag, or a default.

    ``line`` and ``column`` count from 1; 0 is unknown or meaningless.
    """

    name: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if self.column:
            return f"{self.name}:{self.line}:{self.column}"
        return f"{self.name}:{self.line}" if self.line else self.name


DEFAULT = Origin("default")


class Complaint(Value):
    """One thing that is wrong; ``key`` is empty where the text or the source names it."""

    origin: Origin
    key: str
    text: str

    def __str__(self) -> str:
        parts = (str(self.origin) if self.origin != DEFAULT else "", self.key, self.text)
        return ": ".join(part for part in parts if part)


class ConfigFile(Value):
    """One configuration file: its name, for messages, and what it says."""

    name: str
    text: str

    @property
    def is_json(self) -> bool:
        """It is JSON by its name, or begins as no TOML can: Serf reads JSON of any name."""
        return self.name.endswith(".json") or self.text.lstrip()[:1] == "{"


def placed(error: ConfigError, origins: Mapping[str, tuple[Origin, ...]]) -> ConfigError:
    """Return ``error`` with the place of the setting at fault before it, if that is known."""
    found = origins.get(error.key, ())
    return ConfigError(f"{found[-1]}: {error}", key=error.key) if found else error


def syntax_complaint(file: ConfigFile, error: Exception) -> Complaint:
    """Return what the parser said of ``file``, with the place it names."""
    text = str(error)
    place = re.search(r"line (\d+),? column (\d+)", text)
    origin = Origin(file.name)
    if place is not None:
        origin = Origin(file.name, int(place[1]), int(place[2]))
    elif "at end of document" in text:
        origin = Origin(file.name, file.text.count("\n") + 1)
    return Complaint(origin, "", f"Error decoding '{file.name}': {text}")
