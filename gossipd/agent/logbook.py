"""The log: Serf's line format, a ring of the last lines, readers, and an output.

    2026/11/22 07:10:30 [INFO] serf: EventMemberJoin: web 10.0.0.4

Text is only made when somebody wants the line: an event below the level of
the output and of every reader stays in the ring as it is. Names come from
peers, so control characters are shown escaped and cannot forge a line. What
peers can provoke at will is logged some times a second and counted beyond
that, so that they can neither fill a disk nor push the rest out of the ring.
"""

from __future__ import annotations

import os
import select
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from gossipd.agent.fanout import Subscription
from gossipd.agent.log_lines import DESCRIBED, PROVOKED, describe, level_of
from gossipd.node.events import NodeEvent
from gossipd.node.handle import LogLine
from gossipd.serf.events import MemberChange
from gossipd.value import Value

RING_LINES = 512
HELD_LINES_MAX = 4096
LINE_BYTES_MAX = 4000
PROVOKED_LINES_MAX = 20
"""Lines a second of one kind of event that peers can cause at will."""
_RANKS = {"TRACE": 0, "DEBUG": 1, "INFO": 2, "WARN": 3, "ERR": 4}


class Output(Protocol):
    """Where text goes; must not block."""

    def write(self, text: str) -> None:
        """Write ``text`` and a newline."""


class DescriptorOutput:
    """Lines to a file descriptor, never waiting for its reader.

    A reader that stopped (a full pipe, a paused terminal) costs lines, which
    are counted and told when it goes on; the daemon itself must not stop.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lost = 0
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def write(self, text: str) -> None:
        """Write ``text`` and a newline, or count it as lost."""
        if not self._is_writable():
            self._lost += 1
            return
        if self._lost:
            text = f"[WARN] agent: {self._lost} log lines lost, output too slow\n{text}"
            self._lost = 0
        data = text.encode("utf-8", "backslashreplace")[:LINE_BYTES_MAX]
        try:
            os.write(self._descriptor, data + b"\n")
        except OSError:
            self._lost += 1

    def _is_writable(self) -> bool:
        # a pipe that polls as writable has room for 4 KiB, more than one line
        return any(flags & select.POLLOUT for _, flags in self._poll.poll(0))


class _Entry(Value):
    """One line to be: ``source`` is the event, or the text of a line of our own."""

    wall: float
    now: float
    level: str
    source: NodeEvent | str


class Logbook:
    """Turns events and the agent's own remarks into lines.

    Args:
        us: our own node's name.
        level: the least level that goes to ``output``.
        output: where lines go, or ``None`` for nowhere.
    """

    def __init__(self, us: str, level: str, output: Output | None) -> None:
        self._us = us
        self._rank = _RANKS[level]
        self._output = output
        self._ring: deque[_Entry] = deque(maxlen=RING_LINES)
        self._readers: list[tuple[int, Subscription[LogLine]]] = []
        self._held: list[str] | None = []
        self._second = -1
        self._stamp = ""
        self._provoked: Counter[type] = Counter()
        self._provoked_until = 0.0

    def event(self, event: NodeEvent, now: float) -> None:
        """Log ``event`` if it is worth a line; ``now`` is on the node's clock."""
        level = level_of(event)
        if level is not None and not self._is_withheld(type(event), now):
            self._enter(_Entry(time.time(), now, level, event))
            if type(event) is MemberChange:
                self.say("INFO", f"agent: Received event: {event.kind}")

    def _is_withheld(self, kind: type, now: float) -> bool:
        """Count events that peers provoke; returns whether there were too many this second."""
        if self._provoked and now >= self._provoked_until:
            provoked, self._provoked = self._provoked, Counter()
            for noisy, count in provoked.items():
                if count > PROVOKED_LINES_MAX:
                    more = count - PROVOKED_LINES_MAX
                    self.say(DESCRIBED[noisy][0], f"agent: {noisy.__name__}: {more} lines withheld")
        if kind not in PROVOKED:
            return False
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
            self._output.write(text)

    def release(self) -> None:
        """Print what was held back during the start, and hold nothing back from now on."""
        held, self._held = self._held, None
        for text in held or ():
            self.show(text)

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

    def _enter(self, entry: _Entry) -> None:
        self._ring.append(entry)
        rank = _RANKS[entry.level]
        line: LogLine | None = None
        if rank >= self._rank and self._output is not None:
            line = self._line(entry)
            text = f"    {line.text}"
            if self._held is None:
                self._output.write(text)
            elif len(self._held) < HELD_LINES_MAX:
                self._held.append(text)
        for wanted, reader in self._readers:
            if rank >= wanted:
                line = line or self._line(entry)
                reader.put(line)

    def _line(self, entry: _Entry) -> LogLine:
        second = int(entry.wall)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(second))
        source = entry.source
        if not isinstance(source, str):
            source = describe(source, self._us, entry.now)
        if not source.isprintable():
            source = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in source)
        return LogLine(entry.level, f"{self._stamp} [{entry.level}] {source}")
