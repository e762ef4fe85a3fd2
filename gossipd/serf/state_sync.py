"""Serf's part of a push/pull (gossip.md, section 14.3).

Building our state, kept encoded until something in it changes, and reading
that of a peer as the intents and events it stands for. Applying those is the
dispatcher's part; nothing learned this way is gossiped on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from gossipd.serf.events import SerfMember
from gossipd.serf.lamport import LamportClock
from gossipd.serf.roster import Roster
from gossipd.serf.user_events import EventBuffer
from gossipd.shared import SharedDict
from gossipd.value import replace
from gossipd.wire.serf_codec import (
    encode_serf_state,
    status_time_bytes,
    status_times_head_bytes,
)
from gossipd.wire.serf_messages import (
    LAMPORT_TIME_MAX,
    JoinIntent,
    LeaveIntent,
    SerfPushPull,
)


class SharedTimes(Mapping[str, int]):
    """The status times of a shared roster, without a mapping of their own."""

    __slots__ = ("_roster",)

    def __init__(self, roster: SharedDict[SerfMember]) -> None:
        self._roster = roster

    def __getitem__(self, name: str) -> int:
        return self._roster[name].status_ltime

    def __iter__(self) -> Iterator[str]:
        return iter(self._roster)

    def __len__(self) -> int:
        return len(self._roster)

    def unlike(self, ours: Mapping[str, SerfMember]) -> Iterator[tuple[str, int]]:
        """Yield the times of members that are not the very same in ``ours``."""
        for name, member in self._roster.unlike(ours):
            yield name, member.status_ltime


class StateSync:
    """The encoded local state, made anew only when an ingredient changed."""

    __slots__ = (
        "_catalog", "_clock", "_encoded", "_events", "_made_of", "_query_clock", "_roster",
    )  # fmt: skip

    def __init__(
        self,
        clock: LamportClock,
        roster: Roster,
        events: EventBuffer,
        query_clock: LamportClock,
        catalog: Callable[[], bytes] = bytes,
    ) -> None:
        self._clock = clock
        self._roster = roster
        self._events = events
        self._query_clock = query_clock
        self._made_of: tuple[object, ...] = ()
        self._encoded = b""
        self._catalog = catalog

    def encoded(self) -> bytes:
        """Return the user state of a push/pull."""
        made_of = (
            self._clock.time,
            self._roster.version,
            self._events.clock.time,
            self._events.version,
            self._query_clock.time,
            self._catalog(),
        )
        if made_of != self._made_of:
            self._encoded = encode_serf_state(self._state())
            self._made_of = made_of
        return self._encoded

    def snapshot(self) -> tuple[SerfPushPull, int]:
        """Return the state itself, and how long it is when encoded."""
        members = self._roster.members
        if not isinstance(members, SharedDict):
            return self._state(), len(self.encoded())
        state = self._state()
        rest = len(encode_serf_state(replace(state, status_ltimes={})))
        return state, rest + status_times_head_bytes(len(members)) + members.total(_time_bytes)

    def _state(self) -> SerfPushPull:
        return SerfPushPull(
            ltime=self._clock.time,
            status_ltimes=_times_of(self._roster.members),
            left_members=tuple(self._roster.left),
            event_ltime=self._events.clock.time,
            events=self._events.slots(),
            query_ltime=self._query_clock.time,
            catalog=self._catalog(),
        )


def _times_of(members: Mapping[str, SerfMember]) -> Mapping[str, int]:
    if isinstance(members, SharedDict):
        return SharedTimes(members.snapshot())
    return {name: member.status_ltime for name, member in members.items()}


def _time_bytes(name: str, member: SerfMember) -> int:
    return status_time_bytes(name, member.status_ltime)


def leave_intents(state: SerfPushPull) -> Iterator[LeaveIntent]:
    """Yield the leave intents a peer's list of left members stands for."""
    for name in state.left_members:
        ltime = min(state.status_ltimes.get(name, 0) + 1, LAMPORT_TIME_MAX)
        yield LeaveIntent(ltime, name)


def join_intents(state: SerfPushPull, ours: Mapping[str, SerfMember]) -> Iterator[JoinIntent]:
    """Yield the join intents a peer's status times of the other members stand for.

    An entry shared with ``ours`` is left out: we have witnessed it, and it is no news.
    """
    left = frozenset(state.left_members)
    times = state.status_ltimes
    news = times.unlike(ours) if isinstance(times, SharedTimes) else times.items()
    for name, ltime in news:
        if name not in left:
            yield JoinIntent(ltime, name)
