"""The dispatcher's part about members: who joins, leaves, fails, returns, is forgotten.

Like its owner it sets timers and writes effects and events; what an event or an
intent makes of a member is decided in ``roster.py``, what is kept of unknown
ones in ``intents.py`` (gossip.md, sections 15 and 18.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from gossipd.config.model import SerfConfig
from gossipd.outbox import Outbox
from gossipd.serf.broadcasts import Topic
from gossipd.serf.effects import Recall, SendPayload, SerfEffect
from gossipd.serf.events import (
    BroadcastDone,
    ChangeKind,
    LeaveIntentRefuted,
    LeaveNoted,
    MemberChange,
    MessageIgnored,
    SerfEvent,
    SerfMember,
)
from gossipd.serf.intents import IntentBuffer
from gossipd.serf.lamport import LamportClock
from gossipd.serf.roster import IntentVerdict, Roster
from gossipd.serf.timers import LeaveOverdue, PruneDue, SerfTimer
from gossipd.serf.upkeep import Upkeep
from gossipd.swim.member import Member
from gossipd.timers import Timers
from gossipd.wire.serf_codec import decode_tags_untrusted, encode_serf
from gossipd.wire.serf_messages import JoinIntent, LeaveIntent, MemberStatus

FLAP_WINDOW = 60.0
"""Seconds; who is back so soon after a failure flaps."""
FLAP = "flap"
"""Counted; the kinds of change are too, under their own names."""


class Members:
    """What the node ``name`` makes of swim's events and of intents.

    It shares the roster, the member clock, the intents, the timers and the outbox
    with the ``Serf`` that owns it; ``stop_waiting_for`` is called with the name of
    a member that answers nothing any more.
    """

    __slots__ = (
        "_clock",
        "_config",
        "_intents",
        "_joined_at",
        "_name",
        "_outbox",
        "_overdue",
        "_pruned",
        "_prunes",
        "_roster",
        "_stop_waiting_for",
        "_timers",
        "_upkeep",
        "is_leaving",
    )

    def __init__(
        self,
        config: SerfConfig,
        name: str,
        clock: LamportClock,
        roster: Roster,
        intents: IntentBuffer,
        upkeep: Upkeep,
        stop_waiting_for: Callable[[str], None],
        timers: Timers[SerfTimer],
        outbox: Outbox[SerfEffect, SerfEvent],
    ) -> None:
        self._config = config
        self._name = name
        self._clock = clock
        self._roster = roster
        self._intents = intents
        self._upkeep = upkeep
        self._stop_waiting_for = stop_waiting_for
        self._timers = timers
        self._outbox = outbox
        self._prunes: dict[str, int] = {}
        self._pruned: dict[str, SerfMember] = {}
        """Forgotten, although the failure detector has them running; as they were."""
        self._overdue: set[str] = set()
        self._joined_at = 0
        self.is_leaving = False
        """Whether ``announce_leave`` was called."""

    # What the failure detector tells.

    def on_joined(self, claim: Member, now: float) -> None:
        """A member is there, new or again."""
        tags = self._read_tags(claim)
        known = self._roster.get(claim.name)
        self._pruned.pop(claim.name, None)
        if known is not None and _flaps(known, now):
            self._outbox.ledger.count(FLAP)
        member = self._roster.joined(claim, tags, self._intents.get(claim.name))
        self._tell(ChangeKind.JOIN, member)
        self._expect_to_leave(member, now)
        surplus = self._roster.surplus()
        if surplus is not None:
            self._erase(surplus, forced=False)
        self._upkeep.arm(now)

    def on_gone(self, node: str, now: float) -> None:
        """A member failed or left; which of them, its status tells."""
        self._pruned.pop(node, None)
        kind = self._roster.gone(node, now)
        if kind is None:
            return
        self._tell(kind, self._roster.members[node])
        self._stop_waiting_for(node)
        self._upkeep.arm(now)

    def on_updated(self, claim: Member) -> None:
        """A member has other tags, another address or other versions."""
        if self._roster.get(claim.name) is None:
            return
        member = self._roster.updated(claim, self._read_tags(claim))
        if member is not None:
            self._tell(ChangeKind.UPDATE, member)

    def _read_tags(self, claim: Member) -> Mapping[str, str]:
        tags, is_complete = decode_tags_untrusted(claim.meta)
        if not is_complete:
            detail = f"some tags of {claim.name} cannot be read"
            self._outbox.events.append(MessageIgnored("tags-cut", detail, claim.address))
        return tags

    def reap(self, now: float) -> None:
        """Forget members and intents that are too old."""
        config = self._config
        timeouts = config.reconnect_timeout, config.tombstone_timeout
        for node in self._roster.expired(*timeouts, now):
            self._erase(node, forced=False)
        self._intents.expire(now)

    # What we announce (section 15.4).

    def announce_join(self, now: float) -> None:
        """Gossip a join intent about us at the time of now."""
        intent = JoinIntent(self._clock.time, self._name)
        self.apply_join(intent, now)
        self._joined_at = intent.ltime
        # Named: only our newest join intent matters, so a flood of leave
        # intents about us cannot fill the queue with refutations.
        self._upkeep.gossip(Topic.INTENT, encode_serf(intent), now, name="own join")

    def announce_leave(self, token: int, now: float) -> None:
        """Announce that we leave; from now on nothing about us is refuted."""
        self.is_leaving = True
        self._announce(LeaveIntent(self._clock.time, self._name), token, now)

    def force_leave(self, node: str, prune: bool, token: int, now: float) -> None:
        """Announce in its name that ``node`` leaves."""
        self._announce(LeaveIntent(self._clock.time, node, prune), token, now)

    def _announce(self, intent: LeaveIntent, token: int, now: float) -> None:
        # Asked before the intent is applied: it may make the only other alive
        # member leaving, and that one must hear of it to be able to refute.
        has_listener = self._roster.has_alive_besides(self._name)
        self._clock.increment()
        self.apply_leave(intent, now)
        self._upkeep.arm(now)
        if has_listener:
            self._upkeep.gossip(Topic.INTENT, encode_serf(intent), now, token=token)
        else:
            self._outbox.events.append(BroadcastDone(token))

    # What is announced by others, or by us.

    def apply_join(self, intent: JoinIntent, now: float) -> bool:
        """Witness and apply a join intent; say whether it was new."""
        self._clock.witness(intent.ltime)
        known = self._roster.get(intent.node)
        match self._roster.apply_join(intent):
            case IntentVerdict.UNKNOWN:
                node, ltime = intent.node, intent.ltime
                is_new = self._intents.put(node, is_leave=False, ltime=ltime, now=now)
                if is_new:  # it may have been pruned, and run all the same
                    self._outbox.effects.append(Recall(node))
                return is_new
            case IntentVerdict.ADOPTED:
                if known is not None and known.status is MemberStatus.LEAVING:
                    self._outbox.events.append(LeaveNoted(intent.node))
                return True
            case _:
                return False

    def apply_leave(self, intent: LeaveIntent, now: float) -> bool:
        """Witness and apply a leave intent; say whether it was new."""
        self._clock.witness(intent.ltime)
        node = intent.node
        match self._roster.apply_leave(intent, None if self.is_leaving else self._name):
            case IntentVerdict.STALE:
                return False
            case IntentVerdict.UNKNOWN:
                return self._intents.put(node, is_leave=True, ltime=intent.ltime, now=now)
            case IntentVerdict.ABOUT_US:
                self._outbox.events.append(LeaveIntentRefuted(intent.ltime))
                self.announce_join(now)
                return False
            case IntentVerdict.BECAME_LEFT:
                self._tell(ChangeKind.LEAVE, self._roster.members[node], forced=True)
            case IntentVerdict.ADOPTED:
                self._stop_waiting_for(node)
                self._outbox.events.append(LeaveNoted(node))
                self._expect_to_leave(self._roster.members[node], now)
            case unreachable:
                assert_never(unreachable)
        if intent.prune:
            self._prune(intent, now)
        return True

    # Leaves that take too long, or that are not true.

    def _expect_to_leave(self, member: SerfMember, now: float) -> None:
        """Look at ``member`` again when a leave in progress would be over."""
        name = member.name
        if member.status is MemberStatus.LEAVING and not (
            name == self._name or name in self._overdue
        ):
            self._overdue.add(name)
            wait = 2 * self._config.broadcast_timeout + self._config.leave_propagate_delay
            self._timers.set(now + wait, LeaveOverdue(name))

    def ask_whether_it_leaves(self, node: str, now: float) -> None:
        """Tell a member that should have left that we think so; if it stays it refutes.

        A push/pull makes a leave one tick newer each time it is told, so one of a
        former life can outdo the join of the next, unknown to its owner or at the
        very time of that join. Or it refuted, and that did not reach us. So we ask at the
        time of now, as if it were forced to leave: a tick above the leave is old for an
        owner whose refutation was lost. Each question moves our clock, so that one of
        them is new for it even if we hear of no other time.

        One that was pruned is asked as long as it runs: a single question may be lost,
        and the failure detector, which never missed it, has no news of it to tell.
        """
        self._overdue.discard(node)
        member = self._roster.get(node) or self._pruned.get(node)
        if member is None or member.status is not MemberStatus.LEAVING:
            return
        self._ask(member)
        self._expect_to_leave(member, now)

    def _ask(self, member: SerfMember) -> None:
        # The clock is above every intent we know, those about who is forgotten too.
        payload = encode_serf(LeaveIntent(self._clock.time, member.name))
        self._clock.increment()
        self._outbox.effects.append(SendPayload(member.address, payload))

    def outdo_news_of_us(self, now: float) -> None:
        """Announce our join again if others have newer word of us than we gave.

        It may be a leave of our last life that a push/pull made newer (14.3). The
        times of a peer do not tell who is leaving, and whoever shows us so takes a
        join of the same time for old. Done for push/pulls only: two nodes of one
        name would outdo each other at the speed of gossip.
        """
        own = self._roster.get(self._name)
        if own is not None and own.status_ltime > self._joined_at and not self.is_leaving:
            self.announce_join(now)

    # Pruning.

    def _prune(self, intent: LeaveIntent, now: float) -> None:
        """Forget the member; one that is still leaving gets the time to do so."""
        if self._roster.members[intent.node].status is MemberStatus.LEAVING:
            # One timer for each member, however many intents ask for it.
            if intent.node not in self._prunes:
                self._arm_prune(intent.node, intent.ltime, now)
            self._prunes[intent.node] = intent.ltime
        else:
            self._erase(intent.node, forced=True)

    def _arm_prune(self, node: str, ltime: int, now: float) -> None:
        wait = self._config.broadcast_timeout + self._config.leave_propagate_delay
        self._timers.set(now + wait, PruneDue(node, ltime))

    def prune_if_gone(self, node: str, ltime: int, now: float) -> None:
        """Forget a member that did not refute the leave it was to be pruned by."""
        newest = self._prunes[node]
        if newest != ltime:
            self._arm_prune(node, newest, now)
            return
        del self._prunes[node]
        member = self._roster.get(node)
        if member is None or member.status not in (MemberStatus.LEAVING, MemberStatus.LEFT):
            return
        if member.status is MemberStatus.LEAVING and node != self._name:
            # It may have been too slow to object, and would be invisible for as long as
            # it runs. What it says after this leave brings it back (``Recall``).
            self._intents.put(node, is_leave=True, ltime=member.status_ltime, now=now)
            self._ask(member)
            self._pruned[node] = member
            self._expect_to_leave(member, now)
        self._erase(node, forced=True)

    def _erase(self, node: str, *, forced: bool) -> None:
        member = self._roster.erase(node)
        if member is not None:
            self._stop_waiting_for(node)
            self._tell(ChangeKind.REAP, member, forced=forced)

    def _tell(self, kind: ChangeKind, member: SerfMember, *, forced: bool = False) -> None:
        self._outbox.ledger.count(kind.value)
        self._outbox.events.append(MemberChange(kind, member, forced))


def _flaps(known: SerfMember, now: float) -> bool:
    """Say whether a member that joins now had failed a moment ago."""
    left_at = known.left_at
    return (
        known.status is MemberStatus.FAILED and left_at is not None and now < left_at + FLAP_WINDOW
    )
