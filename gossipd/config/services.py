"""``[[service]]`` in configuration files, and the files of ``services.d`` (pure).

A file of the configuration has any number of ``[[service]]`` tables (``services``
in JSON as well). One of ``services.d`` has the same, or is a single service
from its first line on. What a table may say is in ``services/reading.py``; here
is where it stands, and that no id is taken twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from gossipd.config.origin import Complaint, Origin
from gossipd.errors import UsageError
from gossipd.services.definition import Service
from gossipd.services.reading import read_service

KEYS = ("service", "services")
"""Under which services stand in a file."""
_STEP = re.compile(r"[^.\[\]]+")

Lines = Mapping[tuple[str, ...], int]


class ServiceTables:
    """The services of all files, in their order, and what is wrong with them."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Service, Origin]] = {}
        self._checks: dict[str, Origin] = {}
        self.complaints: list[Complaint] = []

    @property
    def services(self) -> tuple[Service, ...]:
        """All that were found, in their order."""
        return tuple(service for service, _ in self._found.values())

    @property
    def origins(self) -> dict[str, tuple[Origin, ...]]:
        """Where each begins, by ``service.<id>``."""
        return {f"service.{key}": (origin,) for key, (_, origin) in self._found.items()}

    def take_file(self, name: str, parsed: Mapping[str, object], lines: Lines) -> None:
        """Take in a file of ``services.d``."""
        if not any(key in parsed for key in KEYS):
            self._take(name, parsed, (), lines)
            return
        for key, value in parsed.items():
            if key in KEYS:
                self.take_key(name, key, value, lines)
            else:
                origin = Origin(name, lines.get((key,), 0))
                text = f"unknown key {key!r}; here are only [[service]] tables"
                self.complaints.append(Complaint(origin, "", text))

    def take_key(self, name: str, key: str, value: object, lines: Lines) -> None:
        """Take in what stands under ``key`` in a file: a table, or an array of tables."""
        if isinstance(value, Mapping):
            self._take(name, value, (key,), lines)
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            for index, table in enumerate(value):
                self._take(name, table, (key, str(index)), lines)
        else:
            origin = Origin(name, lines.get((key,), 0))
            self.complaints.append(Complaint(origin, key, f"{value!r:.80} is not a table"))

    def _take(self, name: str, table: object, at: tuple[str, ...], lines: Lines) -> None:
        begin = Origin(name, _line(at, lines) or 1)
        if not isinstance(table, Mapping):
            self.complaints.append(Complaint(begin, "service", f"{table!r:.80} is not a table"))
            return
        try:
            service = read_service(table)
            _refuse_mark(service)
        except UsageError as error:
            line = _line((*at, *_steps(str(error))), lines) or begin.line
            self.complaints.append(Complaint(Origin(name, line), "service", str(error)))
            return
        before = self._found.get(service.id)
        if before is not None:
            text = f"id: {service.id!r} is taken by the one at {before[1]}; give it another id"
            self.complaints.append(Complaint(begin, "service", text))
            return
        for text in self._taken_checks(service):
            self.complaints.append(Complaint(begin, "service", text))
        self._found[service.id] = (service, begin)
        self._checks.update({check.id: begin for check in service.checks})

    def _taken_checks(self, service: Service) -> Iterator[str]:
        for check in service.checks:
            if check.id in self._checks:
                at = self._checks[check.id]
                yield f"checks: the id {check.id!r} is taken by one at {at}; give it another id"


def _refuse_mark(service: Service) -> None:
    if not service.meta:
        return
    from gossipd.external_node import refusal_of  # a daemon at rest has no services

    if refusal := refusal_of(service.meta):
        raise UsageError(refusal)


def _steps(complaint: str) -> tuple[str, ...]:
    """Return the path with which a complaint of the reader begins, ``checks[1].interval``."""
    return tuple(_STEP.findall(complaint.partition(":")[0]))


def _line(path: tuple[str, ...], lines: Lines) -> int:
    """Return the line of ``path``, or of what it is within; a field may be missing."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 0
