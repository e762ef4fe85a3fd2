"""The buffer of user events: what is new, what is a repeat, what is too old.

gossip.md, section 16, receiver. The buffer has one slot for each of the last
Lamport times; it is also what a push/pull replays to a joiner (section 14.3).
Telling applications of events and sending them is ``announcing.py``'s.
"""

from __future__ import annotations

import enum
from typing import TypeAlias

from gossipd.serf.lamport import LamportClock, is_too_old
from gossipd.wire.dialect import LIST_ITEMS_MAX
from gossipd.wire.serf_messages import BufferedEvent, EventSlot

EVENT_BYTES_MAX = 4 * 1024 * 1024
"""Bytes kept in the buffer; a real cluster with default limits stays below 0.4 MB.

Above it the oldest times are given up early and count as too old from then
on, so nothing is delivered twice.
"""
SLOT_EVENTS_MAX = LIST_ITEMS_MAX
"""Events kept of one Lamport time: a longer list would make peers refuse our whole push/pull."""
EVENT_OVERHEAD = 200
"""Bytes counted for each event on top of its name and payload."""
TEXT_OVERHEAD = 60
"""Bytes counted for each name and expression of whom an event is for."""


class EventVerdict(enum.Enum):
    """What the buffer says of a received event; only ``NEW`` ones travel on."""

    NEW = "new"
    DUPLICATE = "duplicate"
    BEFORE_MINIMUM = "before-minimum"
    TOO_OLD = "event-too-old"
    FULL = "event-buffer-full"


Filters: TypeAlias = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]


class _Slot:
    """Events of one Lamport time, by name and payload (nil and empty are equal).

    Events that differ only in whom they are for are different ones. But a Serf leaves
    that out of its push/pull: what comes without it is a repeat of any such event, and
    any such event a repeat of what came without.
    """

    __slots__ = ("count", "events", "ltime", "size")

    def __init__(self, ltime: int) -> None:
        self.ltime = ltime
        self.size = 0
        self.count = 0
        self.events: dict[tuple[str, bytes], dict[Filters | None, BufferedEvent]] = {}

    def has(self, event: BufferedEvent) -> bool:
        """Say whether ``event`` repeats one of this time."""
        alike = self.events.get(_key(event))
        if alike is None:
            return False
        filters = _filters(event)
        return filters is None or None in alike or filters in alike

    def add(self, event: BufferedEvent, cost: int) -> None:
        """Keep ``event``, which takes ``cost`` bytes."""
        self.events.setdefault(_key(event), {})[_filters(event)] = event
        self.size += cost
        self.count += 1

    def listed(self) -> list[BufferedEvent]:
        """Return all events of this time."""
        return [event for alike in self.events.values() for event in alike.values()]


def _key(event: BufferedEvent) -> tuple[str, bytes]:
    return event.name, event.payload or b""


def _filters(event: BufferedEvent) -> Filters | None:
    return None if event.extras is None else (event.extras.nodes, event.extras.tags)


def _cost(event: BufferedEvent) -> int:
    """Return the bytes counted for ``event``."""
    cost = len(event.name) + len(event.payload or b"") + EVENT_OVERHEAD
    if event.extras is not None:
        texts = [event.extras.sender, *event.extras.nodes]
        for pair in event.extras.tags:
            texts += pair
        cost += sum(len(text) + TEXT_OVERHEAD for text in texts)
    return cost


class EventBuffer:
    """User events of the last ``size`` Lamport times, and their clock.

    ``version`` grows with every event added or given up; ``newest`` is the highest
    time of an event that was new.
    """

    __slots__ = ("_bytes", "_bytes_max", "_size", "_slots", "clock", "minimum", "newest", "version")

    def __init__(self, size: int, bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._size = size
        self._bytes_max = bytes_max
        self._slots: dict[int, _Slot] = {}
        self._bytes = 0
        self.clock = LamportClock()
        self.minimum = 0
        self.newest = 0
        self.version = 0

    def apply(self, ltime: int, event: BufferedEvent) -> EventVerdict:
        """Witness and judge an event; keep it if it is new."""
        self.clock.witness(ltime)
        if ltime < self.minimum:
            return EventVerdict.BEFORE_MINIMUM
        if is_too_old(ltime, self.clock.time, self._size):
            return EventVerdict.TOO_OLD
        slot = self._slots.get(ltime % self._size)
        if slot is not None and slot.ltime == ltime:
            if slot.has(event):
                return EventVerdict.DUPLICATE
            if slot.count >= SLOT_EVENTS_MAX:
                return EventVerdict.FULL
        cost = _cost(event)
        if not self._make_room(cost, ltime):
            return EventVerdict.FULL
        self._add(ltime, event, cost)
        return EventVerdict.NEW

    def recall(self, last: int) -> None:
        """Take events up to ``last``, seen in a former life, for old (section 20); 0 is none."""
        if last:
            self.clock.witness(last)
            self.ignore_before(last + 1)
            self.newest = max(self.newest, last)

    def ignore_before(self, ltime: int) -> None:
        """Drop events below ``ltime`` from now on; never lowers the minimum."""
        self.minimum = max(self.minimum, ltime)

    def slots(self) -> tuple[EventSlot | None, ...]:
        """Return the whole buffer in slot order, ``None`` for unused slots."""
        listed: list[EventSlot | None] = [None] * self._size
        for index, slot in self._slots.items():
            listed[index] = EventSlot(slot.ltime, tuple(slot.listed()))
        return tuple(listed)

    def _add(self, ltime: int, event: BufferedEvent, cost: int) -> None:
        index = ltime % self._size
        slot = self._slots.get(index)
        if slot is None or slot.ltime != ltime:
            if slot is not None:
                self._bytes -= slot.size
            slot = self._slots[index] = _Slot(ltime)
        slot.add(event, cost)
        self.newest = max(self.newest, ltime)
        self._bytes += cost
        self.version += 1

    def _make_room(self, cost: int, ltime: int) -> bool:
        """Give up slots older than ``ltime`` until ``cost`` fits; say whether it does."""
        if cost > self._bytes_max:
            return False
        while self._bytes + cost > self._bytes_max:
            index = min(self._slots, key=lambda index: self._slots[index].ltime)
            slot = self._slots[index]
            if slot.ltime >= ltime:
                return False
            del self._slots[index]
            self._bytes -= slot.size
            self.minimum = max(self.minimum, slot.ltime + 1)
            self.version += 1
        return True
