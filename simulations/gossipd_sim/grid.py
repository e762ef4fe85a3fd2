"""Scenarios with changed settings: ``swim.probe_interval=0.5``, and grids of such changes.

A setting names its key as messages about scenarios do (``faults[0].lasts``);
its value is written as in TOML, and what is no TOML is a text, so that
``profile=wan`` needs no quotes. Whether a key exists and a value makes sense
is the scenario reader's to say.
"""

from __future__ import annotations

import copy
import re
import shlex
import tomllib
from collections.abc import Iterable, Sequence
from itertools import product

from gossipd.value import Value
from gossipd_sim.document import Table, write_toml
from gossipd_sim.errors import ScenarioError, refusals_of
from gossipd_sim.scenario import Scenario, read_scenario

POINTS_MAX = 10_000
"""Points of a grid; more is a slip."""

_KEY = re.compile(r"[A-Za-z_][\w-]*(\[\d+\])?(\.[A-Za-z_][\w-]*(\[\d+\])?)*")
_STEP = re.compile(r"[\w-]+")


class Setting(Value):
    """One change of a scenario: ``key`` as written, ``text`` as written, and its ``value``."""

    key: str
    text: str
    value: object

    def __str__(self) -> str:
        return f"{self.key}={self.text}"


class Axis(Value):
    """One parameter of a grid with the values it takes, in order."""

    key: str
    settings: tuple[Setting, ...]


class Source(Value):
    """A scenario as somebody names it, with the document behind: not checked yet.

    ``name``: how the command line names it. ``file``: how messages do.
    """

    name: str
    file: str
    text: str


class Variant(Value):
    """A scenario with settings, read and found good; ``text`` is all of it as TOML."""

    source: Source
    settings: tuple[Setting, ...]
    text: str
    scenario: Scenario

    def command(self, verb: str, seed: int) -> str:
        """Return the ``gossipd simulate`` command that does ``verb`` with it once."""
        words = ["gossipd", "simulate", verb, self.source.name]
        for setting in self.settings:
            words += ["--set", str(setting)]
        return shlex.join([*words, "--seed", str(seed)])


def parse_setting(text: str) -> Setting:
    """Return the setting that ``key=value`` stands for.

    Raises:
        ScenarioError: it is of another form.
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not _KEY.fullmatch(key) or not value.strip():
        raise ScenarioError(f"{text!r}: write KEY=VALUE, as in swim.probe_interval=0.5")
    return _setting(key, value)


def parse_axis(text: str) -> Axis:
    """Return the axis that ``key=value,value,...`` stands for.

    Raises:
        ScenarioError: it is of another form, or a value comes twice.
    """
    key, equals, values = text.partition("=")
    key = key.strip()
    parts = _split(values)
    if not equals or not _KEY.fullmatch(key) or not all(part.strip() for part in parts):
        raise ScenarioError(f"{text!r}: write KEY=VALUE,VALUE,..., as in nodes=32,64")
    settings = tuple(_setting(key, part) for part in parts)
    for place, setting in enumerate(settings):
        if any(setting.value == other.value for other in settings[:place]):
            raise ScenarioError(f"{key}: {setting.text} comes twice")
    return Axis(key, settings)


def grid_of(axes: Sequence[Axis]) -> list[tuple[Setting, ...]]:
    """Return all points, the last axis turning fastest.

    Raises:
        ScenarioError: two axes have one key, or there are too many points.
    """
    keys = [axis.key for axis in axes]
    for key in keys:
        if keys.count(key) > 1:
            raise ScenarioError(f"{key}: is on the grid twice")
    count = 1
    for axis in axes:
        count *= len(axis.settings)
    if count > POINTS_MAX:
        raise ScenarioError(f"the grid has {count} points: {POINTS_MAX} are allowed")
    return list(product(*(axis.settings for axis in axes)))


def make_variant(source: Source, settings: Sequence[Setting]) -> Variant:
    """Return the scenario of ``source`` with ``settings``, the later ones winning.

    Raises:
        ScenarioError: it cannot be read, a key is unknown, or it makes no sense;
            the message names the file, the key, and the settings if there are any.
    """
    if not settings:
        return Variant(source, (), source.text, read_scenario(source.text, source.file))
    read_scenario(source.text, source.file)  # what is wrong without them is not theirs
    written = " ".join(map(str, settings))
    try:
        with refusals_of(source.file):
            text = write_toml(_with(tomllib.loads(source.text), settings))
        scenario = read_scenario(text, source.file)
    except ScenarioError as error:
        raise ScenarioError(f"{error} (with {written})") from error
    return Variant(source, tuple(settings), text, scenario)


def _with(document: Table, settings: Iterable[Setting]) -> Table:
    changed = copy.deepcopy(document)
    for setting in settings:
        _put(changed, setting)
    return changed


def _put(document: Table, setting: Setting) -> None:
    steps = _STEP.findall(setting.key)
    place: object = document
    for depth, step in enumerate(steps):
        is_last = depth == len(steps) - 1
        if isinstance(place, dict):
            if is_last:
                place[step] = setting.value
            else:
                place = place.setdefault(step, {})
        elif isinstance(place, list) and step.isdigit():
            if int(step) >= len(place):
                raise ScenarioError(f"{setting.key}: there are only {len(place)}, counted from 0")
            if is_last:
                place[int(step)] = setting.value
            else:
                place = place[int(step)]
        else:
            parent = ".".join(steps[:depth])
            raise ScenarioError(f"{setting.key}: {parent} is no table here")


def _setting(key: str, text: str) -> Setting:
    text = text.strip()
    value: object = text
    if "\n" not in text:
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except (ValueError, RecursionError):  # also numbers of thousands of digits
            value = text
    return Setting(key, text, value)


def _split(text: str) -> list[str]:
    """Return the parts between commas that are not inside quotes or brackets."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append("")
            continue
        parts[-1] += character
    return parts
