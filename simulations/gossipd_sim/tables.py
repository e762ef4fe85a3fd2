"""``TableReader``: takes typed values out of a TOML table, and refuses what is left over.

Every refusal begins with the path of its key: ``faults[2].lasts: ...``. The
functions behind take one value each and do not name the key.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar

from gossipd.config.values import count_from, seconds_from, switch_from, text_from
from gossipd.errors import ConfigError
from gossipd.value import Value, fields_of
from gossipd_sim.errors import ScenarioError
from gossipd_sim.latency import Constant, Latency, LogNormal, Uniform

T = TypeVar("T")

SECONDS_MAX = 1e9
"""Thirty years: no run comes so far, and sums of such times are still exact."""
SIGMA_MAX = 20.0
"""Of a log-normal law: what is drawn from a wider one may be no number any more."""


class TableReader:
    """One table of a scenario.

    Args:
        table: as TOML gave it.
        path: of the table, empty for the whole file.

    Raises:
        ScenarioError: it is no table.
    """

    def __init__(self, table: object, path: str = "") -> None:
        if not isinstance(table, dict):
            raise ScenarioError(f"{path}: {table!r} is not a table of keys and values")
        self._left: dict[str, object] = dict(table)
        self._path = path
        self._known: list[str] = []

    def path_of(self, key: str) -> str:
        """Return how messages name ``key``."""
        return f"{self._path}.{key}" if self._path else key

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that were not taken yet, in their order."""
        return tuple(self._left)

    def take(self, key: str, read: Callable[[object], T], default: T) -> T:
        """Return the value of ``key`` as ``read`` has it, or ``default`` if it is missing.

        Raises:
            ScenarioError: ``read`` refuses the value.
        """
        self._known.append(key)
        return self._read(key, read) if key in self._left else default

    def need(self, key: str, read: Callable[[object], T]) -> T:
        """Return the value of ``key`` as ``read`` has it.

        Raises:
            ScenarioError: it is missing, or ``read`` refuses it.
        """
        self._known.append(key)
        if key not in self._left:
            raise ScenarioError(f"{self.path_of(key)}: missing")
        return self._read(key, read)

    def table(self, key: str) -> TableReader:
        """Return the table ``key``; an empty one if it is missing."""
        self._known.append(key)
        return TableReader(self._left.pop(key, {}), self.path_of(key))

    def tables(self, key: str) -> Iterator[TableReader]:
        """Yield each of a list of tables (``[[key]]``); nothing if it is missing."""
        self._known.append(key)
        entries = self._left.pop(key, [])
        if not isinstance(entries, list):
            raise ScenarioError(f"{self.path_of(key)}: write [[{key}]], a list of tables")
        for index, entry in enumerate(entries):
            yield TableReader(entry, f"{self.path_of(key)}[{index}]")

    def refuse_rest(self) -> None:
        """End the table.

        Raises:
            ScenarioError: a key was not taken, so nobody knows it.
        """
        for key in self._left:
            hint = nearest(key, self._known)
            raise ScenarioError(f"{self.path_of(key)}: unknown key{hint}")

    def _read(self, key: str, read: Callable[[object], T]) -> T:
        value = self._left.pop(key)
        try:
            return read(value)
        except ConfigError as error:
            raise ScenarioError(f"{self.path_of(key)}: {error}") from error


def typed_fields(reader: TableReader, model: type[Value]) -> dict[str, object]:
    """Return the fields of ``model`` that ``reader`` sets, typed as their defaults are.

    Raises:
        ScenarioError: a value is of another type.
    """
    default, fields = model(), fields_of(model)
    changed: dict[str, object] = {}
    for field in fields:
        kind = type(getattr(default, field))
        read = _READERS.get(kind, latency_from)
        if field in reader.keys:
            changed[field] = reader.need(field, read)
        else:
            reader.take(field, read, None)
    return changed


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint naming the known word most like ``word``, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def number_from(value: object) -> float:
    """Return a finite number from 0 on."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{value!r} is not a number")
    if not abs(value) <= sys.float_info.max:  # whole numbers are compared, too large to convert
        raise ConfigError(f"{value!r} is not a number")
    if value < 0:
        raise ConfigError(f"{value!r} is negative")
    return float(value)


def duration_from(value: object) -> float:
    """Return seconds as ``seconds_from`` does, no more than a run can take."""
    seconds = seconds_from(value)
    if seconds > SECONDS_MAX:
        raise ConfigError(f"{seconds:g} s is above {SECONDS_MAX:g} s")
    return seconds


def sigma_from(value: object) -> float:
    """Return the spread of a log-normal law."""
    sigma = number_from(value)
    if sigma > SIGMA_MAX:
        raise ConfigError(f"sigma {sigma:g} is above {SIGMA_MAX:g}")
    return sigma


def share_from(value: object) -> float:
    """Return a number within 0..1."""
    share = number_from(value)
    if share > 1:
        raise ConfigError(f"{value!r} is not within 0..1")
    return share


def texts_from(value: object) -> tuple[str, ...]:
    """Return texts from a list."""
    if not isinstance(value, list):
        raise ConfigError(f"{value!r} is not a list of texts")
    return tuple(text_from(part) for part in value)


def words_from(value: object, known: Collection[str]) -> tuple[str, ...]:
    """Return texts from a list, each of them one of ``known``."""
    words = texts_from(value)
    for word in words:
        if word not in known:
            raise ConfigError(f"{word!r} is none of {', '.join(known)}")
    return words


def latency_from(value: object) -> Latency:
    """Return a law of latency: seconds, ``{low, high}`` or ``{median, sigma}``."""
    if not isinstance(value, dict):
        return Constant(duration_from(value))
    match sorted(value):
        case ["high", "low"]:
            low, high = duration_from(value["low"]), duration_from(value["high"])
            if low <= high:
                return Uniform(low, high)
            raise ConfigError(f"low {low:g} is above high {high:g}")
        case ["median", "sigma"]:
            median, sigma = duration_from(value["median"]), sigma_from(value["sigma"])
            if median > 0:
                return LogNormal(median, sigma)
            raise ConfigError("median is 0: it must be above")
        case _:
            raise ConfigError(
                f"{value!r} is no latency: write seconds, {{ low, high }} or {{ median, sigma }}"
            )


_READERS: dict[type, Callable[[object], object]] = {
    float: duration_from,
    int: count_from,
    bool: switch_from,
    str: text_from,
}
"""By the type of a field's default; a float is a duration or a probability."""
