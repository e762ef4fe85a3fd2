"""The machine's syslog as a place for log lines; loaded by daemons that use it."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable

from gossipd.agent.log.output import SEVERITIES
from gossipd.agent.system_errors import reason_of
from gossipd.config.agent_model import SYSLOG_FACILITIES

SYSLOG_PATH = "/dev/log"
SYSLOG_BYTES_MAX = 2000
"""Bytes of one message; many syslogs cut at 2,048, and at 1,024 of old."""
RECONNECT_PAUSE = 5.0
"""Seconds between tries to reach a syslog that is gone."""


class Syslog:
    """Copies lines to the local syslog, never waiting for it.

    Lines that it does not take are lost, and told when it takes some again. One
    that is gone is tried again every ``RECONNECT_PAUSE`` seconds. Where it
    listens on a stream (syslog-ng of old) each line ends with a zero byte.

    Args:
        facility: name, as ``LOCAL0``.
        path: of its socket, of datagrams or a stream.
        clock: seconds, for the time stamps and the pause.
    """

    def __init__(
        self, facility: str, path: str = SYSLOG_PATH, clock: Callable[[], float] = time.time
    ) -> None:
        self._facility = SYSLOG_FACILITIES[facility.upper()]
        self._path = path
        self._clock = clock
        self._socket: socket.socket | None = None
        self._is_stream = False
        self._rest = b""
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
        self._rest = b""
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            connected = socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK)
            try:
                connected.connect(self._path)
            except OSError as error:
                connected.close()
                problem = error
                if error.errno != errno.EPROTOTYPE:
                    break
            else:
                self._socket = connected
                self._is_stream = kind == socket.SOCK_STREAM
                return ""
        return f"{self._path}: {reason_of(problem)}"

    def _send(self, level: str, text: str, now: float) -> bool:
        when = time.localtime(now)
        stamp = f"{_MONTHS[when.tm_mon - 1]} {when.tm_mday:2d} {time.strftime('%H:%M:%S', when)}"
        priority = 8 * self._facility + SEVERITIES[level]
        line = f"<{priority}>{stamp} gossipd[{os.getpid()}]: {text}"
        data = line.encode("utf-8", "backslashreplace")[:SYSLOG_BYTES_MAX]
        try:
            return self._put(data)
        except OSError:
            self.close()  # it has ended or was replaced
            return self._connect(now) == "" and self._send_again(data)

    def _send_again(self, data: bytes) -> bool:
        try:
            return self._put(data)
        except OSError:
            self.close()
            return False

    def _put(self, data: bytes) -> bool:
        """Give one line to the socket; return whether it has room for it.

        Raises:
            OSError: nobody reads there any more.
        """
        if self._socket is None:
            return False
        try:
            if not self._is_stream:
                self._socket.send(data)
                return True
            if self._rest:
                self._rest = self._rest[self._socket.send(self._rest) :]
            if self._rest:
                return False
            data += b"\0"
            # what a stream takes the beginning of it must get to the end
            self._rest = data[self._socket.send(data) :]
        except BlockingIOError:
            return False  # it reads too slowly
        return True


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Of syslog's time stamps, whatever the locale (RFC 3164, section 4.1.2)."""
