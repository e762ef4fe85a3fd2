"""The table of nodes and the rules of precedence (SWIM section 4.2; gossip.md, section 8).

The one place where a node's state changes. Between claims of one incarnation
an accusation wins over alive, and alive needs a strictly higher one: only the
node itself can undo an accusation. Judging a claim returns a verdict; what
follows from it (gossip, refutation, suspicion) is the dispatcher's.

The table is bounded. Whoever can send packets could otherwise make it grow
without end with invented names, so unknown nodes beyond ``MEMBERS_MAX``, and
claims with names, metas or addresses that no real node has, are refused.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator
from typing import Protocol

from gossipd.address import Address
from gossipd.config.model import SwimConfig
from gossipd.swim.member import Member, MemberState
from gossipd.value import Value, replace
from gossipd.wire.messages import Alive, Dead, Suspect, Versions

MEMBERS_MAX = 65536
"""Table entries, dead ones included; the largest real clusters have about a tenth."""
NAME_CHARACTERS_MAX = 512
"""Real names are host names; Serf's own check allows 128."""
META_BYTES_MAX = 1024
"""Senders keep to 512; somewhat more is accepted, as real nodes do."""


class MemberTable(Protocol):
    """Where entries are kept; the order of iteration must be deterministic."""

    def get(self, name: str, /) -> Member | None:
        """Return the entry of ``name``."""

    def __setitem__(self, name: str, member: Member, /) -> None: ...

    def __delitem__(self, name: str, /) -> None: ...

    def __len__(self) -> int: ...

    def values(self) -> Collection[Member]:
        """Return all entries, oldest first."""


class Verdict(enum.Enum):
    """What a claim comes to."""

    STALE = enum.auto()
    """Nothing new; nothing changed."""
    ILLEGAL = enum.auto()
    """No node that works says this; nothing changed."""
    FULL = enum.auto()
    """The node is unknown and the table has no room."""
    CONFLICT = enum.auto()
    """Another address under a name that is taken."""
    FORMER_LIFE = enum.auto()
    """Alive at the incarnation we know, with another meta: one of the two is of a
    former life, and the owner has to decide; nothing changed."""
    ABOUT_US = enum.auto()
    """It concerns this node and is not true: refute it."""
    CONFIRMS = enum.auto()
    """An accusation of a node that is suspected already."""
    ADOPTED = enum.auto()
    """The table changed, or what it says was confirmed as new: pass it on."""


class Judgement(Value):
    """A verdict with the entry as it was and as it is now."""

    verdict: Verdict
    before: Member | None = None
    after: Member | None = None


STALE = Judgement(Verdict.STALE)
ILLEGAL = Judgement(Verdict.ILLEGAL)
FULL = Judgement(Verdict.FULL)


