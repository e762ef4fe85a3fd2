"""The dispatcher's half that believes: claims heard and made, suspicions, the queue.

Split off ``swim.py`` because it shares only the table and the timers with the
probing half. Like its owner it routes, arms timers and writes events; who is
right is decided in ``membership.py``, ``suspicion.py`` and ``refutation.py``
(gossip.md, sections 8, 10.1, 12).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from gossipd.address import Address
from gossipd.config.model import SwimConfig
from gossipd.errors import UsageError
from gossipd.outbox import Outbox
from gossipd.swim import scaling
from gossipd.swim.dissemination import BroadcastQueue
from gossipd.swim.effects import Send, SwimEffect
from gossipd.swim.events import (
    AccusationRefuted,
    BroadcastFinished,
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberRefuted,
    MemberSuspected,
    MemberUpdated,
    NameConflict,
    SuspicionConfirmed,
    SwimEvent,
)
from gossipd.swim.former_lives import FormerLives
from gossipd.swim.health import LocalHealth
from gossipd.swim.member import Member, MemberState
from gossipd.swim.membership import STALE, Membership, Verdict
from gossipd.swim.refutation import OwnIncarnation
from gossipd.swim.rotation import Rotation
from gossipd.swim.suspicion import Suspicion
from gossipd.swim.timers import SuspicionOver, SwimTimer
from gossipd.timers import Handle, Timers
from gossipd.value import replace
from gossipd.wire.codec import encode
from gossipd.wire.messages import Alive, Claim, Dead, NodeState, Suspect, Versions

META_BYTES_MAX = 512
"""What a node may say of itself (section 7)."""

ALIVE_ADOPTED = "alive-adopted"
SUSPECT_ADOPTED = "suspect-adopted"
DEAD_ADOPTED = "dead-adopted"
"""Counted: claims that changed what we believe, our own and our refutations included."""
SUSPICION_UNCONFIRMED = "suspicion-unconfirmed"
"""Counted: suspicions that ran out with fewer confirmations than wanted."""
SUSPICION_RAISED, SUSPICION_CONFIRMED = "suspicion-raised", "suspicion-confirmed"
SUSPICION_REFUTED = "suspicion-refuted"
"""Counted: suspicions that began here, further accusers, and suspects that proved alive."""
ACCUSATION_REFUTED = "accusation-refuted"
"""Counted: claims against ourselves that we answered."""


class Claims:
    """What the node ``name`` at ``address`` believes and passes on.

    It shares the table, the rotation, the health, the timers and the outbox
    with the ``Swim`` that owns it, which sees to it that gossip ticks come.
    """

    __slots__ = (
        "_address",
        "_bind_port",
        "_config",
        "_former_lives",
        "_health",
        "_membership",
        "_name",
        "_outbox",
        "_rotation",
        "_timers",
        "_timers_of",
        "_versions",
        "own",
        "queue",
        "refused",
        "source",
        "suspicions",
    )

    def __init__(
        self,
        config: SwimConfig,
        name: str,
        address: Address,
        versions: Versions,
        bind_port: int,
        membership: Membership,
        rotation: Rotation,
        health: LocalHealth,
        timers: Timers[SwimTimer],
        outbox: Outbox[SwimEffect, SwimEvent],
    ) -> None:
        self.own = OwnIncarnation()
        self.queue = BroadcastQueue()
        self.suspicions: dict[str, Suspicion] = {}
        self.refused: dict[str, int] = {}
        self.source: Address | None = None
        """Who sent the packet that claims come from, ``None`` if they came by none."""
        self._config = config
        self._name = name
        self._address = address
        self._versions = versions
        self._bind_port = bind_port
        self._membership = membership
        self._rotation = rotation
        self._health = health
        self._timers = timers
        self._outbox = outbox
        self._timers_of: dict[str, Handle[SwimTimer]] = {}
        self._former_lives = FormerLives(config.probe_interval)

    # What we say of ourselves (section 12)

    def announce(self, meta: bytes, now: float, token: int | None = None) -> None:
        """Say that this node is alive with ``meta``, one incarnation higher.

        Raises:
            UsageError: ``meta`` is longer than 512 bytes; nothing was changed.
        """
        if len(meta) > META_BYTES_MAX:
            raise UsageError(f"node meta of {len(meta)} bytes: {META_BYTES_MAX} are allowed")
        if self._membership.is_leaving:
            self._finished(token)
            return
        incarnation = self.own.raise_by_one()
        claim = Alive(self._name, incarnation, self._address, meta, self._versions)
        self.source = None
        self._on_alive(claim, now, token, is_bootstrap=True)

    def is_known_as(self, meta: bytes) -> bool:
        """Say whether our table came with an entry about us that says the same; then go on from it.

        Only storage that is handed in can hold one before we have announced ourselves.
        """
        own = self._membership.get(self._name)
        if own is None or own.meta != meta or own.address != self._address:
            return False
        self.own.raise_above(own.incarnation - 1)
        return True

    def take_known_form(self, nodes: Sequence[NodeState], now: float) -> None:
        """Announce our address in the 16-byte form if the cluster knows it as that.

        To be called at the first contact only. A real agent that detects its address
        announces the mapped form. Started in its place under its name, we would be in
        conflict with its entry for as long as we answer the pings that keep it alive.
        """
        own = self._membership.get(self._name)
        for state in nodes:
            if state.node == self._name and own and state.address.is_mapped_from(own.address):
                self._address = state.address
                own = self._membership.set_own_address(state.address)
                self._tell(MemberUpdated(own))
                self.announce(own.meta, now)

    def leave(self, now: float, token: int) -> None:
        """Say once that this node leaves; later alive claims about it are ignored."""
        own = self._membership.get(self._name)
        if self._membership.is_leaving or own is None:
            self._membership.is_leaving = True
            self._finished(token)
            return
        self._membership.is_leaving = True
        self.source = None
        self._on_dead(Dead(self._name, own.incarnation, self._name), now, token)

    def take(self, limit: int, overhead: int) -> list[bytes]:
        """Return queued claims for one packet; see ``Swim.take_claims``."""
        nodes = len(self._membership)
        often = scaling.retransmit_limit(
            self._config.retransmit_mult, nodes, natural_log=self._config.natural_log
        )
        claims = self.queue.take(limit, overhead, often)
        self._report_finished()
        return claims

    # What others say (section 8)

    def receive(self, claim: Claim, now: float) -> bool:
        """Judge a claim and do what follows from it; returns whether it was any news."""
        match claim:
            case Alive():
                address = self.with_port(claim.address)
                if address is not claim.address:
                    claim = replace(claim, address=address)
                return self._on_alive(claim, now)
            case Suspect():
                return self._on_suspect(claim, now)
            case Dead():
                return self._on_dead(claim, now)
            case unreachable:
                assert_never(unreachable)

    def _on_alive(
        self, claim: Alive, now: float, token: int | None = None, *, is_bootstrap: bool = False
    ) -> bool:
        judged = self._membership.judge_alive(claim, now, is_bootstrap=is_bootstrap)
        if judged is STALE:
            return False
        match judged.verdict:
            case Verdict.CONFLICT if judged.before is not None:
                self.refuse("name-conflict")
                self._tell(NameConflict(judged.before, claim.address))
            case Verdict.FORMER_LIFE if judged.before is not None:
                self._show_former_life(judged.before, now)
                return False
            case Verdict.ABOUT_US:
                self._refute("alive", "", claim.incarnation)
            case Verdict.ADOPTED if judged.after is not None:
                self._after_alive(judged.before, judged.after, now, token)
            case Verdict.FULL:
                self.refuse("table-full")
            case Verdict.ILLEGAL:
                self.refuse("illegal-alive")
            case _:
                pass
        return True

    def pinged_by(self, name: str, address: Address, now: float) -> None:
        """Show whoever pings us from ``address`` as ``name`` that it left, if we believe that."""
        known = self._membership.get(name)
        if known is None or known.state is not MemberState.LEFT or name == self._name:
            return
        if self._former_lives.is_due(name, now):
            self._outbox.effects.append(Send(address, Dead(name, known.incarnation, name)))

    def _show_former_life(self, known: Member, now: float) -> None:
        if self._former_lives.is_due(known.name, now):
            self._outbox.effects.append(Send(known.address, _alive_of(known)))

    def _after_alive(
        self, before: Member | None, after: Member, now: float, token: int | None
    ) -> None:
        suspicion = self._end_suspicion(after.name)
        if before is None:
            self._rotation.insert(after.name)
        self._outbox.ledger.count(ALIVE_ADOPTED)
        self._broadcast(_alive_of(after), after.name, token)
        if suspicion is not None:
            self._outbox.ledger.count(SUSPICION_REFUTED)
            self._tell(MemberRefuted(after, now - suspicion.since))
        if before is None or before.state in (MemberState.DEAD, MemberState.LEFT):
            self._tell(MemberJoined(after, self.source))
        elif before.meta != after.meta:
            self._tell(MemberUpdated(after))

    def _on_suspect(self, claim: Suspect, now: float) -> bool:
        judged = self._membership.judge_suspect(claim, now)
        if judged is STALE:
            return False
        match judged.verdict:
            case Verdict.CONFIRMS if judged.after is not None:
                self._confirm_suspicion(judged.after, claim, now)
            case Verdict.ABOUT_US:
                self._refute("suspect", claim.accuser, claim.incarnation)
            case Verdict.ADOPTED if judged.after is not None:
                self._outbox.ledger.count(SUSPECT_ADOPTED)
                self._broadcast(claim, claim.node)
                self._start_suspicion(judged.after, claim.accuser, now)
            case Verdict.ILLEGAL:
                self.refuse("illegal-accusation")
            case _:
                pass
        return True

    def _on_dead(self, claim: Dead, now: float, token: int | None = None) -> bool:
        judged = self._membership.judge_dead(claim, now)
        if judged is STALE:
            return False
        match judged.verdict:
            case Verdict.ABOUT_US if self._config.final_death:
                self.refuse("death-is-final")
            case Verdict.ABOUT_US:
                self._refute("dead", claim.accuser, claim.incarnation)
            case Verdict.ADOPTED if judged.after is not None:
                self._after_dead(judged.after, claim, now, token)
            case Verdict.ILLEGAL:
                self.refuse("illegal-accusation")
            case _:
                pass
        return True

    def _after_dead(self, member: Member, claim: Dead, now: float, token: int | None) -> None:
        suspicion = self._end_suspicion(member.name)
        self._outbox.ledger.count(DEAD_ADOPTED)
        self._broadcast(claim, member.name, token)
        if member.state is MemberState.LEFT:
            self._tell(MemberLeft(member, self.source))
        elif suspicion is None:
            self._tell(MemberFailed(member, claim.accuser, 0, None))
        else:
            suspected_for = now - suspicion.since
            self._tell(MemberFailed(member, claim.accuser, suspicion.confirmations, suspected_for))

    def _refute(self, kind: str, accuser: str, accused: int) -> None:
        incarnation = self.own.raise_above(accused)
        if incarnation is None:
            self.refuse("incarnation-exhausted")
            return
        own = self._membership.set_own_incarnation(incarnation)
        self._health.apply(1)
        self._outbox.ledger.count(ALIVE_ADOPTED)
        # The reference queues a refutation under the address, not the name.
        self._broadcast(_alive_of(own), own.address.host)
        self._outbox.ledger.count(ACCUSATION_REFUTED)
        self._tell(AccusationRefuted(kind, accuser, incarnation))

    # Suspicions (section 10.1)

    def _start_suspicion(self, member: Member, accuser: str, now: float) -> None:
        wanted, low, high = scaling.suspicion_bounds(self._config, len(self._membership))
        suspicion = Suspicion(member.name, accuser, wanted=wanted, low=low, high=high, now=now)
        self.suspicions[member.name] = suspicion
        self._arm_suspicion(suspicion)
        self._outbox.ledger.count(SUSPICION_RAISED)
        self._tell(MemberSuspected(member, accuser, suspicion.deadline))

    def _confirm_suspicion(self, member: Member, claim: Suspect, now: float) -> None:
        suspicion = self.suspicions.get(member.name)
        if suspicion is None or not suspicion.confirm(claim.accuser):
            return
        self._timers_of.pop(member.name).cancel()
        self._arm_suspicion(suspicion)
        self._broadcast(claim, member.name)
        self._outbox.ledger.count(SUSPICION_CONFIRMED)
        self._tell(
            SuspicionConfirmed(member, claim.accuser, suspicion.confirmations, suspicion.deadline)
        )

    def _arm_suspicion(self, suspicion: Suspicion) -> None:
        timer = SuspicionOver(suspicion.node, suspicion.since)
        self._timers_of[suspicion.node] = self._timers.set(suspicion.deadline, timer)

    def _end_suspicion(self, name: str) -> Suspicion | None:
        suspicion = self.suspicions.pop(name, None)
        if suspicion is not None:
            self._timers_of.pop(name).cancel()
        return suspicion

    def suspicion_over(self, timer: SuspicionOver, now: float) -> None:
        """Declare a suspect dead, unless the timer is late for a suspicion that ended."""
        suspicion = self.suspicions.get(timer.node)
        member = self._membership.get(timer.node)
        if suspicion is not None and suspicion.since == timer.since and member is not None:
            if suspicion.is_unconfirmed:
                self._outbox.ledger.count(SUSPICION_UNCONFIRMED)
            self.source = None
            self._on_dead(Dead(member.name, member.incarnation, self._name), now)

    # Writing

    def _broadcast(self, claim: Claim, name: str, token: int | None = None) -> None:
        if token is not None and not self._membership.has_others_up():
            self.queue.enqueue(encode(claim), name)
            self._finished(token)
        else:
            self.queue.enqueue(encode(claim), name, token)
        self._report_finished()

    def _report_finished(self) -> None:
        for token in self.queue.take_finished():
            self._finished(token)

    def _finished(self, token: int | None) -> None:
        if token is not None:
            self._tell(BroadcastFinished(token))

    def _tell(self, event: SwimEvent) -> None:
        self._outbox.events.append(event)

    def refuse(self, reason: str) -> None:
        """Count input that was ignored on purpose."""
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def with_port(self, address: Address) -> Address:
        """Return ``address``, with our own bind port where it has none."""
        return address if address.port else Address(address.ip, self._bind_port)


def _alive_of(member: Member) -> Alive:
    return Alive(member.name, member.incarnation, member.address, member.meta, member.versions)
