"""The dispatcher's half that pings: our own probe rounds, and pings done for others.

Split off ``swim.py`` because the two share nothing but the table and the
timers. Like its owner it routes, arms timers and writes effects; what a round
or a relay means is decided in ``probe.py`` and ``relay.py`` (gossip.md,
sections 3.1-3.3 and 9). A round that found its target silent is handed back
as an accusation.

The probe ticker of a node that is alone rests without losing its phase.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import floor

from gossipd.address import Address
from gossipd.config.model import SwimConfig
from gossipd.outbox import Outbox
from gossipd.swim.effects import PingByStream, Send, SendTogether, SwimEffect
from gossipd.swim.events import AckMissed, AckObserved, SwimEvent, UdpUnreachable
from gossipd.swim.health import LocalHealth
from gossipd.swim.member import MemberState
from gossipd.swim.membership import Membership
from gossipd.swim.probe import STREAM_PING_PROTOCOL_MIN, ProbeRound
from gossipd.swim.relay import Relay, Relays
from gossipd.swim.rotation import Rotation
from gossipd.swim.timers import AckOverdue, NackDue, ProbeTick, RoundOver, SwimTimer, Ticker
from gossipd.timers import Timers
from gossipd.wire.messages import Ack, Dead, IndirectPing, Nack, Ping, Suspect

SEQ_MAX = 0xFFFFFFFF
"""Sequence numbers are u32 and start again at 1 after this one."""
PAPER_NACK_SHARE = 0.8
"""Part of the probe timeout after which a helper nacks in Lifeguard's paper (IV-A)."""
TICK_GRACE = 0.1
"""Part of the probe interval by which a tick may be missed and still run.

A round that fails ends just when the next tick is due; without this a node
with failed peers would probe at half its rate.
"""

PROBE_ROUND = "probe-round"
"""Measured: seconds from a ping to the end of its round, failed ones included."""
PROBE_MISSED = "probe-missed"
"""Counted: rounds without a direct ack in time, whatever came of them."""
PROBE_FAILED = "probe-failed"
"""Counted: rounds in which the target was found silent."""
ROUND_STRETCHED = "round-stretched"
"""Counted: rounds that got more time because our own health is bad."""


