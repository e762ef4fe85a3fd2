"""What applications are told of events that come close together (section 16, coalescing).

Member changes are gathered until ``coalesce_period`` after the first or
``quiescent_period`` without a new one; then each member is told once, with
the newest that is known of it. User events that allow it are gathered on two
timers of their own. Nothing of this is on the wire.

Two faults of Serf are not repeated: an update is told once and not again with
every later flush (serf#555), and it never hides that a member joined, left or
failed in the same window (serf#393).
"""

from __future__ import annotations

import math
from typing import TypeAlias

from gossipd.serf.events import (
    ApplicationEvent,
    ChangeKind,
    MemberChange,
    MembersChanged,
    QueryReceived,
    SerfMember,
    UserEventReceived,
)

GATHERED_MAX = 4096
"""Members, and user events, gathered at most; when there are as many they are told early."""

RawEvent: TypeAlias = MemberChange | UserEventReceived | QueryReceived


class _Window:
    """When what was gathered is due: the two timers of one kind of events."""

    __slots__ = ("_coalesce", "_quiescent", "deadline", "latest")

    def __init__(self, coalesce_period: float, quiescent_period: float) -> None:
        self._coalesce = coalesce_period
        self._quiescent = quiescent_period
        self.latest = math.inf
        self.deadline = math.inf

    def extend(self, now: float) -> None:
        """Note that something came in at ``now``."""
        if self.latest == math.inf:
            self.latest = now + self._coalesce
        self.deadline = min(self.latest, now + self._quiescent)

    def close(self) -> None:
        """Be due no more, until something comes."""
        self.latest = self.deadline = math.inf


class _Gathered:
    """What happened to one member in this window; ``kind`` is ``None`` for updates only."""

    __slots__ = ("is_updated", "kind", "member")

    def __init__(self, member: SerfMember) -> None:
        self.kind: ChangeKind | None = None
        self.member = member
        self.is_updated = False


class Coalescer:
    """Gathers events and says when they are due; holds no timer itself.

    Args:
        coalesce_period: seconds after the first event of a window when all is told.
        quiescent_period: seconds without a further event after which all is told.
    """

    __slots__ = ("_count", "_last", "_member_window", "_members", "_user_events", "_user_window")

    def __init__(self, coalesce_period: float, quiescent_period: float) -> None:
        self._member_window = _Window(coalesce_period, quiescent_period)
        self._user_window = _Window(coalesce_period, quiescent_period)
        self._members: dict[str, _Gathered] = {}
        # What was told last of every member that was not reaped: as long as the roster.
        self._last: dict[str, tuple[ChangeKind, SerfMember]] = {}
        self._user_events: dict[str, list[UserEventReceived]] = {}
        self._count = 0

    def take_in(self, event: RawEvent, now: float) -> list[ApplicationEvent]:
        """Gather ``event``; return what is to be told at once, mostly nothing.

        Queries and user events that may not be coalesced pass at once.
        """
        if isinstance(event, MemberChange):
            return self._gather_change(event, now)
        if isinstance(event, UserEventReceived) and event.may_coalesce:
            return self._gather_user_event(event, now)
        return [event]

    def next_deadline(self) -> float | None:
        """Return when ``take_due`` is to be called (seconds, monotonic), ``None`` for never."""
        deadline = min(self._member_window.deadline, self._user_window.deadline)
        return None if deadline == math.inf else deadline

    def take_due(self, now: float) -> list[ApplicationEvent]:
        """Return what is due at ``now``: members by kind, then user events."""
        told: list[ApplicationEvent] = []
        if now >= self._member_window.deadline:
            told += self._flush_members()
        if now >= self._user_window.deadline:
            told += self._flush_user_events()
        return told

    def take_all(self) -> list[ApplicationEvent]:
        """Return all that was gathered, due or not: the end has come."""
        return self._flush_members() + self._flush_user_events()

    # -- members --------------------------------------------------------------

    def _gather_change(self, change: MemberChange, now: float) -> list[ApplicationEvent]:
        member = change.member
        gathered = self._members.get(member.name)
        if gathered is None:
            gathered = self._members[member.name] = _Gathered(member)
        gathered.member = member
        if change.kind is ChangeKind.UPDATE:
            gathered.is_updated = True
        else:
            gathered.kind = change.kind
        self._member_window.extend(now)
        return self._flush_members() if len(self._members) >= GATHERED_MAX else []

    def _flush_members(self) -> list[ApplicationEvent]:
        by_kind: dict[ChangeKind, list[SerfMember]] = {kind: [] for kind in ChangeKind}
        for name, gathered in self._members.items():
            kind = self._news_of(name, gathered)
            if kind is None:
                continue
            by_kind[kind].append(gathered.member)
            if kind is ChangeKind.REAP:
                self._last.pop(name, None)
            else:
                self._last[name] = kind, gathered.member
        self._members.clear()
        self._member_window.close()
        return [
            MembersChanged(kind, tuple(members)) for kind, members in by_kind.items() if members
        ]

    def _news_of(self, name: str, gathered: _Gathered) -> ChangeKind | None:
        """Return what is to be told of a member, ``None`` if it is as it was told last.

        A member that went and came back within a window is not told to have joined
        again; if it came back with other tags or another address, it was updated.
        One that was gone and is gone again is not told twice.
        """
        if gathered.kind is None:
            return ChangeKind.UPDATE
        kind, member = self._last.get(name, (None, None))
        if kind is not gathered.kind:
            return gathered.kind
        if kind is ChangeKind.JOIN and member is not None:
            is_news = gathered.is_updated or _differs(member, gathered.member)
            return ChangeKind.UPDATE if is_news else None
        return None

    # -- user events ----------------------------------------------------------

    def _gather_user_event(self, event: UserEventReceived, now: float) -> list[ApplicationEvent]:
        self._user_window.extend(now)
        newest = self._user_events.get(event.name)
        if newest is None or newest[0].ltime < event.ltime:
            self._count += 1 - len(newest or ())
            self._user_events[event.name] = [event]
        elif newest[0].ltime == event.ltime:
            self._count += 1
            newest.append(event)
        return self._flush_user_events() if self._count >= GATHERED_MAX else []

    def _flush_user_events(self) -> list[ApplicationEvent]:
        told: list[ApplicationEvent] = []
        for events in self._user_events.values():
            told += events
        self._user_events.clear()
        self._count = 0
        self._user_window.close()
        return told


def _differs(before: SerfMember, after: SerfMember) -> bool:
    return (
        before.tags != after.tags
        or before.address != after.address
        or before.versions != after.versions
    )
