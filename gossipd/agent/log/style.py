"""How a log line looks: Serf's text, the same for the journal, or JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from gossipd.agent.log.output import LINE_BYTES_MAX, SEVERITIES, lost_line


class LineStyle(Protocol):
    """Makes the text of a line for the output."""

    def line(
        self, wall: float, level: str, text: str, fields: Callable[[], Mapping[str, object]]
    ) -> str:
        """Return a line of the log.

        Args:
            wall: calendar time, seconds since 1970.
            level: TRACE, DEBUG, INFO, WARN or ERR.
            text: the part that speaks, a colon and what it says.
            fields: returns what the line says as values, for those who want them.
        """

    def remark(self, text: str) -> str:
        """Return a line of the start or the end, which has no level."""

    def lost(self, count: int) -> str:
        """Return the line that tells of ``count`` lines lost here."""


class Stamp:
    """The calendar time of lines, made once a second.

    Args:
        form: as of ``time.strftime``.
    """

    __slots__ = ("_form", "_made", "_second")

    def __init__(self, form: str) -> None:
        self._form = form
        self._second = -1
        self._made = ""

    def of(self, wall: float) -> str:
        """Return the local time of ``wall`` (seconds since 1970), without fractions."""
        second = int(wall)
        if second != self._second:
            self._second = second
            self._made = time.strftime(self._form, time.localtime(second))
        return self._made


class TextStyle:
    """``2026/11/22 07:10:30 [INFO] serf: ...``, indented as in Serf's output."""

    def __init__(self) -> None:
        self._stamp = Stamp("%Y/%m/%d %H:%M:%S")

    def line(
        self, wall: float, level: str, text: str, fields: Callable[[], Mapping[str, object]]
    ) -> str:
        """Return a line; see ``LineStyle``."""
        return f"    {self._stamp.of(wall)} [{level}] {text}"

    def remark(self, text: str) -> str:
        """Return ``text`` as it is."""
        return text

    def lost(self, count: int) -> str:
        """Return the line about lost ones."""
        return lost_line(count)


class JournalStyle:
    """A priority that the journal takes off and sorts by, and no date: it has its own."""

    def line(
        self, wall: float, level: str, text: str, fields: Callable[[], Mapping[str, object]]
    ) -> str:
        """Return a line; see ``LineStyle``."""
        return f"<{SEVERITIES[level]}>[{level}] {text}"

    def remark(self, text: str) -> str:
        """Return ``text`` as it is, each of its lines on one of the journal's."""
        return text.strip("\n")

    def lost(self, count: int) -> str:
        """Return the line about lost ones."""
        return f"<{SEVERITIES['WARN']}>{lost_line(count)}"


class JsonStyle:
    """One object a line: time, level, part, text, and the fields of the event.

    Args:
        for_journal: begin each line with its priority, which the journal takes off.
    """

    def __init__(self, *, for_journal: bool = False) -> None:
        import json  # only daemons that log JSON pay for it

        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
        self._stamp = Stamp("%Y-%m-%dT%H:%M:%S")
        self._zone = Stamp("%z")
        self._for_journal = for_journal

    def line(
        self, wall: float, level: str, text: str, fields: Callable[[], Mapping[str, object]]
    ) -> str:
        """Return a line; see ``LineStyle``."""
        return self._object(wall, level, text, fields())

    def remark(self, text: str) -> str:
        """Return a line of level INFO."""
        told = " ".join(text.replace("==>", "").split())
        return self._object(time.time(), "INFO", f"agent: {told}", {})

    def lost(self, count: int) -> str:
        """Return the line about lost ones."""
        text = lost_line(count).partition("] ")[2]
        return self._object(time.time(), "WARN", text, {"lost": count})

    def _object(self, wall: float, level: str, text: str, fields: Mapping[str, object]) -> str:
        part, _, rest = text.partition(": ")
        zone = self._zone.of(wall)
        record: dict[str, Any] = {
            "time": f"{self._stamp.of(wall)}.{int(wall % 1 * 1000):03d}{zone[:3]}:{zone[3:]}",
            "level": level,
            "part": part,
            "text": rest,
            **fields,
        }
        line = self._encode(record)
        while len(line.encode("utf-8", "backslashreplace")) > LINE_BYTES_MAX - 4:
            # cut the text and not the object: a line must stay JSON
            longest = max(record, key=lambda key: len(str(record[key])))
            record[longest] = str(record[longest])[: len(str(record[longest])) // 2]
            line = self._encode(record)
        return f"<{SEVERITIES[level]}>{line}" if self._for_journal else line


def style_of(log_format: str, *, for_journal: bool) -> LineStyle:
    """Return the style of ``log_format`` (text or json) for an output."""
    if log_format == "json":
        return JsonStyle(for_journal=for_journal)
    return JournalStyle() if for_journal else TextStyle()
