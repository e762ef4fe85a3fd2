"""``Timeline``: the last things that happened in the cluster, and why; and what to show anew.

Fed by ``NodeHandle.observe``: within the node's step an event is only put down. What takes
a comparison (services, our health) is done in trio's next pass, once for all
that happened in between. Readers hold a number and take what is above it, so a slow one
costs nothing: what the ring no longer has is lost to it, and it is told how much that is.

Beside the ring it keeps what no view has: who confirmed a suspicion, the last ack of each
member, its incarnation.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

import trio

from gossipd.catalog.events import ServiceChanged
from gossipd.node.events import MemberDegraded, MemberRecovered, NodeEvent
from gossipd.node.handle import NodeHandle
from gossipd.rest.happening.following import Follower
from gossipd.rest.happening.services import tell_services
from gossipd.rest.happening.words import (
    CAUSES,
    GOOD,
    HEALTH,
    PROVOKED,
    WARN,
    WITHHELD,
    Happening,
    Told,
    tell,
    tell_change,
    tell_leaving,
)
from gossipd.serf.events import ChangeKind, LeaveNoted, MemberChange
from gossipd.services.instance import Instance
from gossipd.swim.events import (
    AccusationRefuted,
    AckMissed,
    AckObserved,
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberRefuted,
    MemberSuspected,
    MemberUpdated,
    SuspicionConfirmed,
)
from gossipd.swim.member import Member
from gossipd.value import Value
from gossipd.wire.serf_messages import MemberStatus

KEPT = 1024
PROVOKED_MAX = 10
"""Lines a second of one kind of event that others cause at will; the rest are counted."""
CAUSES_MAX = 4096
"""Members of which it is remembered why their status is about to change."""
ACCUSERS_MAX = 16
"""Remembered of one suspicion."""


class Contact(Value):
    """The last ack of a member to our own probe; times on the node's clock."""

    at: float
    rtt: float


