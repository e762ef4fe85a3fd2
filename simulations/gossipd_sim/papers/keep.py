"""``Keep``: results of finished tasks in a file, one line of JSON each.

A long campaign that was cut off goes on where it stopped. A result is taken
up only for the very same task, of the same version of its recipe, run by the
same code of the protocol and of the simulator; whatever else a line holds is
left alone.
"""

from __future__ import annotations

import json
import os
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable
from math import isfinite
from pathlib import Path

from gossipd_sim.errors import ScenarioError
from gossipd_sim.papers.recipe import Recipe, Result, Sample, Task

FORMAT = "gossipd simulate papers 1"
"""What the first line of such a file says."""
_HEAD = (json.dumps({"format": FORMAT}) + "\n").encode()
APART = "papers"
"""The folder of recipes: these have versions of their own."""


class Keep:
    """The file at ``path``; made when it is missing, appended to otherwise.

    Raises:
        ScenarioError: it cannot be read, or is something else; names the file and the line.
        OSError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._code = code_fingerprint()
        self._samples: dict[str, Sample] = {}
        try:
            content = path.read_bytes() if path.exists() and path.stat().st_size else b""
        except OSError as error:
            raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error
        if _HEAD.startswith(content):  # new, or its making was cut off
            path.write_bytes(_HEAD)
        else:
            self._read(content)

    def find(self, recipe: Recipe, task: Task) -> Result | None:
        """Return the result of ``task`` if it is there."""
        sample = self._samples.get(self._key(recipe, task))
        return None if sample is None else Result(task=task, sample=sample)

    def add(self, recipe: Recipe, result: Result) -> None:
        """Append a result; it is on its way to the disk when this returns."""
        key = self._key(recipe, result.task)
        self._samples[key] = result.sample
        sample = {name: list(numbers) for name, numbers in result.sample.items()}
        line = {"recipe": recipe.name, "label": result.task.label, "key": key, "sample": sample}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _key(self, recipe: Recipe, task: Task) -> str:
        parts = [
            self._code,
            recipe.name,
            recipe.version,
            task.label,
            task.seed,
            sorted(task.parameters.items()),
        ]
        return blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()

    def _read(self, content: bytes) -> None:
        *lines, rest = content.split(b"\n")
        for number, line in enumerate(lines or [rest], start=1):
            self._take(line.decode("utf-8", "replace"), number)
        if rest:  # a last line that was being written when the process ended
            os.truncate(self._path, len(content) - len(rest))

    def _take(self, line: str, number: int) -> None:
        try:
            entry = json.loads(line)
            if number == 1:
                if entry["format"] != FORMAT:
                    raise ValueError
                return
            key, sample = str(entry["key"]), _sample_from(entry["sample"])
        except (ValueError, TypeError, KeyError) as error:
            raise ScenarioError(
                f"{self._path}: line {number}: these are no kept results; name another file"
            ) from error
        self._samples[key] = sample


def code_fingerprint() -> str:
    """Return a hash of the code that decides results, the recipes apart."""
    digest = blake2b(digest_size=16)
    for package in ("gossipd", "gossipd_sim"):
        for name, text in _sources(files(package), package):
            digest.update(f"{name}\0{len(text)}\0".encode())
            digest.update(text)
    return digest.hexdigest()


def _sources(folder: Traversable, path: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        inside = f"{path}/{entry.name}"
        if entry.is_dir():
            if entry.name != APART:
                found += _sources(entry, inside)
        elif entry.name.endswith(".py"):
            found.append((inside, entry.read_bytes()))
    return found


def _sample_from(value: object) -> Sample:
    if not isinstance(value, dict):
        raise TypeError
    sample: dict[str, list[float]] = {}
    for name, numbers in value.items():
        if not isinstance(numbers, list):
            raise TypeError
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise TypeError
        sample[str(name)] = numbers
    return sample


def check_sample(task: Task, sample: Sample) -> None:
    """See to it that ``sample`` can be kept.

    Raises:
        ValueError: it holds a number that JSON cannot: work has to say what it means.
    """
    for name, numbers in sample.items():
        if not all(isfinite(number) for number in numbers):
            raise ValueError(f"{task.recipe} {task.label}: {name} is not finite")
