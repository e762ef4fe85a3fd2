"""Serf's part of a push/pull (gossip.md, section 14.3).

Building our state, kept encoded until something in it changes, and reading
that of a peer as the intents and events it stands for. Applying those is the
dispatcher's part; nothing learned this way is gossiped on.
"""

from __future__ import annotations

from collections.abc import Iterator

from gossipd.serf.lamport import LamportClock
from gossipd.serf.roster import Roster
from gossipd.serf.user_events import EventBuffer
from gossipd.wire.serf_codec import encode_serf_state
from gossipd.wire.serf_messages import (
    LAMPORT_TIME_MAX,
    BufferedEvent,
    JoinIntent,
    LeaveIntent,
    SerfPushPull,
)


class StateSync:
    """The encoded local state, made anew only when an ingredient changed."""

    __slots__ = ("_clock", "_encoded", "_events", "_made_of", "_query_clock", "_roster")

    def __init__(
        self, clock: LamportClock, roster: Roster, events: EventBuffer, query_clock: LamportClock
    ) -> None:
        self._clock = clock
        self._roster = roster
        self._events = events
        self._query_clock = query_clock
        self._made_of: tuple[int, ...] = ()
        self._encoded = b""

    def encoded(self) -> bytes:
        """Return the user state of a push/pull."""
        made_of = (
            self._clock.time,
            self._roster.version,
            self._events.clock.time,
            self._events.version,
            self._query_clock.time,
        )
        if made_of != self._made_of:
            self._encoded = encode_serf_state(self._state())
            self._made_of = made_of
        return self._encoded

    def snapshot(self) -> tuple[SerfPushPull, int]:
        """Return the state itself, and how long it is when encoded."""
        return self._state(), len(self.encoded())

    def _state(self) -> SerfPushPull:
        return SerfPushPull(
            ltime=self._clock.time,
            status_ltimes={
                name: member.status_ltime for name, member in self._roster.members.items()
            },
            left_members=tuple(self._roster.left),
            event_ltime=self._events.clock.time,
            events=self._events.slots(),
            query_ltime=self._query_clock.time,
        )


def leave_intents(state: SerfPushPull) -> Iterator[LeaveIntent]:
    """Yield the leave intents a peer's list of left members stands for."""
    for name in state.left_members:
        ltime = min(state.status_ltimes.get(name, 0) + 1, LAMPORT_TIME_MAX)
        yield LeaveIntent(ltime, name)


def join_intents(state: SerfPushPull) -> Iterator[JoinIntent]:
    """Yield the join intents a peer's status times of the other members stand for."""
    left = frozenset(state.left_members)
    for name, ltime in state.status_ltimes.items():
        if name not in left:
            yield JoinIntent(ltime, name)


def replayed_events(state: SerfPushPull) -> Iterator[tuple[int, BufferedEvent]]:
    """Yield a peer's buffered user events with their Lamport times."""
    for slot in state.events:
        if slot is not None:
            for event in slot.events:
                yield slot.ltime, event
