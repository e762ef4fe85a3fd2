"""Where log lines go: a descriptor that is never waited for, and the machine's syslog."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from gossipd.agent.system_errors import reason_of
from gossipd.config.agent_model import SYSLOG_FACILITIES

LINE_BYTES_MAX = 4000
SYSLOG_PATH = "/dev/log"
SYSLOG_BYTES_MAX = 2000
"""Bytes of one message; many syslogs cut at 2,048, and at 1,024 of old."""
RECONNECT_PAUSE = 5.0
"""Seconds between tries to reach a syslog that is gone."""
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


class Syslog:
    """Copies lines to the local syslog, never waiting for it.

    Lines that it does not take are lost, and told when it takes some again. One
    that is gone is tried again every ``RECONNECT_PAUSE`` seconds.

    Args:
        facility: name, as ``LOCAL0``.
        path: of its datagram socket.
        clock: seconds, for the time stamps and the pause.
    """

    def __init__(
        self, facility: str, path: str = SYSLOG_PATH, clock: Callable[[], float] = time.time
    ) -> None:
        self._facility = SYSLOG_FACILITIES[facility.upper()]
        self._path = path
        self._clock = clock
        self._socket: socket.socket | None = None
        self._retry_at = 0.0
        self._lost = 0
        self.problem = self._connect(clock())
        """Why syslog could not be reached at start; empty if it could."""

    def write(self, level: str, text: str) -> None:
        """Send one line, or count it as lost."""
        now = self._clock()
        if self._socket is None and (now < self._retry_at or self._connect(now)):
            self._lost += 1
            return
        if self._lost:
            if not self._send("WARN", f"[WARN] agent: {self._lost} log lines lost by syslog", now):
                self._lost += 1
                return
            self._lost = 0
        if not self._send(level, text, now):
            self._lost += 1

    def close(self) -> None:
        """Give the socket back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self, now: float) -> str:
        """Try to reach syslog; return why it cannot be, empty on success."""
        self._retry_at = now + RECONNECT_PAUSE
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            connected.connect(self._path)
        except OSError as error:
            connected.close()
            return f"{self._path}: {reason_of(error)}"
        self._socket = connected
        return ""

    def _send(self, level: str, text: str, now: float) -> bool:
        when = time.localtime(now)
        stamp = f"{_MONTHS[when.tm_mon - 1]} {when.tm_mday:2d} {time.strftime('%H:%M:%S', when)}"
        priority = 8 * self._facility + SEVERITIES[level]
        line = f"<{priority}>{stamp} gossipd[{os.getpid()}]: {text}"
        data = line.encode("utf-8", "backslashreplace")[:SYSLOG_BYTES_MAX]
        try:
            if self._socket is None:
                return False
            self._socket.send(data)
        except BlockingIOError:
            return False  # it reads too slowly
        except OSError:
            self.close()  # it has ended or was replaced
            return self._connect(now) == "" and self._send_again(data)
        return True

    def _send_again(self, data: bytes) -> bool:
        assert self._socket is not None
        try:
            self._socket.send(data)
        except OSError:
            self.close()
            return False
        return True


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Of syslog's time stamps, whatever the locale (RFC 3164, section 4.1.2)."""
