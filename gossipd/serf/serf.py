"""``Serf``: the dispatcher of Serf's layer; swim events and Serf messages in, outbox out.

gossip.md, sections 14 to 18. It routes, gossips, sets timers and writes
effects and events; the rules are in the leaves: ``roster`` and ``intents``
for members, ``inquiries`` for queries, ``user_events``, ``state_sync`` for
push/pull.

Messages of others travel on byte for byte, so fields and tails that only
newer peers know are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from functools import partial
from random import Random
from typing import assert_never

from gossipd.address import Address
from gossipd.config.model import SerfConfig, SwimConfig
from gossipd.errors import WireError
from gossipd.outbox import Outbox
from gossipd.serf.broadcasts import Broadcasts, Topic
from gossipd.serf.effects import Recall, Reconnect, SendPayload, SerfEffect, SetMeta
from gossipd.serf.events import (
    BroadcastDone,
    ChangeKind,
    LeaveIntentRefuted,
    MemberChange,
    MessageIgnored,
    QueueTooDeep,
    ReconnectTried,
    SerfEvent,
    SerfMember,
)
from gossipd.serf.inquiries import Inquiries
from gossipd.serf.intents import IntentBuffer
from gossipd.serf.lamport import LamportClock
from gossipd.serf.reconnect import choose_failed
from gossipd.serf.roster import IntentVerdict, Roster
from gossipd.serf.state_sync import StateSync, join_intents, leave_intents, replayed_events
from gossipd.serf.tags import change_tags, encode_own_tags
from gossipd.serf.timers import (
    BroadcastTimeout,
    LeaveOverdue,
    PruneDue,
    QueryTimeout,
    QueueCheck,
    ReapTick,
    ReconnectTick,
    SerfTimer,
    next_tick,
)
from gossipd.serf.user_events import EventBuffer, EventVerdict
from gossipd.swim.events import (
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberUpdated,
    PayloadReceived,
    SwimEvent,
)
from gossipd.swim.member import Member
from gossipd.swim.scaling import retransmit_limit
from gossipd.timers import Handle, Timers
from gossipd.wire.serf_codec import (
    decode_serf_state_untrusted,
    decode_serf_untrusted,
    decode_tags_untrusted,
    encode_serf,
)
from gossipd.wire.serf_messages import (
    LAMPORT_TIME_MAX,
    BufferedEvent,
    JoinIntent,
    LeaveIntent,
    MemberStatus,
    Query,
    QueryResponse,
    Relay,
    SerfMessage,
    SerfPushPull,
    UserEvent,
)

INTENTS_KEPT = 32
"""Intents remembered decoded: each is heard many times while it spreads."""
PAYLOAD_BYTES_MAX = 1395
"""Default for the largest Serf message that gossip can carry: 1400 - 2 - 3 (section 11.2)."""


class Serf:
    """Serf's view of the cluster, as one state machine without I/O.

    Args:
        config: times and limits of this layer.
        swim_config: gossip interval and retransmit multiplier.
        name: our name in the cluster.
        address: where others reach us; answers to our queries come there.
        random: seeded source for query numbers, relays and reconnects.
        outbox: where effects and events are written.
        roster: where members are kept; a plain dict by default.
        encrypted: packets are encrypted; words the answers to key queries.
        payload_bytes_max: the largest message gossip can carry: packet budget
            - 2 - 3 - label and encryption overhead. Longer ones are applied
            but not forwarded.
    """

    def __init__(
        self,
        config: SerfConfig,
        swim_config: SwimConfig,
        name: str,
        address: Address,
        random: Random,
        outbox: Outbox[SerfEffect, SerfEvent],
        *,
        roster: MutableMapping[str, SerfMember] | None = None,
        encrypted: bool = False,
        payload_bytes_max: int = PAYLOAD_BYTES_MAX,
    ) -> None:
        self._config = config
        self._swim_config = swim_config
        self._name = name
        self._address = address
        self._random = random
        self._outbox = outbox
        self._tags: dict[str, str] = {}
        self._is_leaving = False
        self._started_at = 0.0
        self._clock = LamportClock()
        self._roster = Roster(roster)
        self._intents = IntentBuffer(config.recent_intent_timeout)
        self._events = EventBuffer(config.event_buffer)
        self._broadcasts = Broadcasts(payload_bytes_max)
        self.timers: Timers[SerfTimer] = Timers()
        self._inquiries = Inquiries(
            config,
            swim_config,
            name,
            address,
            self._roster,
            lambda: self._tags,
            random,
            partial(self._gossip, Topic.QUERY),
            self.timers,
            outbox,
            encrypted=encrypted,
        )
        self._state = StateSync(self._clock, self._roster, self._events, self._inquiries.clock)
        self._waits: dict[int, Handle[SerfTimer]] = {}
        self._prunes: dict[str, int] = {}
        self._overdue: set[str] = set()
        self._joined_at = 0
        self._armed: set[type[SerfTimer]] = set()
        self._heard: dict[bytes, SerfMessage] = {}

    # What readers ask.

    @property
    def members(self) -> Mapping[str, SerfMember]:
        """Members of every status by name, in the order in which they became known."""
        return self._roster.members

    @property
    def version(self) -> int:
        """Number that grows with every change of ``members``."""
        return self._roster.version

    @property
    def tags(self) -> Mapping[str, str]:
        """Our own tags, as last set."""
        return self._tags

    @property
    def is_leaving(self) -> bool:
        """Whether ``announce_leave`` was called."""
        return self._is_leaving

    @property
    def member_time(self) -> int:
        """The member clock."""
        return self._clock.time

    @property
    def event_time(self) -> int:
        """The user event clock."""
        return self._events.clock.time

    @property
    def query_time(self) -> int:
        """The query clock."""
        return self._inquiries.clock.time

    @property
    def intent_queue(self) -> int:
        """Intents that wait to be gossiped."""
        return self._broadcasts.depth(Topic.INTENT)

    @property
    def query_queue(self) -> int:
        """Queries that wait to be gossiped."""
        return self._broadcasts.depth(Topic.QUERY)

    @property
    def event_queue(self) -> int:
        """User events that wait to be gossiped."""
        return self._broadcasts.depth(Topic.EVENT)

    @property
    def failed(self) -> int:
        """Members that failed."""
        return len(self._roster.failed)

    @property
    def left(self) -> int:
        """Members that left."""
        return len(self._roster.left)

    @property
    def has_payloads(self) -> bool:
        """Whether anything waits to be gossiped."""
        return not self._broadcasts.is_empty

    # Life and commands.

    def start(self, tags: Mapping[str, str], now: float) -> bytes:
        """Begin with ``tags``; return the node meta to announce.

        Raises:
            UsageError: the encoded tags exceed 512 bytes.
        """
        meta = encode_own_tags(tags)
        self._tags = dict(tags)
        self._started_at = now
        return meta

    def announce_join(self, now: float) -> None:
        """Gossip a join intent about us, after a join that reached somebody (15.4)."""
        self._broadcast_join(self._clock.time, now)

    def announce_leave(self, token: int, now: float) -> None:
        """Announce that we leave; from now on nothing about us is refuted (15.4).

        ``BroadcastDone(token)`` follows: at once if nobody else is alive,
        when the intent was sent often enough, or at the broadcast timeout.
        """
        self._is_leaving = True
        self._announce_intent(LeaveIntent(self._clock.time, self._name), token, now)

    def force_leave(self, node: str, prune: bool, token: int, now: float) -> None:
        """Announce in its name that ``node`` leaves; ``prune`` forgets it too (15.4).

        ``BroadcastDone(token)`` follows as for ``announce_leave``. An unknown
        node is no error.
        """
        self._announce_intent(LeaveIntent(self._clock.time, node, prune), token, now)

    def set_tags(
        self, tags: Mapping[str, str], delete: Sequence[str], token: int, now: float
    ) -> None:
        """Delete tags, then set ``tags``; ``SetMeta(meta, token)`` announces them.

        Raises:
            UsageError: the encoded tags exceed 512 bytes; nothing was changed.
        """
        changed = change_tags(self._tags, tags, delete)
        meta = encode_own_tags(changed)
        self._tags = changed
        self._outbox.effects.append(SetMeta(meta, token))

    def ping_all(self, now: float) -> int:
        """Ask every member for an ack; see ``Inquiries.ping_all``."""
        return self._inquiries.ping_all(now)

    # Inputs.

    def handle(self, event: SwimEvent, now: float) -> None:
        """Take in what the failure detector has to tell; events of no concern are ignored."""
        match event:
            case PayloadReceived(payload=payload, source=source):
                self._on_payload(payload, source, now)
            case MemberJoined(member=member):
                self._on_joined(member, now)
            case MemberFailed(member=member) | MemberLeft(member=member):
                self._on_gone(member.name, now)
            case MemberUpdated(member=member):
                self._on_updated(member)
            case _:
                pass

    def recall(self, member: Member, now: float) -> None:
        """Take in a running ``member`` again if we have forgotten it (``Recall``)."""
        if self._roster.get(member.name) is None:
            self._on_joined(member, now)

    def local_state(self) -> bytes:
        """Return our part of a push/pull; the same object until something changes."""
        return self._state.encoded()

    def snapshot(self) -> tuple[SerfPushPull, int]:
        """Return what ``local_state`` stands for, and the bytes that it would have."""
        return self._state.snapshot()

    def merge_state(self, data: bytes, is_join: bool, ignore_old_events: bool, now: float) -> None:
        """Merge a peer's part of a push/pull (section 14.3); nothing is gossiped on.

        Bytes that are no legal state change nothing and are told as
        ``MessageIgnored``.

        Args:
            data: the user state as it came.
            is_join: the push/pull was a join.
            ignore_old_events: this is our own join and it wants no replay.
            now: seconds, monotonic.
        """
        try:
            state = decode_serf_state_untrusted(data)
        except WireError as error:
            self._ignore(error.reason, error.detail, None)
            return
        self.merge(state, is_join, ignore_old_events, now)

    def merge(
        self, state: SerfPushPull, is_join: bool, ignore_old_events: bool, now: float
    ) -> None:
        """Merge a peer's part of a push/pull, decoded; see ``merge_state``."""
        for clock, seen in (
            (self._clock, state.ltime),
            (self._events.clock, state.event_ltime),
            (self._inquiries.clock, state.query_ltime),
        ):
            if seen > 0:
                clock.witness(seen - 1)
        for leave in leave_intents(state):
            self._apply_leave(leave, now)
        for join in join_intents(state, self._roster.members):
            self._apply_join(join, now)
        if not is_join:  # our own join is about to be announced anyway
            self._outdo_news_of_us(now)
        if is_join and ignore_old_events:
            self._events.ignore_before(state.event_ltime)
        for ltime, buffered in replayed_events(state):
            self._apply_event(ltime, buffered, None)
        self._arm_ticks(now)

    def take_payloads(self, limit: int, overhead: int) -> list[bytes]:
        """Return queued messages for one packet: intents, queries, user events (11.2).

        Args:
            limit: bytes left in the packet.
            overhead: bytes that each message costs beside its own length.
        """
        if not len(self._broadcasts):
            return []
        swim = self._swim_config
        times = retransmit_limit(
            swim.retransmit_mult, len(self._roster.members), natural_log=swim.natural_log
        )
        payloads = self._broadcasts.take(limit, overhead, times)
        self._report_finished()
        return payloads

    def next_deadline(self) -> float | None:
        """Return when ``handle_deadline`` is due (seconds, monotonic)."""
        return self.timers.next_deadline()

    def handle_deadline(self, now: float) -> None:
        """Do what is due at ``now``."""
        while (timer := self.timers.pop_due(now)) is not None:
            self._armed.discard(type(timer))
            match timer:
                case ReapTick():
                    self._reap(now)
                case ReconnectTick():
                    self._reconnect()
                case QueueCheck():
                    self._check_queues()
                case PruneDue(node=node, ltime=ltime):
                    self._prune_if_gone(node, ltime, now)
                case LeaveOverdue(node=node):
                    self._ask_whether_it_leaves(node, now)
                case BroadcastTimeout(token=token):
                    self._waits.pop(token, None)
                    self._outbox.events.append(BroadcastDone(token, timed_out=True))
                case QueryTimeout(number=number):
                    self._inquiries.end(number)
                case unreachable:
                    assert_never(unreachable)
            self._arm_ticks(now)

    # Members.

    def _on_joined(self, claim: Member, now: float) -> None:
        tags = self._read_tags(claim)
        member = self._roster.joined(claim, tags, self._intents.get(claim.name))
        self._tell(ChangeKind.JOIN, member)
        self._expect_to_leave(member, now)
        surplus = self._roster.surplus()
        if surplus is not None:
            self._erase(surplus, forced=False)
        self._arm_ticks(now)

    def _on_gone(self, node: str, now: float) -> None:
        kind = self._roster.gone(node, now)
        if kind is None:
            return
        self._tell(kind, self._roster.members[node])
        self._inquiries.stop_waiting_for(node)
        self._arm_ticks(now)

    def _on_updated(self, claim: Member) -> None:
        if self._roster.get(claim.name) is None:
            return
        member = self._roster.updated(claim, self._read_tags(claim))
        if member is not None:
            self._tell(ChangeKind.UPDATE, member)

    def _read_tags(self, claim: Member) -> Mapping[str, str]:
        tags, is_complete = decode_tags_untrusted(claim.meta)
        if not is_complete:
            self._ignore("tags-cut", f"some tags of {claim.name} cannot be read", claim.address)
        return tags

    def _erase(self, node: str, *, forced: bool) -> None:
        member = self._roster.erase(node)
        if member is not None:
            self._inquiries.stop_waiting_for(node)
            self._tell(ChangeKind.REAP, member, forced=forced)

    def _tell(self, kind: ChangeKind, member: SerfMember, *, forced: bool = False) -> None:
        self._outbox.events.append(MemberChange(kind, member, forced))

    # Intents.

    def _announce_intent(self, intent: LeaveIntent, token: int, now: float) -> None:
        # Asked before the intent is applied: it may make the only other alive
        # member leaving, and that one must hear of it to be able to refute.
        has_listener = self._roster.has_alive_besides(self._name)
        self._clock.increment()
        self._apply_leave(intent, now)
        self._arm_ticks(now)
        if not has_listener:
            self._outbox.events.append(BroadcastDone(token))
            return
        timeout = BroadcastTimeout(token)
        self._waits[token] = self.timers.set(now + self._config.broadcast_timeout, timeout)
        self._gossip(Topic.INTENT, encode_serf(intent), now, token=token)

    def _apply_join(self, intent: JoinIntent, now: float) -> bool:
        """Witness and apply a join intent; say whether it was new."""
        self._clock.witness(intent.ltime)
        match self._roster.apply_join(intent):
            case IntentVerdict.UNKNOWN:
                node, ltime = intent.node, intent.ltime
                is_new = self._intents.put(node, is_leave=False, ltime=ltime, now=now)
                if is_new:  # it may have been pruned, and run all the same
                    self._outbox.effects.append(Recall(node))
                return is_new
            case IntentVerdict.ADOPTED:
                return True
            case _:
                return False

    def _apply_leave(self, intent: LeaveIntent, now: float) -> bool:
        """Witness and apply a leave intent; say whether it was new."""
        self._clock.witness(intent.ltime)
        node = intent.node
        match self._roster.apply_leave(intent, None if self._is_leaving else self._name):
            case IntentVerdict.STALE:
                return False
            case IntentVerdict.UNKNOWN:
                return self._intents.put(node, is_leave=True, ltime=intent.ltime, now=now)
            case IntentVerdict.ABOUT_US:
                self._outbox.events.append(LeaveIntentRefuted(intent.ltime))
                self._broadcast_join(self._clock.time, now)
                return False
            case IntentVerdict.BECAME_LEFT:
                self._tell(ChangeKind.LEAVE, self._roster.members[node], forced=True)
            case IntentVerdict.ADOPTED:
                self._inquiries.stop_waiting_for(node)
                self._expect_to_leave(self._roster.members[node], now)
            case unreachable:
                assert_never(unreachable)
        if intent.prune:
            self._prune(intent, now)
        return True

    def _expect_to_leave(self, member: SerfMember, now: float) -> None:
        """Look at ``member`` again when a leave in progress would be over."""
        name = member.name
        if member.status is MemberStatus.LEAVING and not (
            name == self._name or name in self._overdue
        ):
            self._overdue.add(name)
            wait = 2 * self._config.broadcast_timeout + self._config.leave_propagate_delay
            self.timers.set(now + wait, LeaveOverdue(name))

    def _ask_whether_it_leaves(self, node: str, now: float) -> None:
        """Tell a member that should have left that we think so; if it stays it refutes.

        A push/pull makes a leave one tick newer each time it is told, so one of a
        former life can outdo the join of the next, unknown to its owner or at the
        very time of that join. A tick above what we know is newer for any owner.
        """
        self._overdue.discard(node)
        member = self._roster.get(node)
        if member is None or member.status is not MemberStatus.LEAVING:
            return
        self._ask(member)
        self._expect_to_leave(member, now)

    def _ask(self, member: SerfMember) -> None:
        ltime = min(member.status_ltime + 1, LAMPORT_TIME_MAX)
        payload = encode_serf(LeaveIntent(ltime, member.name))
        self._outbox.effects.append(SendPayload(member.address, payload))

    def _outdo_news_of_us(self, now: float) -> None:
        """Announce our join again if others have newer word of us than we gave.

        It may be a leave of our last life that a push/pull made newer (14.3). The
        times of a peer do not tell who is leaving, and whoever shows us so takes a
        join of the same time for old. Done for push/pulls only: two nodes of one
        name would outdo each other at the speed of gossip.
        """
        own = self._roster.get(self._name)
        if own is not None and own.status_ltime > self._joined_at and not self._is_leaving:
            self._broadcast_join(self._clock.time, now)

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
        self.timers.set(now + wait, PruneDue(node, ltime))

    def _prune_if_gone(self, node: str, ltime: int, now: float) -> None:
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
            self._ask(member)
            self._intents.put(node, is_leave=True, ltime=member.status_ltime, now=now)
        self._erase(node, forced=True)

    def _broadcast_join(self, ltime: int, now: float) -> None:
        intent = JoinIntent(ltime, self._name)
        self._apply_join(intent, now)
        self._joined_at = ltime
        # Named: only our newest join intent matters, so a flood of leave
        # intents about us cannot fill the queue with refutations.
        self._gossip(Topic.INTENT, encode_serf(intent), now, name="own join")

    # Messages of others.

    def _on_payload(self, payload: bytes, source: Address, now: float) -> None:
        if not payload:
            return
        message = self._heard.get(payload)
        if message is None:
            try:
                message = decode_serf_untrusted(payload)
            except WireError as error:
                self._ignore(error.reason, error.detail, source)
                return
            if isinstance(message, JoinIntent | LeaveIntent):
                if len(self._heard) >= INTENTS_KEPT:
                    self._heard.clear()
                self._heard[payload] = message
        match message:
            case JoinIntent():
                if self._apply_join(message, now):
                    self._gossip(Topic.INTENT, payload, now)
            case LeaveIntent():
                if self._apply_leave(message, now):
                    self._gossip(Topic.INTENT, payload, now)
            case UserEvent(ltime=ltime, name=name, payload=content):
                if self._apply_event(ltime, BufferedEvent(name, content), source):
                    self._gossip(Topic.EVENT, payload, now)
            case Query():
                self._inquiries.take_query(message, payload, source, now)
            case QueryResponse():
                self._inquiries.take_response(message, source, now)
            case Relay():
                self._inquiries.take_relay(message, source, now)
            case unreachable:
                assert_never(unreachable)
        self._arm_ticks(now)

    def _apply_event(self, ltime: int, event: BufferedEvent, source: Address | None) -> bool:
        """Buffer a user event; say whether it was new."""
        verdict = self._events.apply(ltime, event)
        if verdict is EventVerdict.TOO_OLD or verdict is EventVerdict.FULL:
            self._ignore(verdict.value, f"{event.name} at {ltime}", source)
        return verdict is EventVerdict.NEW

    # Gossip and time.

    def _gossip(
        self,
        topic: Topic,
        payload: bytes,
        now: float,
        *,
        name: str | None = None,
        token: int | None = None,
    ) -> None:
        self._broadcasts.enqueue(topic, payload, self._queue_maximum(), name=name, token=token)
        self._report_finished()
        self._arm_ticks(now)

    def _report_finished(self) -> None:
        for token in self._broadcasts.take_finished():
            wait = self._waits.pop(token, None)
            if wait is not None:
                wait.cancel()
                self._outbox.events.append(BroadcastDone(token))

    def _queue_maximum(self) -> int:
        if self._config.min_queue_depth > 0:
            return max(self._config.min_queue_depth, 2 * len(self._roster.members))
        return self._config.max_queue_depth

    def _check_queues(self) -> None:
        reports = self._broadcasts.check_depth(
            self._config.queue_depth_warning, self._queue_maximum()
        )
        for report in reports:
            self._outbox.events.append(
                QueueTooDeep(report.queue.value, report.depth, report.dropped)
            )
        self._report_finished()

    def _reap(self, now: float) -> None:
        config = self._config
        timeouts = config.reconnect_timeout, config.tombstone_timeout
        for node in self._roster.expired(*timeouts, now):
            self._erase(node, forced=False)
        self._intents.expire(now)

    def _reconnect(self) -> None:
        member = choose_failed(self._roster, self._random)
        if member is not None:
            self._outbox.effects.append(Reconnect(member.name, member.address))
            self._outbox.events.append(ReconnectTried(member))

    def _arm_ticks(self, now: float) -> None:
        """Arm each tick that has something to look at and is not armed yet."""
        config, roster, armed = self._config, self._roster, self._armed
        if (roster.failed or roster.left or len(self._intents)) and ReapTick not in armed:
            self._arm(ReapTick(), config.reap_interval, now)
        if roster.failed and ReconnectTick not in armed:
            self._arm(ReconnectTick(), config.reconnect_interval, now)
        if QueueCheck not in armed and not self._broadcasts.is_empty:
            self._arm(QueueCheck(), config.queue_check_interval, now)

    def _arm(
        self, tick: ReapTick | ReconnectTick | QueueCheck, interval: float, now: float
    ) -> None:
        self._armed.add(type(tick))
        self.timers.set(next_tick(self._started_at, interval, now), tick)

    def _ignore(self, reason: str, detail: str, source: Address | None) -> None:
        self._outbox.events.append(MessageIgnored(reason, detail, source))
