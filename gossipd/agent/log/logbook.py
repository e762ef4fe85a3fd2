"""The log: Serf's line format, a ring of the last lines, readers, and an output.

    2026/11/22 07:10:30 [INFO] serf: EventMemberJoin: web 10.0.0.4

Text is only made when somebody wants the line: an event below the level of
the output and of every reader stays in the ring as it is. Names come from
peers, so control characters are shown escaped and cannot forge a line. What
peers can provoke at will is logged some times a second and counted beyond
that, so that they can neither fill a disk nor push the rest out of the ring.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from gossipd.agent.fanout import Subscription
from gossipd.agent.log.lines import CAUSES, describe, escaped, is_provoked, level_of
from gossipd.agent.log.output import DescriptorOutput, Output
from gossipd.agent.log.style import LineStyle, Stamp, TextStyle, style_of
from gossipd.config.agent_model import AgentConfig
from gossipd.node.events import NodeEvent
from gossipd.node.handle import LogLine
from gossipd.serf.events import MemberChange, QueryReceived, UserEventReceived
from gossipd.value import Value, replace

if TYPE_CHECKING:
    from gossipd.agent.log.syslog import Syslog

RING_LINES = 512
HELD_LINES_MAX = 4096
PROVOKED_LINES_MAX = 20
"""Lines a second of one kind of event that peers can cause at will."""
CAUSES_MAX = 4096
"""Members of which it is remembered why their status is about to change."""
_RANKS = {"TRACE": 0, "DEBUG": 1, "INFO": 2, "WARN": 3, "ERR": 4}


class _Entry(Value):
    """One line to be: ``source`` is the event, or the text of a line of our own.

    ``cause`` is what the failure detector said of a member before its status changed.
    """

    wall: float
    now: float
    level: str
    source: NodeEvent | str
    cause: NodeEvent | None = None


class Logbook:
    """Turns events and the agent's own remarks into lines.

    Args:
        us: our own node's name.
        level: the least level that goes to ``output``.
        output: where lines go, or ``None`` for nowhere.
        style: how they look there.
        syslog: gets a copy of them, if given.
    """

    def __init__(
        self,
        us: str,
        level: str,
        output: Output | None,
        style: LineStyle | None = None,
        syslog: Syslog | None = None,
    ) -> None:
        self._us = us
        self._rank = _RANKS[level]
        self._output = output
        self._style = style or TextStyle()
        self._syslog = syslog
        self._ring: deque[_Entry] = deque(maxlen=RING_LINES)
        self._readers: list[tuple[int, Subscription[LogLine]]] = []
        self._held: list[str] | None = []
        self._stamp = Stamp("%Y/%m/%d %H:%M:%S")
        self._causes: dict[str, NodeEvent] = {}
        self._provoked: Counter[type] = Counter()
        self._provoked_levels: dict[type, str] = {}
        self._provoked_until = 0.0

    def set_level(self, level: str) -> None:
        """Write lines from ``level`` up to the output from now on; readers have their own."""
        self._rank = _RANKS[level]

    def event(self, event: NodeEvent, now: float) -> None:
        """Log ``event`` if it is worth a line; ``now`` is on the node's clock."""
        kind = type(event)
        if kind in CAUSES:
            self._remember(event)
        level = level_of(event)
        if level is None or self._is_withheld(kind, level, now):
            return
        cause = None
        if isinstance(event, MemberChange):
            cause = self._causes.pop(event.member.name, None)
        elif isinstance(event, UserEventReceived | QueryReceived):
            event = replace(event, payload=None)  # the ring must not hold on to it
        self._enter(_Entry(time.time(), now, level, event, cause))
        if isinstance(event, MemberChange):
            self.say("INFO", f"agent: Received event: {event.kind}")

    def _remember(self, event: NodeEvent) -> None:
        """Keep what is said of a member until its change is told, which follows at once."""
        if len(self._causes) >= CAUSES_MAX:
            self._causes.clear()
        self._causes[event.member.name] = event  # type: ignore[union-attr]  # all CAUSES have one

    def _is_withheld(self, kind: type, level: str, now: float) -> bool:
        """Count events that peers provoke; returns whether there were too many this second."""
        if self._provoked and now >= self._provoked_until:
            provoked, self._provoked = self._provoked, Counter()
            for noisy, count in provoked.items():
                if count > PROVOKED_LINES_MAX:
                    more = count - PROVOKED_LINES_MAX
                    self.say(
                        self._provoked_levels[noisy],
                        f"agent: {noisy.__name__}: {more} lines withheld",
                    )
        if not is_provoked(kind):
            return False
        self._provoked_levels[kind] = level
        if not self._provoked:
            self._provoked_until = now + 1.0
        self._provoked[kind] += 1
        return self._provoked[kind] > PROVOKED_LINES_MAX

    def say(self, level: str, text: str) -> None:
        """Log a remark of the agent itself; ``text`` begins with its part."""
        self._enter(_Entry(time.time(), 0.0, level, text))

    def show(self, text: str) -> None:
        """Print a line of the start or the end as it is; readers do not get it."""
        if self._output is not None:
            self._output.write(self._style.remark(text))

    def release(self) -> None:
        """Print what was held back during the start, and hold nothing back from now on."""
        held, self._held = self._held, None
        for text in held or ():
            if self._output is not None:
                self._output.write(text)

    @contextmanager
    def follow(self, level: str, capacity: int) -> Iterator[Subscription[LogLine]]:
        """Follow the log at ``level``: the kept lines first, then new ones.

        ``capacity`` bounds the unread new lines; the kept ones come on top.
        """
        rank = _RANKS[level]
        kept = [entry for entry in self._ring if _RANKS[entry.level] >= rank]
        reader: Subscription[LogLine] = Subscription(capacity + len(kept))
        for entry in kept:
            reader.put(self._line(entry))
        registered = (rank, reader)
        self._readers.append(registered)
        try:
            yield reader
        finally:
            self._readers.remove(registered)

    def close(self) -> None:
        """End every reader after what is queued for it."""
        for _, reader in self._readers:
            reader.close()

    def close_syslog(self) -> None:
        """Copy nothing to syslog any more."""
        if self._syslog is not None:
            self._syslog.close()
            self._syslog = None

    def _enter(self, entry: _Entry) -> None:
        self._ring.append(entry)
        rank = _RANKS[entry.level]
        text = ""
        if rank >= self._rank and (self._output is not None or self._syslog is not None):
            text = self._text(entry)
            self._write(entry, text)
        line: LogLine | None = None
        for wanted, reader in self._readers:
            if rank >= wanted:
                line = line or self._line(entry, text or self._text(entry))
                reader.put(line)

    def _write(self, entry: _Entry, text: str) -> None:
        if self._syslog is not None:
            self._syslog.write(entry.level, f"[{entry.level}] {text}")
        if self._output is None:
            return
        fields = partial(self._fields, entry)
        line = self._style.line(entry.wall, entry.level, text, fields)
        if self._held is None:
            self._output.write(line)
        elif len(self._held) < HELD_LINES_MAX:
            self._held.append(line)

    def _fields(self, entry: _Entry) -> Mapping[str, object]:
        if isinstance(entry.source, str):
            return {}
        from gossipd.agent.log.fields import fields_of_event  # only JSON lines have fields

        return fields_of_event(entry.source, self._us, entry.now, entry.cause)

    def _text(self, entry: _Entry) -> str:
        source = entry.source
        if not isinstance(source, str):
            source = describe(source, self._us, entry.now, entry.cause)
        return escaped(source)

    def _line(self, entry: _Entry, text: str = "") -> LogLine:
        text = text or self._text(entry)
        return LogLine(entry.level, f"{self._stamp.of(entry.wall)} [{entry.level}] {text}")


def open_log(config: AgentConfig, output: Output | None) -> Logbook:
    """Return the log of an agent, as it is configured.

    Lines to the stream that systemd gave a service are written for the journal.
    """
    for_journal = isinstance(output, DescriptorOutput) and output.is_journal
    style = style_of(config.log_format, for_journal=for_journal)
    if isinstance(output, DescriptorOutput):
        output.lost_line = style.lost
    syslog = _syslog(config.syslog_facility) if config.enable_syslog else None
    log = Logbook(config.node.name, config.log_level, output, style, syslog)
    if syslog is not None and syslog.problem:
        log.say("WARN", f"agent: syslog gets no copy of the log: {syslog.problem}")
    return log


def _syslog(facility: str) -> Syslog:
    from gossipd.agent.log.syslog import Syslog  # daemons without it save the memory

    return Syslog(facility)
