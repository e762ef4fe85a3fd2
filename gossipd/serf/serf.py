"""``Serf``: the dispatcher of Serf's layer; swim events and Serf messages in, outbox out.

gossip.md, sections 14 to 18. It routes; what follows from an input is the part
of the rooms it hands things to: ``members``, ``inquiries`` for queries, and
``upkeep``, through which all of them gossip, ``announcing`` for user events. Of the
leaves it knows ``state_sync`` (push/pull) itself.

Messages of others travel on byte for byte, so fields and tails that only
newer peers know are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import partial
from random import Random
from typing import assert_never

from gossipd.address import Address
from gossipd.config.model import SerfConfig, SwimConfig
from gossipd.errors import WireError
from gossipd.outbox import Outbox
from gossipd.serf.announcing import Announcing
from gossipd.serf.broadcasts import Broadcasts, Topic
from gossipd.serf.effects import SerfEffect, SetMeta
from gossipd.serf.events import MessageIgnored, SerfEvent, SerfMember
from gossipd.serf.inquiries import Inquiries
from gossipd.serf.intents import IntentBuffer
from gossipd.serf.lamport import LamportClock
from gossipd.serf.members import Members
from gossipd.serf.memory import NO_MEMORY, Memory
from gossipd.serf.question import KeyCommand, Question
from gossipd.serf.roster import Roster
from gossipd.serf.state_sync import StateSync, join_intents, leave_intents
from gossipd.serf.tags import OwnMeta, change_tags
from gossipd.serf.timers import (
    BroadcastTimeout,
    LeaveOverdue,
    PruneDue,
    QueryExpired,
    QueryRetold,
    QueryTimeout,
    QueueCheck,
    ReapTick,
    ReconnectTick,
    SerfTimer,
)
from gossipd.serf.upkeep import Upkeep
from gossipd.swim.events import (
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberUpdated,
    NameConflict,
    PayloadReceived,
    StrangerPinged,
    SwimEvent,
)
from gossipd.swim.member import Member
from gossipd.swim.scaling import retransmit_limit
from gossipd.timers import Timers
from gossipd.wire.keyring import Keyring
from gossipd.wire.serf_codec import decode_serf_state_untrusted, decode_serf_untrusted
from gossipd.wire.serf_messages import (
    JoinIntent,
    LeaveIntent,
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
        keyring: the live ring, which key queries change; ``None`` without encryption.
        saves_keys: the ring is kept in a file: ``SaveKeyring`` asks to write it.
        is_exposed: says whether plaintext is accepted or sent although there are keys.
        started_ms: when we started, in milliseconds since 1970; 0 if that is not known.
        payload_bytes_max: the largest message gossip can carry: packet budget
            - 2 - 3 - label and encryption overhead. Longer ones are applied
            but not forwarded.
        memory: times seen in a former life; what is not newer is old.
        tail: what stands behind the tags in our meta.
        catalog: returns what push/pulls tell of services, see ``merge_state``.
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
        keyring: Keyring | None = None,
        saves_keys: bool = False,
        is_exposed: Callable[[], bool] = lambda: False,
        started_ms: int = 0,
        payload_bytes_max: int = PAYLOAD_BYTES_MAX,
        memory: Memory = NO_MEMORY,
        tail: bytes = b"",
        catalog: Callable[[], bytes] = bytes,
    ) -> None:
        self._config = config
        self._swim_config = swim_config
        self._name = name
        self._address = address
        self._random = random
        self._outbox = outbox
        self._meta = OwnMeta(tail)
        self._clock = LamportClock()
        self._roster = Roster(roster)
        intents = IntentBuffer(config.recent_intent_timeout)
        self._broadcasts = Broadcasts(payload_bytes_max)
        self.timers: Timers[SerfTimer] = Timers()
        self._upkeep = Upkeep(
            config, self._roster, intents, self._broadcasts, random, self.timers, outbox
        )
        self._inquiries = Inquiries(
            config,
            swim_config,
            name,
            address,
            self._roster,
            lambda: self._meta.tags,
            random,
            partial(self._upkeep.gossip, Topic.QUERY),
            payload_bytes_max,
            self.timers,
            outbox,
            started_ms,
            keyring=keyring,
            saves_keys=saves_keys,
            is_exposed=is_exposed,
        )
        self._announcing = Announcing(
            config,
            name,
            lambda: self._meta.tags,
            payload_bytes_max,
            partial(self._upkeep.gossip, Topic.EVENT),
            outbox,
        )
        self._members = Members(
            config,
            name,
            self._clock,
            self._roster,
            intents,
            self._upkeep,
            self._inquiries.stop_waiting_for,
            self.timers,
            outbox,
        )
        self._state = StateSync(
            self._clock, self._roster, self._announcing.buffer, self._inquiries.clock, catalog
        )
        self._heard: dict[bytes, SerfMessage] = {}
        self._clock.witness(memory.clock)
        self._announcing.buffer.recall(memory.event_clock)
        self._inquiries.recall(memory.query_clock)

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
        return self._meta.tags

    @property
    def is_leaving(self) -> bool:
        """Whether ``announce_leave`` was called."""
        return self._members.is_leaving

    @property
    def member_time(self) -> int:
        """The member clock."""
        return self._clock.time

    @property
    def event_time(self) -> int:
        """The user event clock."""
        return self._announcing.clock.time

    @property
    def query_time(self) -> int:
        """The query clock."""
        return self._inquiries.clock.time

    @property
    def memory(self) -> Memory:
        """The times that a next life has to know of (section 20)."""
        return Memory(self._clock.time - 1, self._announcing.buffer.newest, self._inquiries.newest)

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
        meta = self._meta.announce(tags)
        self._upkeep.start(now)
        return meta

    def announce_join(self, now: float) -> None:
        """Gossip a join intent about us, after a join that reached somebody (15.4)."""
        self._members.announce_join(now)

    def announce_leave(self, token: int, now: float) -> None:
        """Announce that we leave; from now on nothing about us is refuted (15.4).

        ``BroadcastDone(token)`` follows: at once if nobody else is alive,
        when the intent was sent often enough, or at the broadcast timeout.
        """
        self._members.announce_leave(token, now)

    def force_leave(self, node: str, prune: bool, token: int, now: float) -> None:
        """Announce in its name that ``node`` leaves; ``prune`` forgets it too (15.4).

        ``BroadcastDone(token)`` follows as for ``announce_leave``. An unknown
        node is no error.
        """
        self._members.force_leave(node, prune, token, now)

    def set_tags(
        self, tags: Mapping[str, str], delete: Sequence[str], token: int, now: float
    ) -> None:
        """Delete tags, then set ``tags``; ``SetMeta(meta, token)`` announces them.

        Raises:
            UsageError: the encoded tags exceed 512 bytes; nothing was changed.
        """
        meta = self._meta.announce(change_tags(self._meta.tags, tags, delete))
        self._outbox.effects.append(SetMeta(meta, token))

    def announce_tail(self, tail: bytes, token: int) -> None:
        """Have ``tail`` behind the tags, of the same length; ``SetMeta`` announces it."""
        self._meta.tail = tail
        self._outbox.effects.append(SetMeta(self._meta.announce(self._meta.tags), token))

    def send_event(
        self,
        name: str,
        payload: bytes | None,
        now: float,
        *,
        may_coalesce: bool = False,
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Send a user event; see ``Announcing.send``."""
        self._announcing.send(name, payload, now, may_coalesce=may_coalesce, nodes=nodes, tags=tags)

    def ask(self, question: Question, now: float) -> int:
        """Ask the cluster; see ``Asking.ask``."""
        return self._inquiries.asking.ask(question, now)

    def stop_asking(self, number: int) -> None:
        """Wait no longer for answers to a query of ours; see ``Asking.stop``."""
        self._inquiries.asking.stop(number)

    def manage_keys(
        self, command: KeyCommand, key: bytes | None, operation: int, now: float
    ) -> None:
        """Do ``command`` with ``key`` on all members; see ``Inquiries.manage_keys``."""
        self._inquiries.manage_keys(command, key, operation, now)

    def keyring_saved(self, ticket: int, error: str, now: float) -> None:
        """The ``SaveKeyring`` of that ticket was done, or failed (``error``)."""
        self._inquiries.answering.keyring_saved(ticket, error, now)

    def respond(self, number: int, payload: bytes | None, now: float) -> None:
        """Answer a query that was told as ``QueryReceived``; see ``Answering.respond``."""
        self._inquiries.answering.respond(number, payload, now)

    def decline(self, number: int, now: float) -> None:
        """Say that a query told as ``QueryReceived`` gets no answer; ``Answering.decline``."""
        self._inquiries.answering.decline(number, now)

    def retime(self, now: float) -> None:
        """Let what was made from earlier settings follow those that hold now."""
        self._upkeep.retime(now)

    # Inputs.

    def handle(self, event: SwimEvent, now: float) -> None:
        """Take in what the failure detector has to tell; events of no concern are ignored."""
        match event:
            case PayloadReceived(payload=payload, source=source):
                self._on_payload(payload, source, now)
            case MemberJoined(member=member):
                self._members.on_joined(member, now)
            case MemberFailed(member=member) | MemberLeft(member=member):
                self._members.on_gone(member.name, now)
            case MemberUpdated(member=member):
                self._members.on_updated(member)
            case NameConflict(member=member, claimed=rival):
                self._inquiries.name_claimed(member.name, rival, now)
            case StrangerPinged(node=node, source=source):
                self._upkeep.pinged_by(node, source, now)

    def recall(self, member: Member, now: float) -> None:
        """Take in a running ``member`` again if we have forgotten it (``Recall``)."""
        if self._roster.get(member.name) is None:
            self._members.on_joined(member, now)

    def local_state(self) -> bytes:
        """Return our part of a push/pull; the same object until something changes."""
        return self._state.encoded()

    def snapshot(self) -> tuple[SerfPushPull, int]:
        """Return what ``local_state`` stands for, and the bytes that it would have."""
        return self._state.snapshot()

    def merge_state(self, data: bytes, is_join: bool, ignore_old_events: bool, now: float) -> bytes:
        """Merge a peer's part of a push/pull (section 14.3); nothing is gossiped on.

        Bytes that are no legal state change nothing and are told as ``MessageIgnored``.
        ``ignore_old_events`` is for our own join that wants no replay. Returns what the
        peer told of services.
        """
        try:
            state = decode_serf_state_untrusted(data)
        except WireError as error:
            self._ignore(error.reason, error.detail, None)
            return b""
        self.merge(state, is_join, ignore_old_events, now)
        return state.catalog

    def merge(
        self, state: SerfPushPull, is_join: bool, ignore_old_events: bool, now: float
    ) -> None:
        """Merge a peer's part of a push/pull, decoded; see ``merge_state``."""
        for clock, seen in (
            (self._clock, state.ltime),
            (self._announcing.clock, state.event_ltime),
            (self._inquiries.clock, state.query_ltime),
        ):
            if seen > 0:
                clock.witness(seen - 1)
        for leave in leave_intents(state):
            self._members.apply_leave(leave, now)
        for join in join_intents(state, self._roster.members):
            self._members.apply_join(join, now)
        if not is_join:  # our own join is about to be announced anyway
            self._members.outdo_news_of_us(now)
        if is_join and ignore_old_events:
            self._announcing.buffer.ignore_before(state.event_ltime)
        self._announcing.replay(state.events)
        self._upkeep.arm(now)

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
        self._upkeep.sent(payloads)
        return payloads

    def next_deadline(self) -> float | None:
        """Return when ``handle_deadline`` is due (seconds, monotonic)."""
        return self.timers.next_deadline()

    def handle_deadline(self, now: float) -> None:
        """Do what is due at ``now``."""
        while (timer := self.timers.pop_due(now)) is not None:
            self._upkeep.armed.discard(type(timer))
            match timer:
                case ReapTick():
                    self._members.reap(now)
                case ReconnectTick():
                    self._upkeep.reconnect()
                case QueueCheck():
                    self._upkeep.check_queues()
                case PruneDue(node=node, ltime=ltime):
                    self._members.prune_if_gone(node, ltime, now)
                case LeaveOverdue(node=node):
                    self._members.ask_whether_it_leaves(node, now)
                case BroadcastTimeout(token=token):
                    self._upkeep.give_up(token)
                case QueryTimeout(number=number):
                    self._inquiries.asking.end(number)
                case QueryRetold(number=number):
                    self._inquiries.asking.retell(number)
                case QueryExpired(number=number):
                    self._inquiries.answering.expire(number)
                case unreachable:
                    assert_never(unreachable)
            self._upkeep.arm(now)

    # Messages of others.

    def _on_payload(self, payload: bytes, source: Address, now: float) -> None:
        if not payload:
            return
        self._upkeep.received(payload)
        message = self._heard.get(payload)
        if message is None:
            try:
                message = decode_serf_untrusted(payload)
            except WireError as error:
                self._ignore(error.reason, error.detail, source)
                return
            # no gossip is longer, but a stream may bring 1 MiB, nearly all of it surplus
            if isinstance(message, JoinIntent | LeaveIntent) and len(payload) <= PAYLOAD_BYTES_MAX:
                if len(self._heard) >= INTENTS_KEPT:
                    self._heard.clear()
                self._heard[payload] = message
        match message:
            case JoinIntent():
                if self._members.apply_join(message, now):
                    self._upkeep.gossip(Topic.INTENT, payload, now)
            case LeaveIntent():
                if self._members.apply_leave(message, now):
                    self._upkeep.gossip(Topic.INTENT, payload, now)
            case UserEvent():
                self._announcing.take(message, payload, source, now)
            case Query():
                self._inquiries.take_query(message, payload, source, now)
            case QueryResponse():
                self._inquiries.asking.take_response(message, source, now)
            case Relay():
                self._inquiries.take_relay(message, source, now)
            case unreachable:
                assert_never(unreachable)
        self._upkeep.arm(now)

    def _ignore(self, reason: str, detail: str, source: Address | None) -> None:
        self._outbox.events.append(MessageIgnored(reason, detail, source))
