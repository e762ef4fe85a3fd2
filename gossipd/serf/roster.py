"""Serf's members: their status, the lists of failed and left ones, reaping.

gossip.md, sections 15.2 and 18.3. The roster judges swim's events and the
intents of members and changes itself; events, gossip and timers are the
dispatcher's. It keeps failed and left members long after the failure
detector has forgotten them.

    join event -> alive --leave intent--> leaving --leave event--> left
                    \\--leave event--> failed --leave intent--> left
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, MutableMapping

from gossipd.serf.events import ChangeKind, SerfMember
from gossipd.serf.intents import Intent
from gossipd.swim.member import Member
from gossipd.value import replace
from gossipd.wire.serf_messages import JoinIntent, LeaveIntent, MemberStatus

MEMBERS_MAX = 65536
"""Members kept at most. Above it the member that is gone longest is forgotten early.

The failure detector bounds the living ones; this bounds what a flood of
forged, then dead nodes leaves behind for a day.
"""


class IntentVerdict(enum.Enum):
    """What the roster says of an intent."""

    STALE = "stale"
    UNKNOWN = "unknown"
    ABOUT_US = "about us"
    ADOPTED = "adopted"
    BECAME_LEFT = "became left"


class Roster:
    """All members by name; ``version`` grows with every change of one.

    ``failed`` and ``left`` are the side lists, in the order of arrival.
    """

    __slots__ = ("_maximum", "_members", "failed", "left", "version")

    def __init__(
        self,
        members: MutableMapping[str, SerfMember] | None = None,
        *,
        maximum: int = MEMBERS_MAX,
    ) -> None:
        self._maximum = maximum
        self._members: MutableMapping[str, SerfMember] = {} if members is None else members
        self.failed: dict[str, None] = {}
        self.left: dict[str, None] = {}
        self.version = 0

    @property
    def members(self) -> Mapping[str, SerfMember]:
        """Members by name, in the order in which they became known."""
        return self._members

    def get(self, node: str) -> SerfMember | None:
        """Return the member of that name."""
        return self._members.get(node)

    @property
    def running(self) -> int:
        """How many members are neither failed nor left."""
        return len(self._members) - len(self.failed) - len(self.left)

    def has_alive_besides(self, node: str) -> bool:
        """Say whether any member but ``node`` is alive."""
        return any(
            member.status is MemberStatus.ALIVE and member.name != node
            for member in self._members.values()
        )

    def joined(self, claim: Member, tags: Mapping[str, str], intent: Intent | None) -> SerfMember:
        """Apply swim's join event; ``intent`` is what was buffered for an unknown member."""
        known = self._members.get(claim.name)
        status, ltime = MemberStatus.ALIVE, 0
        if known is not None:
            ltime = known.status_ltime
        elif intent is not None:
            ltime = intent.ltime
            if intent.is_leave:
                status = MemberStatus.LEAVING
        self.failed.pop(claim.name, None)
        self.left.pop(claim.name, None)
        return self._store(
            SerfMember(claim.name, claim.address, tags, status, claim.versions, ltime)
        )

    def gone(self, node: str, now: float) -> ChangeKind | None:
        """Apply swim's failed or left event; return what became of the member.

        A leaving member has left, an alive one failed; whatever else, or an
        unknown one, is no change.
        """
        known = self._members.get(node)
        if known is None:
            return None
        if known.status is MemberStatus.LEAVING:
            self.left[node] = None
            self._set(known, MemberStatus.LEFT, known.status_ltime, now)
            return ChangeKind.LEAVE
        if known.status is MemberStatus.ALIVE:
            self.failed[node] = None
            self._set(known, MemberStatus.FAILED, known.status_ltime, now)
            return ChangeKind.FAILED
        return None

    def updated(self, claim: Member, tags: Mapping[str, str]) -> SerfMember | None:
        """Apply swim's update event: address, tags, versions. ``None`` if unknown."""
        known = self._members.get(claim.name)
        if known is None:
            return None
        return self._store(
            replace(known, address=claim.address, tags=tags, versions=claim.versions)
        )

    def apply_join(self, intent: JoinIntent) -> IntentVerdict:
        """Judge a join intent: one newer than the status makes leaving alive again."""
        known = self._members.get(intent.node)
        if known is None:
            return IntentVerdict.UNKNOWN
        if intent.ltime <= known.status_ltime:
            return IntentVerdict.STALE
        status = known.status
        if status is MemberStatus.LEAVING:
            status = MemberStatus.ALIVE
        self._set(known, status, intent.ltime, known.left_at)
        return IntentVerdict.ADOPTED

    def apply_leave(self, intent: LeaveIntent, refuses: str | None) -> IntentVerdict:
        """Judge a leave intent; one about ``refuses`` (us, while we stay) changes nothing.

        A newer one always moves the status time. Alive becomes leaving, and
        failed becomes left.
        """
        known = self._members.get(intent.node)
        if known is None:
            return IntentVerdict.UNKNOWN
        if intent.node == refuses and intent.ltime == known.status_ltime:
            # Our last life said this at the very time at which we joined again. Who heard
            # it first takes our join for stale, and would show us as leaving for good.
            return IntentVerdict.ABOUT_US
        if intent.ltime <= known.status_ltime:
            return IntentVerdict.STALE
        if intent.node == refuses:
            return IntentVerdict.ABOUT_US
        if known.status is MemberStatus.FAILED:
            del self.failed[intent.node]
            self.left[intent.node] = None
            self._set(known, MemberStatus.LEFT, intent.ltime, known.left_at)
            return IntentVerdict.BECAME_LEFT
        status = known.status
        if status is MemberStatus.ALIVE:
            status = MemberStatus.LEAVING
        self._set(known, status, intent.ltime, known.left_at)
        return IntentVerdict.ADOPTED

    def erase(self, node: str) -> SerfMember | None:
        """Forget a member whatever its status; return what it was."""
        known = self._members.pop(node, None)
        if known is not None:
            self.failed.pop(node, None)
            self.left.pop(node, None)
            self.version += 1
        return known

    def expired(self, failed_for: float, left_for: float, now: float) -> list[str]:
        """Return who failed more than ``failed_for`` or left more than ``left_for`` s ago."""
        return [
            node
            for side, timeout in ((self.failed, failed_for), (self.left, left_for))
            for node in side
            if now - (self._members[node].left_at or 0.0) > timeout
        ]

    def surplus(self) -> str | None:
        """Return who must be forgotten because there are too many; ``None`` if nobody."""
        if len(self._members) <= self._maximum:
            return None
        oldest = [next(iter(side)) for side in (self.failed, self.left) if side]
        return min(oldest, key=lambda node: self._members[node].left_at or 0.0, default=None)

    def _set(
        self, member: SerfMember, status: MemberStatus, ltime: int, left_at: float | None
    ) -> None:
        self._store(replace(member, status=status, status_ltime=ltime, left_at=left_at))

    def _store(self, member: SerfMember) -> SerfMember:
        self._members[member.name] = member
        self.version += 1
        return member
