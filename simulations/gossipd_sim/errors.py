"""``ScenarioError``: what is wrong with a scenario, and whose key says it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gossipd.errors import ConfigError


class ScenarioError(ConfigError):
    """A scenario cannot be rehearsed as written; nothing ran.

    The message names the file and the key (``crash.toml: faults[0].hosts``), or
    the line where the text is not TOML at all, and says what would be accepted.
    """


@contextmanager
def refusals_of(key: str) -> Iterator[None]:
    """Put the ``key`` that is being read in front of the refusals inside."""
    try:
        yield
    except ScenarioError as error:
        raise ScenarioError(f"{key}: {error}") from error


class MissingExtra(ImportError):
    """A library of the optional extra ``sim`` is not installed; the text says how to get it."""

    def __init__(self, library: str) -> None:
        super().__init__(f"{library} is not installed: pip install 'gossipd[sim]'", name=library)