class Timeline:
    """Keeps what happened, newest last.

    Args:
        handle: the node; observed from now on.
        wall: calendar time, seconds since 1970.
        kept: lines that are remembered.
        soon: runs a call after the node's step; ``None`` is trio's next pass.
    """

    def __init__(
        self,
        handle: NodeHandle,
        wall: Callable[[], float],
        *,
        kept: int = KEPT,
        soon: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._handle = handle
        self._wall = wall
        self._soon = soon or _in_next_pass
        self.began = wall()
        self.life = str(int(self.began))
        """Which life of the daemon numbers belong to: they begin with 1 in each."""
        self.newest = 0
        """Number of the last line."""
        self.contacts: dict[str, Contact] = {}
        self.known: dict[str, Member] = {}
        """Members as the failure detector had them last, for their incarnations."""
        self.followers: dict[Follower, None] = {}
        self._accusers: dict[str, list[str]] = {}
        self._ring: deque[Happening] = deque(maxlen=kept)
        self._causes: dict[str, NodeEvent] = {}
        self._gone_at: dict[str, float] = {}
        self._provoked: Counter[type] = Counter()
        self._provoked_until = 0.0
        self._us = handle.view().name
        self._instances: dict[str, tuple[Instance, ...]] = {}
        self._stale: dict[str, None] = {}
        self._is_due = False
        self._health = handle.statistics().health_score
        self._health_stale = False
        for summary in handle.services():
            self._instances[summary.name] = handle.service(summary.name).instances
        self.close = handle.observe(self._take)

    # -- for readers ------------------------------------------------------------

    @property
    def oldest(self) -> int:
        """Number of the first line that is still there; above ``newest`` if there is none."""
        return self.newest - len(self._ring) + 1

    def after(self, number: int) -> tuple[Happening, ...]:
        """Return the lines above ``number``, oldest first."""
        self.look()
        wanted = self.newest - number
        if wanted <= 0:
            return ()
        skipped = max(0, len(self._ring) - wanted)
        return tuple(self._ring)[skipped:]

    def accusers(self, node: str) -> tuple[str, ...]:
        """Return who accused a suspect, the first one first."""
        return tuple(self._accusers.get(node, ()))

    # -- what happens -----------------------------------------------------------

    def _take(self, event: NodeEvent, now: float) -> None:
        kind = type(event)
        if kind is AckObserved:
            self._take_ack(event, now)  # type: ignore[arg-type]  # of that very type
            return
        if kind is ServiceChanged:
            self._stale[event.name] = None  # type: ignore[union-attr]
            self._hurry()
            return
        if kind in _OF_MEMBERS:
            self._note_member(event, now)
        if kind in CAUSES:
            if len(self._causes) >= CAUSES_MAX:
                self._causes.clear()
            self._causes[event.member.name] = event  # type: ignore[union-attr]
            return
        if kind in _OF_HEALTH:
            self._health_stale = True
            self._hurry()
        if isinstance(event, MemberChange):
            self._add(self._change(event, now))
        elif isinstance(event, LeaveNoted):
            self._add(tell_leaving(event.node, self._is_leaving(event.node)))
            self._show_again(event.node)
        elif not self._is_withheld(kind, now):
            told = tell(event, self._us, now)
            if told is not None:
                self._add(told)
            if isinstance(event, MemberDegraded | MemberRecovered):
                self._show_again(event.name)

    def _take_ack(self, event: AckObserved, now: float) -> None:
        member = event.member
        self.contacts[member.name] = Contact(now, event.rtt)
        self.known[member.name] = member
        if self.followers:
            self._show_again(member.name)
        if self._health:
            self._health_stale = True
            self._hurry()

    def _note_member(self, event: NodeEvent, now: float) -> None:
        member: Member = event.member  # type: ignore[union-attr,assignment]  # _OF_MEMBERS have
        name = member.name
        self.known[name] = member
        if isinstance(event, MemberSuspected):
            self._accusers[name] = [event.accuser]
        elif isinstance(event, SuspicionConfirmed):
            accusers = self._accusers.setdefault(name, [])
            if len(accusers) < ACCUSERS_MAX:
                accusers.append(event.accuser)
        elif not isinstance(event, MemberUpdated):
            self._accusers.pop(name, None)
        self._show_again(name)

    def _change(self, event: MemberChange, now: float) -> Told:
        name, kind = event.member.name, event.kind
        away_for = None
        if kind in (ChangeKind.FAILED, ChangeKind.LEAVE):
            self._gone_at.setdefault(name, now)
        elif kind in (ChangeKind.JOIN, ChangeKind.REAP):
            gone_at = self._gone_at.pop(name, None)
            away_for = None if gone_at is None else now - gone_at
        told = tell_change(event, self._us, self._causes.pop(name, None), away_for)
        if kind is ChangeKind.REAP:
            for kept in (self.contacts, self.known, self._accusers):
                kept.pop(name, None)
        self._show_again(name)
        return told

    def _is_leaving(self, name: str) -> bool:
        status = MemberStatus.LEAVING
        return any(m.name == name and m.status is status for m in self._handle.view().members)

    def _is_withheld(self, kind: type, now: float) -> bool:
        """Count events that others provoke; returns whether there were too many this second."""
        if self._provoked and now >= self._provoked_until:
            provoked, self._provoked = self._provoked, Counter()
            for noisy, count in provoked.items():
                if count > PROVOKED_MAX:
                    more = count - PROVOKED_MAX
                    text = f"{more} more like this were not written down"
                    self._add(Told(kind=WITHHELD, level=WARN, text=text, why=noisy.__name__))
        if kind not in PROVOKED:
            return False
        if not self._provoked:
            self._provoked_until = now + 1.0
        self._provoked[kind] += 1
        return self._provoked[kind] > PROVOKED_MAX

    def _add(self, told: Told) -> None:
        self.newest += 1
        self._ring.append(Happening(number=self.newest, at=self._wall(), told=told))
        for follower in self.followers:
            follower.wake()

    def _show_again(self, node: str) -> None:
        for follower in self.followers:
            follower.member_changed(node)

    # -- what is compared later -------------------------------------------------

    def _hurry(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._soon(self._look_now)

    def _look_now(self) -> None:
        self._is_due = False
        self.look()

    def look(self) -> None:
        """Compare what may have changed with what was known, and tell it."""
        stale, self._stale = self._stale, {}
        for name in stale:
            self._look_at_service(name)
        if self._health_stale:
            self._health_stale = False
            self._look_at_health()

    def _look_at_service(self, name: str) -> None:
        before, after = self._instances.get(name, ()), self._handle.service(name).instances
        if after:
            self._instances[name] = after
        else:
            self._instances.pop(name, None)
        for told in tell_services(name, before, after):
            self._add(told)
        for follower in self.followers:
            follower.service_changed(name)

    def _look_at_health(self) -> None:
        before, score = self._health, self._handle.statistics().health_score
        if score != before:
            self._health = score
            # single steps are told up from the first and back at zero, not each between
            if not before or not score or score > before:
                self._add(_health(self._us, before, score))


def _health(us: str, before: int, score: int) -> Told:
    level = GOOD if not score else WARN
    text = f"our own health score is {score}, was {before}"
    why = "this node gets all answers in time again"
    if score:
        why = "acks to us are late or missing: we give others more time"
    detail = {"before": before, "score": score}
    return Told(kind=HEALTH, level=level, node=us, text=text, why=why, detail=detail)


def _in_next_pass(call: Callable[[], None]) -> None:
    trio.lowlevel.current_trio_token().run_sync_soon(call, idempotent=True)


_OF_MEMBERS = frozenset(
    {
        MemberFailed,
        MemberJoined,
        MemberLeft,
        MemberRefuted,
        MemberSuspected,
        MemberUpdated,
        SuspicionConfirmed,
    }
)
_OF_HEALTH = frozenset({AckMissed, MemberRefuted, AccusationRefuted, MemberSuspected})
