"""The buffer of user events: what is new, what is a repeat, what is too old.

gossip.md, section 16, receiver. The buffer has one slot for each of the last
Lamport times; it is also what a push/pull replays to a joiner (section 14.3).
Delivering events to applications and sending them is not this file's part.
"""

from __future__ import annotations

import enum

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


class EventVerdict(enum.Enum):
    """What the buffer says of a received event; only ``NEW`` ones travel on."""

    NEW = "new"
    DUPLICATE = "duplicate"
    BEFORE_MINIMUM = "before-minimum"
    TOO_OLD = "event-too-old"
    FULL = "event-buffer-full"


class _Slot:
    """Events of one Lamport time, by name and payload (nil and empty are equal)."""

    __slots__ = ("events", "ltime", "size")

    def __init__(self, ltime: int) -> None:
        self.ltime = ltime
        self.size = 0
        self.events: dict[tuple[str, bytes], BufferedEvent] = {}


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
        key = (event.name, event.payload or b"")
        if slot is not None and slot.ltime == ltime and key in slot.events:
            return EventVerdict.DUPLICATE
        cost = len(event.name) + len(key[1]) + EVENT_OVERHEAD
        is_full = slot is not None and slot.ltime == ltime and len(slot.events) >= SLOT_EVENTS_MAX
        if is_full or not self._make_room(cost, ltime):
            return EventVerdict.FULL
        self._add(ltime, key, event, cost)
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
            listed[index] = EventSlot(slot.ltime, tuple(slot.events.values()))
        return tuple(listed)

    def _add(self, ltime: int, key: tuple[str, bytes], event: BufferedEvent, cost: int) -> None:
        index = ltime % self._size
        slot = self._slots.get(index)
        if slot is None or slot.ltime != ltime:
            if slot is not None:
                self._bytes -= slot.size
            slot = self._slots[index] = _Slot(ltime)
        slot.events[key] = event
        self.newest = max(self.newest, ltime)
        slot.size += cost
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
