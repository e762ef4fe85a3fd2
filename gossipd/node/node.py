"""``Node``: one machine of the cluster, told everything and doing nothing itself.

The driver hands in bytes and ``now`` (seconds, monotonic), and takes out
effects to carry out, events to tell and a view to read. Inside, the cores
talk through values: what one writes into its outbox is handed to the others
here, in a fixed order, until all are quiet. Only this room knows all of
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from gossipd.address import Address
from gossipd.config.model import NodeConfig, SerfConfig, SwimConfig, check_node_config, with_fixed
from gossipd.coordinate import Coordinate
from gossipd.coordinates.chart import Chart
from gossipd.node.carriage import INDEX_SHIFT, Carriage
from gossipd.node.delivery import Delivery
from gossipd.node.effects import NodeEffect
from gossipd.node.events import NodeEvent
from gossipd.node.exchange import Exchange
from gossipd.node.operations import Operations
from gossipd.node.packing import COMPOUND_OVERHEAD, PAYLOAD_OVERHEAD, Packer
from gossipd.node.purposes import PushPullCall
from gossipd.node.readings import Readings
from gossipd.node.reception import Reception
from gossipd.node.service_verbs import ServiceVerbs
from gossipd.node.sessions import Sessions
from gossipd.node.settling import Settling
from gossipd.node.statistics import Statistics
from gossipd.node.storage import Storage
from gossipd.node.traffic import Traffic
from gossipd.node.unsealed import UnsealedPacket, UnsealedStream
from gossipd.node.view import View
from gossipd.outbox import Outbox
from gossipd.serf.effects import SerfEffect
from gossipd.serf.events import SerfEvent
from gossipd.serf.memory import NO_MEMORY, Memory
from gossipd.serf.question import KeyCommand, Question
from gossipd.serf.serf import Serf
from gossipd.serf.tags import encode_own_tags
from gossipd.swim.effects import SwimEffect
from gossipd.swim.events import SwimEvent
from gossipd.swim.gossiper import GOSSIP_TICK
from gossipd.swim.swim import Swim
from gossipd.value import replace
from gossipd.wire.keyring import Keyring
from gossipd.wire.messages import Versions
from gossipd.wire.meta_tail import meta_tail
from gossipd.wire.packet import PacketLayers


class Node(ServiceVerbs):
    """The composition of failure detector, Serf layer, packing and streams.

    Args:
        config: checked here; see ``check_node_config``.
        address: what others are told to reach us at.
        random: the only source of choice, seeded by the owner.
        entropy: returns that many unpredictable bytes, for nonces.
        bind_port: port we listen on, where it differs from the advertised one.
        seals: write what is sent as bytes; otherwise unsealed, for a driver that
            hands it to other nodes of this process (``unsealed.py``).
        storage: where the tables are kept; by default in plain dicts and lists.
        memory: Lamport times of a former life (section 20).
        saves_keys: the driver keeps our keys over a restart, see ``SaveKeyring``.
        started_at: calendar time, in seconds since 1970: decides who keeps a name that
            two nodes bear; the index of services begins there too.
        catalog_epoch: which life of this node it is, above that of any life before.

    Raises:
        ConfigError: the configuration cannot work.
        UsageError: the tags do not fit into 512 bytes, 500 with a catalog.
    """

    def __init__(
        self,
        config: NodeConfig,
        address: Address,
        random: Random,
        entropy: Callable[[int], bytes],
        *,
        bind_port: int | None = None,
        seals: bool = True,
        storage: Storage | None = None,
        memory: Memory = NO_MEMORY,
        saves_keys: bool = False,
        started_at: float | None = None,
        catalog_epoch: int = 1,
    ) -> None:
        check_node_config(config)
        # our own copies: the rooms read them when they need them, and ``reconfigure`` writes here
        config = replace(
            config,
            swim=replace(config.swim),
            serf=replace(config.serf),
            catalog=replace(config.catalog),
        )
        tail = meta_tail(catalog_epoch) if config.catalog.enabled else b""
        encode_own_tags(config.tags, tail)  # refused now, not when others wait for the start
        self._config = config
        self.keyring = Keyring(config.keys) if config.keys else None
        self._layers = PacketLayers(
            label=config.wire.label,
            keyring=self.keyring,
            compression=config.wire.compression,
            verify_incoming=config.wire.verify_incoming,
            verify_outgoing=config.wire.verify_outgoing,
            entropy=entropy,
        )
        self.outbox: Outbox[NodeEffect, NodeEvent] = Outbox()
        """What the driver takes out; see ``take_effects`` and ``take_events``."""
        swim_outbox: Outbox[SwimEffect, SwimEvent] = Outbox()
        serf_outbox: Outbox[SerfEffect, SerfEvent] = Outbox()
        self._swim_ledger = swim_outbox.ledger
        self._swim = Swim(
            config.swim,
            config.name,
            address,
            Versions(),
            random,
            swim_outbox,
            bind_port=address.port if bind_port is None else bind_port,
            table=storage.table if storage else None,
            rotation=storage.rotation if storage else None,
        )
        self._serf = Serf(
            config.serf,
            config.swim,
            config.name,
            address,
            random,
            serf_outbox,
            roster=storage.roster if storage else None,
            keyring=self.keyring,
            saves_keys=saves_keys,
            is_exposed=lambda: self._layers.is_exposed,
            started_ms=0 if started_at is None else round(started_at * 1000),
            payload_bytes_max=config.wire.packet_bytes_max
            - COMPOUND_OVERHEAD
            - PAYLOAD_OVERHEAD
            - self._layers.overhead_max,
            memory=memory,
            tail=tail,
            catalog=lambda: self._carriage.summary(),
        )
        self._carriage = Carriage(
            config,
            address,
            self._swim,
            self._serf,
            random,
            epoch=catalog_epoch,
            index=0 if started_at is None else int(started_at) << INDEX_SHIFT,
            packet_bytes=config.wire.packet_bytes_max
            - COMPOUND_OVERHEAD
            - self._layers.overhead_max,
        )
        self._chart = Chart(config.name, random) if config.serf.coordinates else None
        if self._chart is not None:
            self._swim.set_ack_payload(self._chart.payload)
        self._sessions = Sessions(
            self._layers,
            self.outbox,
            Exchange(self._swim, self._serf, swim_outbox, self._settle, self._carriage),
            timeout=config.wire.stream_timeout,
            inbound_max=config.wire.streams_max,
            seals=seals,
        )
        self.waiting_work = self._sessions.waiting_work
        """Empty unless a long merge waits for its next portion (``work``)."""
        self._traffic = Traffic()
        self._reception = Reception(self._layers, self._swim, self._traffic, self.outbox)
        self._delivery = Delivery(
            Packer(self._layers, config.wire.packet_bytes_max, self._swim, self._serf),
            self._sessions,
            self._swim,
            self._serf,
            self._traffic,
            self.outbox,
            seals=seals,
        )
        self._readings = Readings(
            config.name,
            address,
            self._swim,
            self._serf,
            self._traffic,
            self._sessions,
            self._chart,
            (
                swim_outbox.ledger,
                serf_outbox.ledger,
                self.outbox.ledger,
                self._carriage.outbox.ledger,
            ),
        )
        self._operations = Operations(config.serf, self._swim, self.outbox)
        self._settling = Settling(
            self._swim,
            self._serf,
            swim_outbox,
            serf_outbox,
            self.outbox,
            self._delivery,
            self._operations,
            self._readings,
            self._traffic,
            self._chart,
            self._carriage,
        )
        self._timers = self._operations.timers
        self._swim_timers = self._swim.timers
        self._seldom_armed = (
            self._serf.timers.heap,
            self._sessions.timers.heap,
            self._timers.heap,
            self._sessions.waiting_work,
            self._carriage.timers.heap,
        )

    # -- the driver's verbs ---------------------------------------------------

    def start(self, now: float) -> None:
        """Announce ourselves to ourselves and arm the periodic work."""
        meta = self._serf.start(self._config.tags, now)
        self._swim.start(meta, now)
        self._settle(now)

    def receive_packet(self, data: bytes | UnsealedPacket, source: Address, now: float) -> None:
        """Take one datagram; what is not legal is dropped and counted."""
        self._reception.take(data, source, now)
        self._settle(now)

    def handle_deadline(self, now: float) -> None:
        """Do what is due at ``now``; harmless when nothing is."""
        self._swim.handle_deadline(now)
        if any(self._seldom_armed):
            self._serf.handle_deadline(now)
            self._sessions.handle_deadline(now)
            while (token := self._timers.pop_due(now)) is not None:
                self._operations.done(token, now, "timeout waiting for update broadcast")
            self._carriage.handle_deadline(now)
        self._settle(now)

    def next_deadline(self) -> float | None:
        """Return when ``handle_deadline`` is due next (seconds, monotonic)."""
        earliest = self._swim_timers.next_deadline()
        if any(self._seldom_armed):
            for core in (self._serf, self._sessions, self._timers, self._carriage.timers):
                deadline = core.next_deadline()
                if deadline is not None and (earliest is None or deadline < earliest):
                    earliest = deadline
        return earliest

    def work(self, now: float) -> None:
        """Do one portion of what is left to do, as ``handle_deadline`` also does."""
        self._sessions.work(now)
        self._settle(now)

    def take_effects(self) -> list[NodeEffect]:
        """Return what the driver must do now, in order."""
        return self.outbox.take_effects()

    def take_events(self) -> list[NodeEvent]:
        """Return what happened since the last call, in order."""
        return self.outbox.take_events()

    def accept_stream(self, stream: int, source: Address, now: float) -> None:
        """Take in a stream that a peer opened; the driver numbers it below 0."""
        self._sessions.accepted(stream, source, now)

    def stream_opened(self, stream: int, now: float) -> None:
        """An ``OpenStream`` effect succeeded."""
        self._sessions.opened(stream, now)

    def receive_stream(self, stream: int, data: bytes | UnsealedStream, now: float) -> None:
        """Take bytes of a stream, in any portions."""
        self._sessions.received(stream, data, now)
        self._settle(now)

    def stream_ended(self, stream: int, now: float) -> None:
        """The peer ended its side of a stream."""
        self._sessions.ended(stream, now)
        self._settle(now)

    def stream_failed(self, stream: int, reason: str, now: float) -> None:
        """A stream could not be opened, or broke."""
        self._sessions.failed(stream, reason, now)
        self._settle(now)

    def sending_blocked(self, now: float) -> None:
        """Nothing can be sent until further notice: the driver keeps effects back.

        The periodic work comes to rest at its first send, as tasks do that hang in one;
        timers of suspicions and of what is asked for run on. Told once.
        """
        self._swim.sending_blocked(now)
        self._carriage.sending_blocked()

    def sending_unblocked(self, now: float) -> None:
        """Sending goes on, and what was kept back is out; what is due by now is done."""
        self._swim.sending_unblocked(now)
        self._carriage.sending_unblocked(now)
        self._settle(now)  # what goes on is packed before anything that is found only now
        self.handle_deadline(now)

    # -- commands -------------------------------------------------------------

    def join(self, to: Address, node: str, now: float, *, ignore_old: bool) -> int:
        """Exchange states with ``to`` as a join; ``node`` is its name if known, else empty.

        Args:
            ignore_old: do not deliver user events from before the join.

        Returns:
            The number of the ``OperationFinished`` event that tells how it went.

        Raises:
            UsageError: this node is leaving.
        """
        self._operations.refuse_when_leaving("Serf can't Join after Leave or Shutdown")
        operation = self._operations.next_number()
        call = PushPullCall(node, to, is_join=True, ignore_old=ignore_old, operation=operation)
        self._sessions.push_pull(call, now)
        self._settle(now)
        return operation

    def announce_join(self, now: float) -> None:
        """Gossip our join intent, after at least one successful join."""
        self._swim.joined(now)
        self._serf.announce_join(now)
        self._settle(now)

    def leave(self, now: float) -> int:
        """Leave gracefully; when the operation has finished the node may stop.

        Raises:
            UsageError: a leave is already in progress, or over.
        """
        self._operations.refuse_when_leaving("Leave already in progress")
        departure = self._operations.depart(now)
        self._serf.announce_leave(departure.announcement, now)
        self._settle(now)
        return departure.operation

    def force_leave(self, node: str, prune: bool, now: float) -> int:
        """Announce in its name that ``node`` left; finished when gossiped or at the time-out."""
        operation = self._operations.next_number()
        self._operations.wait_for(operation)
        self._serf.force_leave(node, prune, operation, now)
        self._settle(now)
        return operation

    def set_tags(self, tags: Mapping[str, str], delete: Sequence[str], now: float) -> int:
        """Delete tags, then set tags, and gossip them; finished when gossiped or at the time-out.

        Raises:
            UsageError: the encoded tags exceed 512 bytes; nothing was changed.
        """
        operation = self._operations.next_number()
        self._serf.set_tags(tags, delete, operation, now)
        self._operations.wait_for(operation, now + self._config.serf.broadcast_timeout)
        self._settle(now)
        return operation

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
        """Send a user event to everybody, or tell only some of the gossipd nodes of it.

        ``nodes`` are names and ``tags`` RE2 expressions by tag of those it is for, as in
        ``Question``. ``may_coalesce``: of several of this name only the latest need be told.

        Raises:
            UsageError: it is too large, or an expression is none; nothing was sent.
            Unavailable: the event clock is at its end, or the buffer full.
        """
        self._serf.send_event(name, payload, now, may_coalesce=may_coalesce, nodes=nodes, tags=tags)
        self._settle(now)

    def ask(self, question: Question, now: float) -> int:
        """Ask the cluster; returns the query number of the events that follow.

        Raises:
            UsageError: it is reserved or too large, or a tag's expression is none.
            Unavailable: too many queries are open.
        """
        query = self._serf.ask(question, now)
        self._settle(now)
        return query

    def stop_asking(self, number: int, now: float) -> None:
        """Tell nothing more of our query ``number``: whoever asked has gone."""
        self._serf.stop_asking(number)

    def respond(self, number: int, payload: bytes | None, now: float) -> None:
        """Answer the ``QueryReceived`` of that number, once and until its deadline.

        Raises:
            UsageError: there was none, it was answered already, its deadline has passed,
                or the answer is too large for whoever asked; nothing was sent.
        """
        self._serf.respond(number, payload, now)
        self._settle(now)

    def decline(self, number: int, now: float) -> None:
        """Tell whoever asked the ``QueryReceived`` of that number that no answer will come."""
        self._serf.decline(number, now)
        self._settle(now)

    def reconfigure(self, swim: SwimConfig, serf: SerfConfig, now: float) -> None:
        """Go by other settings from now on; those in ``config.model.FIXED`` stay as they are.

        What runs (probe rounds, suspicions, operations) ends as it began.

        Raises:
            ConfigError: they cannot work; nothing was changed.
        """
        changed = with_fixed(self._config, swim, serf)
        check_node_config(changed)
        before = replace(self._config.swim)
        self._config.swim.take_over(changed.swim)
        self._config.serf.take_over(changed.serf)
        self._swim.retime(before, now)
        self._serf.retime(now)
        self._settle(now)

    def manage_keys(self, command: KeyCommand, key: bytes | None, now: float) -> int:
        """Do ``command`` with ``key`` on all members; ``KeysAnswered`` tells what came of it.

        Raises:
            UsageError: this node is leaving, or no query can hold the key.
            Unavailable: too many queries are open, or plaintext is accepted or sent.
        """
        self._operations.refuse_when_leaving("keys cannot be managed after a leave")
        operation = self._operations.next_number()
        self._serf.manage_keys(command, key, operation, now)
        self._settle(now)
        return operation

    def keyring_saved(self, ticket: int, error: str, now: float) -> None:
        """The ``SaveKeyring`` of that ticket was done; ``error`` says why not."""
        self._serf.keyring_saved(ticket, error, now)
        self._settle(now)

    def set_verification(self, incoming: bool, outgoing: bool, now: float) -> None:
        """Refuse plaintext or not (``incoming``), and send it or not (``outgoing``), from now on.

        The way from a plain cluster to an encrypted one and back without downtime: see
        ``WireConfig.verify_incoming`` and ``verify_outgoing``. Without keys it means nothing.
        """
        self._layers.verify(incoming=incoming, outgoing=outgoing)

    # -- readers --------------------------------------------------------------

    def view(self) -> View:
        """Return the current picture; the same object until something visible changes."""
        return self._readings.view()

    def memory(self) -> Memory:
        """Return the Lamport times that a next life has to know of."""
        return self._serf.memory

    def statistics(self) -> Statistics:
        """Return the counters as they are now."""
        return self._readings.statistics(encrypted=self.keyring is not None)

    @property
    def gossip_ticks(self) -> int:
        """How many gossip ticks there were."""
        return self._swim_ledger.counts.get(GOSSIP_TICK, 0)

    def coordinate(self, node: str) -> Coordinate | None:
        """Return where ``node`` is, as it last told, ours as it is now (section 19).

        Returns:
            ``None`` if it never answered a probe of ours, or coordinates are off.
        """
        return self._readings.coordinate(node)

    def _settle(self, now: float) -> None:
        self._settling.settle(now)
