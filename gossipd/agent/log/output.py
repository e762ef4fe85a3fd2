"""Where log lines go: a descriptor that is never waited for. ``syslog.py`` has the other place."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Mapping
from typing import Protocol

LINE_BYTES_MAX = 4000
SEVERITIES = {"TRACE": 7, "DEBUG": 6, "INFO": 5, "WARN": 4, "ERR": 3}
"""Syslog's severity of each level, as Serf maps them: INFO is notice, DEBUG is info."""


class Output(Protocol):
    """Where text goes; must not block."""

    def write(self, text: str) -> None:
        """Write ``text`` and a newline."""


def lost_line(count: int) -> str:
    """Return the line that tells of ``count`` lines lost here."""
    return f"[WARN] agent: {count} log lines lost, output too slow"


class DescriptorOutput:
    """Lines to a file descriptor, never waiting for its reader.

    A reader that stopped (a full pipe, a paused terminal) costs lines, which
    are counted and told when it goes on; the daemon itself must not stop.

    Attributes:
        is_journal: whether the descriptor is the stream that systemd gave this service.
        lost_line: makes the line about lost ones from their number.
    """

    def __init__(self, descriptor: int, environment: Mapping[str, str] = os.environ) -> None:
        self._descriptor = descriptor
        self._lost = 0
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self.is_journal = _is_journal(descriptor, environment)
        self.lost_line: Callable[[int], str] = lost_line

    def write(self, text: str) -> None:
        """Write ``text`` and a newline, or count it as lost."""
        if not self._is_writable():
            self._lost += 1
            return
        if self._lost:
            text = f"{self.lost_line(self._lost)}\n{text}"
            self._lost = 0
        data = text.encode("utf-8", "backslashreplace")[:LINE_BYTES_MAX]
        try:
            os.write(self._descriptor, data + b"\n")
        except OSError:
            self._lost += 1

    def _is_writable(self) -> bool:
        # a pipe that polls as writable has room for 4 KiB, more than one line
        return any(flags & select.POLLOUT for _, flags in self._poll.poll(0))


def _is_journal(descriptor: int, environment: Mapping[str, str]) -> bool:
    """Return whether ``JOURNAL_STREAM`` (device:inode) names what ``descriptor`` is."""
    named = environment.get("JOURNAL_STREAM")
    if not named:
        return False
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return named == f"{status.st_dev}:{status.st_ino}"
