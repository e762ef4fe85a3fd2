"""``Swim``: the dispatcher of the failure detector (gossip.md, sections 3, 6.2, 8-12).

Messages, timers and commands come in; effects and events go to the outbox.
The rules are in the leaf rooms: this file routes, arms timers and writes what
follows. It never packs packets: the node asks ``take_claims`` for what rides
along.

Nothing wakes an idle node but its probes and push/pulls. The gossip ticker
rests, without losing its phase, while there is nothing to tell or nobody to
tell it to; so does the probe ticker of a node that is alone.

Everything a peer can make us remember is bounded: the table
(``membership.MEMBERS_MAX``), the queue (claims are named, so one per entry
and one refutation), relays (``relay.RELAYS_MAX``, one probe timeout each);
there is at most one probe round. What was refused is counted in ``refused``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from random import Random
from typing import assert_never

from gossipd.address import Address
from gossipd.config.model import SwimConfig
from gossipd.errors import UsageError
from gossipd.outbox import Outbox
from gossipd.swim.anti_entropy import claim_of, state_of, version_complaint
from gossipd.swim.claims import Claims
from gossipd.swim.effects import Send, SwimEffect
from gossipd.swim.events import (
    MemberForgotten,
    MergeRefused,
    PayloadReceived,
    PingMisdirected,
    StrangerPinged,
    SwimEvent,
)
from gossipd.swim.gossiper import Gossiper
from gossipd.swim.health import LocalHealth
from gossipd.swim.member import Member
from gossipd.swim.membership import Membership, MemberTable
from gossipd.swim.prober import Prober
from gossipd.swim.relay import answer_address
from gossipd.swim.rotation import Rotation, make_rotation
from gossipd.swim.suspicion import Suspicion
from gossipd.swim.syncer import Syncer
from gossipd.swim.timers import (
    AckOverdue,
    GossipTick,
    LookRound,
    NackDue,
    ProbeTick,
    PushPullBegin,
    PushPullTick,
    RoundOver,
    SuspicionOver,
    SwimTimer,
)
from gossipd.timers import Timers
from gossipd.wire.messages import (
    Ack,
    Alive,
    Dead,
    IndirectPing,
    Nack,
    NodeState,
    PacketMessage,
    Ping,
    Suspect,
    UserPayload,
    Versions,
)


class Swim:
    """Membership of one node.

    Args:
        config: its section of the configuration.
        name: this node's name.
        address: where others reach this node; told to them.
        versions: the protocol versions it announces.
        random: the injected random stream.
        outbox: where effects and events are written.
        bind_port: what port 0 in a claim or ping-req stands for.
        table: where members are kept; a plain dict by default.
        rotation: the probe order; a list by default, see ``round_robin``.

    Raises:
        UsageError: ``address`` is nothing that others could send to.
    """

    def __init__(
        self,
        config: SwimConfig,
        name: str,
        address: Address,
        versions: Versions,
        random: Random,
        outbox: Outbox[SwimEffect, SwimEvent],
        *,
        bind_port: int,
        table: MemberTable | None = None,
        rotation: Rotation | None = None,
    ) -> None:
        if not address.is_reachable:
            raise UsageError(f"{address} cannot be announced: nobody could send to it")
        self.name = name
        self.address = address
        self._config = config
        self._random = random
        self._outbox = outbox
        self._membership = Membership(
            name,
            dead_node_reclaim_time=config.dead_node_reclaim_time,
            gossip_to_the_dead_time=config.gossip_to_the_dead_time,
            final_death=config.final_death,
            table=table,
        )
        if rotation is None:
            rotation = make_rotation(random, config.round_robin)
        self._rotation: Rotation = rotation
        self.timers: Timers[SwimTimer] = Timers()
        self._health = LocalHealth(config.awareness_max_multiplier)
        self._prober = Prober(
            config,
            name,
            address,
            self._membership,
            self._rotation,
            self._health,
            self.timers,
            outbox,
        )
        self._claims = Claims(
            config,
            name,
            address,
            versions,
            bind_port,
            self._membership,
            self._rotation,
            self._health,
            self.timers,
            outbox,
        )
        self._ack_payload: bytes | None = None
        self._gossiper = Gossiper(
            config, self._membership, self._rotation, self._claims.queue, self.timers, outbox
        )
        self._syncer = Syncer(config, self._membership, self._rotation, self.timers, random, outbox)

    # What is known

    @property
    def members(self) -> Collection[Member]:
        """All table entries, this node included, in the order in which they were learnt.

        A live collection of immutable values: a member that changed is another
        object, so whatever is derived from one may be kept by identity.
        """
        return self._membership.table.values()

    @property
    def table(self) -> MemberTable:
        """The table itself; read it, only the rules change it."""
        return self._membership.table

    @property
    def count(self) -> int:
        """Table entries, dead and left ones not yet dropped included."""
        return len(self._membership)

    def member(self, name: str) -> Member | None:
        """Return the entry of ``name``, or ``None``."""
        return self._membership.get(name)

    @property
    def is_leaving(self) -> bool:
        """Whether ``leave`` was called."""
        return self._membership.is_leaving

    @property
    def incarnation(self) -> int:
        """This node's own incarnation, 0 before the start."""
        return self._claims.own.value

    @property
    def health_score(self) -> int:
        """Local health, 0 is good (section 10.2)."""
        return self._health.score

    @property
    def queue_depth(self) -> int:
        """Claims still being gossiped."""
        return self._claims.queue.length

    @property
    def refused(self) -> Mapping[str, int]:
        """How much input was ignored on purpose, by reason."""
        return self._claims.refused

    def suspicions(self) -> Mapping[str, Suspicion]:
        """Return the running suspicions by node; read them at once, they change."""
        return self._claims.suspicions

    def local_states(self) -> list[NodeState]:
        """Return every entry as it goes into a push/pull (section 6.1)."""
        return [state_of(member) for member in self._membership]

    # Commands

    def start(self, meta: bytes, now: float) -> None:
        """Announce this node to itself and start the tickers (section 12).

        Raises:
            UsageError: ``meta`` is longer than 512 bytes; nothing was started.
        """
        config, random = self._config, self._random
        if not self._claims.is_known_as(meta):
            self._claims.announce(meta, now)
        probe_stagger = random.random() * config.probe_interval
        push_pull_stagger = random.random() * config.push_pull_interval
        gossip_stagger = random.random() * config.gossip_interval
        self._prober.start(now + probe_stagger)
        self._gossiper.start(now + gossip_stagger)
        self._arm(now)
        self._syncer.start(push_pull_stagger, now)

    def joined(self, now: float) -> None:
        """Exchange states once more soon: gossip may miss who joins at the same time."""
        self._syncer.joined(now)

    def set_meta(self, meta: bytes, token: int, now: float) -> None:
        """Announce new ``meta`` (section 12, Update).

        ``BroadcastFinished(token)`` follows when it was gossiped often enough,
        or at once if there is nobody to tell or this node is leaving.

        Raises:
            UsageError: ``meta`` is longer than 512 bytes; nothing was changed.
        """
        self._claims.announce(meta, now, token)
        self._arm(now)

    def set_ack_payload(self, payload: bytes | None) -> None:
        """Set what acks over UDP carry for the layer above; ``None`` is nil."""
        self._ack_payload = payload

    def leave(self, token: int, now: float) -> None:
        """Say that this node leaves (section 12, Leave); it keeps answering.

        ``BroadcastFinished(token)`` follows as for ``set_meta``; at once also
        if this node was leaving already.
        """
        self._claims.leave(now, token)
        self._arm(now)

    def wake_gossip(self, now: float) -> None:
        """Make sure that a gossip tick comes: a queue above holds something."""
        self._gossiper.wake(now)

    def hurry_gossip(self, now: float) -> None:
        """Gossip before the next tick: a queue above holds news that somebody waits for."""
        self._gossiper.hurry(now)

    def take_claims(self, limit: int, overhead: int) -> list[bytes]:
        """Return queued claims for one packet, encoded (section 11.1).

        Args:
            limit: bytes left in the packet.
            overhead: bytes each costs beside its own length.
        """
        return self._claims.take(limit, overhead)

    def retime(self, before: SwimConfig, now: float) -> None:
        """Let what was made from the settings ``before`` follow; what runs ends as it began."""
        config = self._config
        self._membership.reconfigure(config)
        self._health.bound(config.awareness_max_multiplier)
        if not self._gossiper.is_started:
            return
        if config.probe_interval != before.probe_interval:
            self._prober.start(now)
        if config.gossip_interval != before.gossip_interval:
            self._gossiper.start(now)
        if config.push_pull_interval != before.push_pull_interval:
            self._syncer.arm(now)  # an interval of minutes is not waited for
        self._arm(now)

    # Messages

    def receive(self, message: PacketMessage, source: Address, now: float) -> None:
        """Handle one message that came by packet from ``source``."""
        match message:
            case Ping():
                self._on_ping(message, source, now)
            case Ack():
                self._prober.on_ack(message, now)
            case Alive() | Suspect() | Dead():
                self._claims.source = source
                if self._claims.receive(message, now):
                    self._arm(now)
            case UserPayload():
                self._tell(PayloadReceived(message.payload, source))
            case IndirectPing():
                self._on_indirect_ping(message, source, now)
            case Nack():
                self._prober.on_nack(message.seq)
            case unreachable:
                assert_never(unreachable)

    def answer_stream_ping(self, ping: Ping) -> Ack | None:
        """Return the answer to a ping by stream; ``None`` is to close without one (6.3)."""
        if ping.node and ping.node != self.name:
            self._claims.refuse("ping-misdirected")
            return None
        return Ack(ping.seq)

    def stream_ping_answered(self, seq: int, now: float) -> None:
        """Note that the target of probe round ``seq`` answered by stream."""
        self._prober.on_stream_answer(seq, now)

    def merge(self, nodes: Sequence[NodeState], is_join: bool, now: float) -> bool:
        """Take over a remote state (section 6.2); returns whether it was merged.

        A state with versions that do not fit is refused as a whole and told as
        ``MergeRefused``. ``is_join`` makes no difference to the rules: the
        agent of the reference vetoes no join either.
        """
        if not self.begin_merge(nodes, now):
            return False
        self.merge_part(nodes, now)
        return True

    def begin_merge(self, nodes: Sequence[NodeState], now: float) -> bool:
        """Look at a whole remote state before ``merge_part`` takes over its nodes.

        Returns:
            Whether it fits; ``MergeRefused`` is told if it does not.
        """
        complaint = version_complaint(nodes, self._membership)
        if complaint:
            self._tell(MergeRefused(complaint))
            return False
        if self.count == 1:
            self._claims.take_known_form(nodes, now)
        return True

    def merge_part(self, nodes: Sequence[NodeState], now: float) -> None:
        """Take over nodes of a remote state that may be merged."""
        self._claims.source = None
        for state in nodes:
            self._claims.receive(claim_of(state, self.name), now)
        self._arm(now)

    # Time

    def next_deadline(self) -> float | None:
        """Return when ``handle_deadline`` is due, ``None`` before the start."""
        return self.timers.next_deadline()

    def handle_deadline(self, now: float) -> None:
        """Handle every timer that is due."""
        while (timer := self.timers.pop_due(now)) is not None:
            self._on_timer(timer, now)

    def _on_timer(self, timer: SwimTimer, now: float) -> None:
        match timer:
            case ProbeTick():
                self._prober.on_tick(lambda: self._forget_expired(now), now)
            case AckOverdue():
                self._prober.on_ack_overdue(timer.seq)
            case RoundOver():
                self._on_round_over(timer.seq, now)
            case NackDue():
                self._prober.on_nack_due(timer.seq)
            case SuspicionOver():
                self._claims.suspicion_over(timer, now)
                self._arm(now)
            case GossipTick():
                self._gossiper.on_tick(now)
            case PushPullBegin():
                self._syncer.arm(now)
            case PushPullTick():
                self._syncer.on_tick(now)
            case LookRound():
                self._syncer.on_look_round()
            case unreachable:
                assert_never(unreachable)

    # Sending that is blocked (Lifeguard, section V-D)

    def sending_blocked(self, now: float) -> None:
        """Let probing, gossip and push/pull each come to rest at its first send from now on.

        What that sends is written as an effect, for the driver to keep back. Everything
        else goes on, suspicions above all: who is declared dead meanwhile waits in the
        queue to be told.
        """
        self._prober.sending_blocked()
        self._gossiper.sending_blocked()
        self._syncer.sending_blocked()

    def sending_unblocked(self, now: float) -> None:
        """Go on where the periodic work rests; of the ticks that passed one is made up for.

        ``handle_deadline`` is due then, when what this wrote has been packed.
        """
        self._prober.sending_unblocked(now)
        self._gossiper.sending_unblocked(now)
        self._syncer.sending_unblocked(now)
        self._arm(now)

    # Pings (sections 3.1, 3.2, 9); the rest of probing is in prober.py

    def _on_ping(self, ping: Ping, source: Address, now: float) -> None:
        if ping.node and ping.node != self.name:
            self._claims.refuse("ping-misdirected")
            self._tell(PingMisdirected(ping.node, source))
            return
        pinger = answer_address(ping.source, source)
        self._do(Send(pinger, Ack(ping.seq, self._ack_payload)))
        self._claims.pinged_by(ping.source_node, pinger, now)
        if ping.source_node and not self._membership.may_gossip_to(ping.source_node, now):
            self._tell(StrangerPinged(ping.source_node, pinger))

    def _on_indirect_ping(self, request: IndirectPing, source: Address, now: float) -> None:
        target = self._claims.with_port(request.target)
        requester = answer_address(request.source, source)
        if not target.is_reachable:
            self._claims.refuse("relay-unreachable")
        elif not self._prober.relay(request, target, requester, now):
            self._claims.refuse("relays-full")

    def _on_round_over(self, seq: int, now: float) -> None:
        accusation = self._prober.on_round_over(seq, now)
        if accusation is not None:
            self._claims.receive(accusation, now)
            self._arm(now)

    def _forget_expired(self, now: float) -> list[str]:
        forgotten = self._membership.forget_expired(now)
        for member in forgotten:
            self._tell(MemberForgotten(member))
        return [member.name for member in forgotten]

    # Ticks are in prober.py, gossiper.py and syncer.py

    def _arm(self, now: float) -> None:
        """See to the ticks that news makes necessary; harmless without news."""
        self._prober.arm(now)
        self._gossiper.arm(now)

    # Writing

    def _do(self, effect: SwimEffect) -> None:
        self._outbox.effects.append(effect)

    def _tell(self, event: SwimEvent) -> None:
        self._outbox.events.append(event)
