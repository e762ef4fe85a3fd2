"""``EarlyWarning``: tells of members that behave worse than they usually do.

What is usual is ``metrics/bands.py``'s part. Here is who is watched, when it is told, and
whose fault it may be: where half of all members seem to be degraded at once, it is
this node that is, or its network, and only that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from gossipd.ledger import Ledger
from gossipd.metrics.bands import Band, UsualLoss
from gossipd.node.events import MemberDegraded, MemberRecovered, NodeEvent
from gossipd.swim.events import (
    AckMissed,
    AckObserved,
    MemberFailed,
    MemberForgotten,
    MemberJoined,
    MemberLeft,
    MemberRefuted,
    MemberSuspected,
)

MEMBERS_MAX = 2048
"""Members that are watched; in larger clusters one probe of each takes the better part of an
hour, which is no early warning."""
LEAST = 30.0
"""Seconds for which a member is degraded once it is: nobody wants to read of a flutter."""
BLAMED_MIN, BLAMED_SHARE = 3, 0.5
"""So many members degraded at once, and that share of those that are watched, blame this node;
half the share keeps it blamed."""
COUNTED = "gossipd.degraded."
"""Counted: warnings, by the first sign of each."""
SELF = "self"

Tell: TypeAlias = Callable[[NodeEvent, float], None]


class _Watched:
    __slots__ = ("band", "since")

    def __init__(self, pool: UsualLoss) -> None:
        self.band = Band(pool)
        self.since: float | None = None
        """Since when it is outside of its band, ``None`` if it is not."""


class EarlyWarning:
    """The members that one node watches.

    Args:
        us: our own name.
        tell: takes the events and when they happened.
        ledger: where warnings are counted.
    """

    def __init__(self, us: str, tell: Tell, ledger: Ledger) -> None:
        self._us = us
        self._tell = tell
        self._ledger = ledger
        self._pool = UsualLoss()
        self._watched: dict[str, _Watched] = {}
        self._accused: dict[str, _Watched] = {}
        """Whom anybody suspected since it came."""
        self._outside: dict[str, _Watched] = {}
        """Who is outside of the band now."""
        self._told: dict[str, float] = {}
        """Who was said to be degraded, and since when."""
        self._shown: Mapping[str, str] = {}
        self._is_stale = False

    def take(self, event: NodeEvent, now: float) -> None:
        """Look at one event of the node."""
        match event:
            case AckObserved(member=member, rtt=rtt):
                watched = self._of(member.name)
                if watched is not None:
                    watched.band.acked(rtt, now)
                    self._judge(member.name, watched, now)
            case AckMissed(member=member):
                watched = self._of(member.name)
                if watched is not None:
                    watched.band.missed()
                    self._judge(member.name, watched, now)
            case MemberSuspected(member=member, accuser=accuser):
                watched = self._of(member.name)
                if watched is not None:
                    self._accused[member.name] = watched
                    watched.band.suspected("" if accuser in self._outside else accuser)
            case MemberRefuted(member=member):
                watched = self._of(member.name)
                if watched is not None:
                    watched.band.refuted(now)
                    self._judge(member.name, watched, now)
            case (
                MemberJoined(member=member)
                | MemberFailed(member=member)
                | MemberLeft(member=member)
                | MemberForgotten(member=member)
            ):
                self._forget(member.name, now)
            case _:
                pass

    def degraded(self) -> Mapping[str, str]:
        """Return who is degraded now and why, by name; the same object until it changes."""
        if self._is_stale:
            self._is_stale = False
            shown = {name: self._reason(name) for name in sorted(self._told)}
            if shown != self._shown:
                self._shown = shown
        return self._shown

    def _of(self, name: str) -> _Watched | None:
        watched = self._watched.get(name)
        if watched is None and name != self._us and len(self._watched) < MEMBERS_MAX:
            watched = self._watched[name] = _Watched(self._pool)
        return watched

    def _judge(self, name: str, watched: _Watched, now: float) -> None:
        signs = watched.band.signs
        if signs and watched.since is None:
            watched.since = now
            self._outside[name] = watched
            self._disbelieve(name)
            self._ledger.count(COUNTED + signs[0])
        elif not signs and watched.since is not None and now - watched.since >= LEAST:
            watched.since = None
            del self._outside[name]
        if self._outside or self._told:
            self._tell_changes(now)

    def _forget(self, name: str, now: float) -> None:
        """Start anew with who joins; who is gone was no more than degraded until then."""
        self._watched.pop(name, None)
        self._accused.pop(name, None)
        self._disbelieve(name)
        if self._outside.pop(name, None) is not None:
            self._tell_changes(now)

    def _disbelieve(self, accuser: str) -> None:
        for watched in self._accused.values():
            watched.band.disbelieve(accuser)

    def _tell_changes(self, now: float) -> None:
        """Bring what was told up to date with who is outside of the band."""
        self._is_stale = True
        outside = self._outside
        share = BLAMED_SHARE / 2 if self._us in self._told else BLAMED_SHARE
        is_ours = len(outside) >= max(BLAMED_MIN, share * len(self._watched))
        wanted = dict.fromkeys([self._us] if is_ours else outside)
        for name in [name for name in self._told if name not in wanted]:
            self._tell(MemberRecovered(name, now - self._told.pop(name)), now)
        for name in wanted:
            if name not in self._told:
                if name == self._us:
                    self._ledger.count(COUNTED + SELF)
                self._told[name] = now
                self._tell(MemberDegraded(name, self._reason(name)), now)

    def _reason(self, name: str) -> str:
        watched = self._outside.get(name)
        if watched is not None:
            return watched.band.reason or "it just recovered"
        return (
            f"{len(self._outside)} of {len(self._watched)} members seem degraded from here at"
            " once: it is rather this node or its network"
        )