class Membership:
    """The table and its rules, for the node called ``name``.

    Args:
        name: this node's name; its entry is never removed.
        dead_node_reclaim_time: seconds after which another address may take
            the name of a dead node; 0 is never.
        gossip_to_the_dead_time: seconds for which dead and left entries stay.
        final_death: no claim brings a dead entry back.
        table: where entries are kept; a plain dict by default.
    """

    __slots__ = ("_dead_time", "_final_death", "_name", "_reclaim_time", "is_leaving", "table")

    def __init__(
        self,
        name: str,
        *,
        dead_node_reclaim_time: float,
        gossip_to_the_dead_time: float,
        final_death: bool = False,
        table: MemberTable | None = None,
    ) -> None:
        self.table: MemberTable = {} if table is None else table
        self.is_leaving = False
        self._name = name
        self._reclaim_time = dead_node_reclaim_time
        self._dead_time = gossip_to_the_dead_time
        self._final_death = final_death

    def reconfigure(self, config: SwimConfig) -> None:
        """Judge by ``config`` from now on; who has expired by it goes at the next look."""
        self._reclaim_time = config.dead_node_reclaim_time
        self._dead_time = config.gossip_to_the_dead_time
        self._final_death = config.final_death

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[Member]:
        return iter(self.table.values())

    def get(self, name: str) -> Member | None:
        """Return the entry of ``name``, or ``None``."""
        return self.table.get(name)

    def judge_alive(self, claim: Alive, now: float, *, is_bootstrap: bool = False) -> Judgement:
        """Judge an alive claim (section 8.1); ``is_bootstrap`` is this node announcing itself."""
        is_us = claim.node == self._name
        if is_us and self.is_leaving:
            return STALE
        known = self.table.get(claim.node)
        if known is not None and not is_us and claim.incarnation <= known.incarnation:
            address = claim.address
            if address is known.address or address == known.address:
                # most claims are heard often: nothing else of them matters
                if claim.incarnation < known.incarnation or claim.meta == known.meta:
                    return STALE
                if known.state is not MemberState.ALIVE:
                    return STALE  # its owner has to refute the accusation anyway
                return Judgement(Verdict.FORMER_LIFE, known)
        versions = claim.versions
        if versions is None or not is_legal_alive(claim, versions):
            return ILLEGAL
        if known is None:
            return self._admit(claim, versions, now)
        if self._final_death and known.state is MemberState.DEAD:
            return STALE
        moves = known.address != claim.address
        if moves and not self._may_move(known, now):
            return Judgement(Verdict.CONFLICT, known)
        if is_us:
            if claim.incarnation < known.incarnation:
                return STALE
            if not is_bootstrap:
                return self._judge_alive_about_us(claim, known)
        was_alive = known.state is MemberState.ALIVE
        return self._put(
            known,
            Member(
                name=known.name,
                address=claim.address if moves else known.address,
                meta=known.meta if claim.meta == known.meta else claim.meta,
                versions=known.versions if versions == known.versions else versions,
                state=MemberState.ALIVE,
                incarnation=claim.incarnation,
                changed_at=known.changed_at if was_alive else now,
            ),
        )

    def judge_suspect(self, claim: Suspect, now: float) -> Judgement:
        """Judge a suspicion (section 8.2)."""
        known = self.table.get(claim.node)
        if known is None or claim.incarnation < known.incarnation:
            return STALE
        if len(claim.accuser) > NAME_CHARACTERS_MAX:
            return ILLEGAL
        if known.state is MemberState.SUSPECT:
            return Judgement(Verdict.CONFIRMS, known, known)
        if known.state is not MemberState.ALIVE:
            return STALE
        if claim.node == self._name:
            return Judgement(Verdict.ABOUT_US, known, known)
        return self._put(
            known,
            replace(
                known, state=MemberState.SUSPECT, incarnation=claim.incarnation, changed_at=now
            ),
        )

    def judge_dead(self, claim: Dead, now: float) -> Judgement:
        """Judge a death, or a leave where the accuser is the node itself (section 8.3)."""
        known = self.table.get(claim.node)
        if known is None or claim.incarnation < known.incarnation:
            return STALE
        if known.state in (MemberState.DEAD, MemberState.LEFT):
            return STALE
        if len(claim.accuser) > NAME_CHARACTERS_MAX:
            return ILLEGAL
        if claim.node == self._name and not self.is_leaving:
            return Judgement(Verdict.ABOUT_US, known, known)
        state = MemberState.LEFT if claim.accuser == claim.node else MemberState.DEAD
        return self._put(
            known, replace(known, state=state, incarnation=claim.incarnation, changed_at=now)
        )

    def set_own_incarnation(self, incarnation: int) -> Member:
        """Raise the incarnation of this node's own entry and return it (section 8.4).

        Raises:
            KeyError: this node is not in its table yet.
        """
        return self._set_own(incarnation=incarnation)

    def set_own_address(self, address: Address) -> Member:
        """Change the address of this node's own entry and return it.

        Raises:
            KeyError: this node is not in its table yet.
        """
        return self._set_own(address=address)

    def has_others_up(self) -> bool:
        """Return whether any other node is neither dead nor left."""
        return any(
            member.state in (MemberState.ALIVE, MemberState.SUSPECT) and member.name != self._name
            for member in self.table.values()
        )

    def may_probe(self, name: str) -> bool:
        """Return whether ``name`` is another node that is alive or suspect."""
        member = self.table.get(name)
        return (
            member is not None
            and name != self._name
            and member.state in (MemberState.ALIVE, MemberState.SUSPECT)
        )

    def may_help(self, name: str) -> bool:
        """Return whether ``name`` is another node that is alive."""
        member = self.table.get(name)
        return member is not None and name != self._name and member.state is MemberState.ALIVE

    def may_gossip_to(self, name: str, now: float) -> bool:
        """Return whether ``name`` is another node that is worth telling.

        Those newly dead are: hearing of their death lets them refute it.
        """
        member = self.table.get(name)
        if member is None or name == self._name or member.state is MemberState.LEFT:
            return False
        return member.state is not MemberState.DEAD or now - member.changed_at <= self._dead_time

    def forget_expired(self, now: float) -> list[Member]:
        """Drop entries dead or left for too long, never our own; returns them (section 8.5)."""
        expired = [
            member
            for member in self.table.values()
            if member.state in (MemberState.DEAD, MemberState.LEFT)
            and now - member.changed_at > self._dead_time
            and member.name != self._name
        ]
        for member in expired:
            del self.table[member.name]
        return expired

    def _admit(self, claim: Alive, versions: Versions, now: float) -> Judgement:
        # At incarnation 0 the reference leaves an entry nobody sees; nobody sends it.
        if claim.incarnation == 0:
            return STALE
        if len(self.table) >= MEMBERS_MAX:
            return FULL
        own = self.table.get(self._name)
        if own is not None and own.versions == versions:
            versions = own.versions  # one shared value instead of one per member
        member = Member(
            name=claim.node,
            address=claim.address,
            meta=claim.meta,
            versions=versions,
            state=MemberState.ALIVE,
            incarnation=claim.incarnation,
            changed_at=now,
        )
        self.table[claim.node] = member
        return Judgement(Verdict.ADOPTED, None, member)

    def _may_move(self, known: Member, now: float) -> bool:
        """Return whether another address may take over the name of ``known``."""
        if known.state is MemberState.LEFT:
            return True
        return (
            known.state is MemberState.DEAD
            and self._reclaim_time > 0
            and now - known.changed_at > self._reclaim_time
        )

    def _judge_alive_about_us(self, claim: Alive, known: Member) -> Judgement:
        is_same = (
            claim.incarnation == known.incarnation
            and claim.meta == known.meta
            and claim.versions == known.versions
        )
        return STALE if is_same else Judgement(Verdict.ABOUT_US, known, known)

    def _set_own(self, **changes: object) -> Member:
        known = self.table.get(self._name)
        if known is None:
            raise KeyError(self._name)
        changed = replace(known, **changes)
        self.table[self._name] = changed
        return changed

    def _put(self, before: Member, after: Member) -> Judgement:
        self.table[after.name] = after
        return Judgement(Verdict.ADOPTED, before, after)


def is_legal_alive(claim: Alive, versions: Versions) -> bool:
    """Return whether an alive claim could come from a node that works.

    The protocol range must be one (section 8.1 step 2); the name is not empty
    or endless, the meta could be gossiped, the address is IPv4 or IPv6.
    """
    return (
        0 < versions.protocol_min <= versions.protocol_max
        and 0 < len(claim.node) <= NAME_CHARACTERS_MAX
        and len(claim.meta) <= META_BYTES_MAX
        and claim.address.is_reachable
    )