class Prober:
    """Probe rounds and relays of the node ``name`` at ``address``.

    It shares the table, the rotation, the health, the timers and the outbox
    with the ``Swim`` that owns it.
    """

    __slots__ = (
        "_address",
        "_config",
        "_health",
        "_is_armed",
        "_is_blocked",
        "_membership",
        "_name",
        "_outbox",
        "_relays",
        "_rotation",
        "_round",
        "_seq",
        "_ticker",
        "_timers",
    )

    def __init__(
        self,
        config: SwimConfig,
        name: str,
        address: Address,
        membership: Membership,
        rotation: Rotation,
        health: LocalHealth,
        timers: Timers[SwimTimer],
        outbox: Outbox[SwimEffect, SwimEvent],
    ) -> None:
        self._config = config
        self._name = name
        self._address = address
        self._membership = membership
        self._rotation = rotation
        self._health = health
        self._timers = timers
        self._outbox = outbox
        self._seq = 0
        self._round: ProbeRound | None = None
        self._relays = Relays()
        self._ticker: Ticker | None = None
        self._is_armed = False
        self._is_blocked = False

    def start(self, origin: float) -> None:
        """Begin the ticks; ``origin`` (seconds, monotonic) sets their phase."""
        interval = self._config.probe_interval
        if not self._config.probe_stagger:
            origin = floor(origin / interval) * interval
        self._ticker = Ticker(origin, interval)

    def arm(self, now: float, late: float = TICK_GRACE) -> None:
        """Make sure the next tick comes, if there is somebody to probe and no round runs.

        ``late``: part of the probe interval by which it may have been missed.
        """
        ticker = self._ticker
        if self._is_armed or self._round is not None or ticker is None:
            return
        if len(self._membership) > 1:
            grace = late * self._config.probe_interval
            self._timers.set(ticker.next_tick(now, grace), ProbeTick())
            self._is_armed = True

    # Pings done for others

    def relay(self, request: IndirectPing, target: Address, requester: Address, now: float) -> bool:
        """Ping ``target`` for ``requester``; returns whether there was room to do so."""
        if self._relays.is_full:
            return False
        seq = self._next_seq()
        patience = self._config.probe_timeout
        if self._config.paper_health:
            patience *= PAPER_NACK_SHARE
        handle = self._timers.set(now + patience, NackDue(seq))
        self._relays.add(seq, Relay(requester, request.seq, request.wants_nack, handle))
        self._do(Send(target, Ping(seq, request.node, self._address, self._name)))
        return True

    def on_nack_due(self, seq: int) -> None:
        """Give up on the ping ``seq`` done for somebody, who is told if that was wanted."""
        relay = self._relays.take(seq)
        if relay is not None and relay.wants_nack:
            self._do(Send(relay.requester, Nack(relay.requester_seq)))

    # Answers

    def on_ack(self, ack: Ack, now: float) -> None:
        """Forward an ack, or end our round with it; a second or unknown one is ignored."""
        relay = self._relays.take(ack.seq)
        if relay is not None:
            relay.timer.cancel()
            self._do(Send(relay.requester, Ack(relay.requester_seq)))
            return
        probe = self._round_of(ack.seq)
        if probe is None or ((probe.is_stalled or probe.overran) and now >= probe.deadline):
            return  # nobody waits for it any more
        if not probe.is_indirect:
            member = self._membership.get(probe.target.name) or probe.target
            self._tell(AckObserved(member, now - probe.started_at, ack.payload))
        self._end(probe, now, succeeded=True)

    def on_nack(self, seq: int) -> None:
        """Note that a helper of round ``seq`` is well."""
        probe = self._round_of(seq)
        if probe is not None:
            probe.nack_received()

    def on_stream_answer(self, seq: int, now: float) -> None:
        """Note that the target of round ``seq`` answered by stream."""
        probe = self._round_of(seq)
        if probe is not None and now <= probe.deadline:
            probe.stream_answered = True

    # Our own rounds

    def on_tick(self, forget_expired: Callable[[], Collection[str]], now: float) -> None:
        """Start the next round; ``forget_expired`` is called when the list wraps."""
        self._is_armed = False
        name = self._rotation.next_target(self._membership.may_probe, forget_expired)
        target = None if name is None else self._membership.get(name)
        if target is None:
            self.arm(now)
            return
        seq = self._next_seq()
        probe = ProbeRound(target, seq, self._health.scaled(self._config.probe_interval), now)
        if self._health.score:
            self._outbox.ledger.count(ROUND_STRETCHED)
        probe.is_stalled = self._is_blocked
        self._arm_round(probe, now)
        self._round = probe
        ping = self._ping_of(probe)
        if target.state is MemberState.SUSPECT and self._config.buddy_system:
            # The accusation comes along, so that the target can refute it at once.
            accusation = self._accusation_of(probe)
            protocol_max = target.versions.protocol_max
            self._do(SendTogether(target.address, (ping, accusation), protocol_max))
        else:
            self._do(Send(target.address, ping))

    def on_ack_overdue(self, seq: int) -> None:
        """The direct ack did not come: ask helpers, and ping by stream."""
        probe = self._round_of(seq)
        if probe is None:
            return
        probe.is_indirect = True
        if len(probe.timers) == 1:  # few rounds need it: most are over by now
            probe.timers += (self._timers.set(probe.deadline, RoundOver(seq)),)
        if self._is_blocked:
            probe.is_stalled = True
            return
        self._outbox.ledger.count(PROBE_MISSED)
        self._tell(AckMissed(self._membership.get(probe.target.name) or probe.target))
        self._ask_others(probe)

    def _ask_others(self, probe: ProbeRound) -> None:
        seq, target = probe.seq, probe.target
        helpers = self._rotation.choose(
            self._config.indirect_checks,
            lambda name: name != target.name and self._membership.may_help(name),
        )
        for name in helpers:
            helper = self._membership.get(name)
            if helper is not None:
                wants_nack = probe.helper_asked(helper)
                request = IndirectPing(
                    seq, target.address, target.name, wants_nack, self._address, self._name
                )
                self._do(Send(helper.address, request))
        if self._config.stream_ping and target.versions.protocol_max >= STREAM_PING_PROTOCOL_MIN:
            self._do(PingByStream(target.address, self._ping_of(probe), probe.deadline))

    def on_round_over(self, seq: int, now: float) -> Suspect | Dead | None:
        """End round ``seq`` without an ack; returns the accusation, if it comes to one."""
        probe = self._round_of(seq)
        if probe is None or probe.is_stalled:
            return None
        late = 1.0 if probe.overran else TICK_GRACE  # the tick that was missed last is made up for
        self._end(probe, now, succeeded=probe.stream_answered, late=late)
        if probe.stream_answered:
            self._tell(UdpUnreachable(self._membership.get(probe.target.name) or probe.target))
            return None
        self._outbox.ledger.count(PROBE_FAILED)
        return self._verdict_on(probe)

    # Sending that is blocked

    def sending_blocked(self) -> None:
        """Let a round stall at its next send."""
        self._is_blocked = True

    def sending_unblocked(self, now: float) -> None:
        """Let a stalled round go on, to its end if its time is up.

        Whoever is found silent this way was perhaps never pinged in time: it is what
        a process does whose prober hung in a send (Lifeguard, section V-D). The ping-reqs
        are out before that is found, and cannot carry the accusation: its time is over
        as a timer, which is handled when they were written.
        """
        self._is_blocked = False
        probe = self._round
        if probe is None or not probe.is_stalled:
            return
        probe.is_stalled = False
        probe.overran = now >= probe.deadline
        if probe.overran or probe.is_indirect:
            probe.is_indirect = True
            self._ask_others(probe)
        else:
            self._arm_round(probe, now)
        if probe.overran:
            probe.timers += (self._timers.set(probe.deadline, RoundOver(probe.seq)),)

    def _arm_round(self, probe: ProbeRound, now: float) -> None:
        """Set the timers of a round whose ping goes out now; one that waits to needs none."""
        if probe.is_stalled:
            return
        patience = self._config.probe_timeout
        if self._config.paper_health:
            patience = self._health.scaled(patience)
        overdue_at = min(now + patience, probe.deadline)
        probe.timers = (self._timers.set(overdue_at, AckOverdue(probe.seq)),)
        if overdue_at >= probe.deadline:
            probe.timers += (self._timers.set(probe.deadline, RoundOver(probe.seq)),)

    def _end(
        self, probe: ProbeRound, now: float, *, succeeded: bool, late: float = TICK_GRACE
    ) -> None:
        probe.cancel_timers()
        self._outbox.ledger.measure(PROBE_ROUND, now - probe.started_at)
        by_paper = self._config.paper_health
        self._health.apply(probe.health_delta(succeeded=succeeded, by_paper=by_paper))
        self._round = None
        self.arm(now, late)

    def _round_of(self, seq: int) -> ProbeRound | None:
        probe = self._round
        return probe if probe is not None and probe.seq == seq else None

    def _ping_of(self, probe: ProbeRound) -> Ping:
        return Ping(probe.seq, probe.target.name, self._address, self._name)

    def _accusation_of(self, probe: ProbeRound) -> Suspect:
        return Suspect(probe.target.name, probe.target.incarnation, self._name)

    def _verdict_on(self, probe: ProbeRound) -> Suspect | Dead:
        if self._config.suspicion:
            return self._accusation_of(probe)
        return Dead(probe.target.name, probe.target.incarnation, self._name)

    def _next_seq(self) -> int:
        self._seq = self._seq % SEQ_MAX + 1
        return self._seq

    def _do(self, effect: SwimEffect) -> None:
        self._outbox.effects.append(effect)

    def _tell(self, event: SwimEvent) -> None:
        self._outbox.events.append(event)
