"""``Host``: one machine of the simulated cluster, and the driver of its ``Node``.

It does what the daemon's driver does (``gossipd.agent.driver``), in the same
order: hand in bytes with the local time, carry effects out, tell events,
keep one deadline. Around that it can fail in every way a machine can: die,
freeze, be slow, be unable to send, have a wrong clock.

Input that cannot be handled now waits in ``inbox.py``: datagrams in a receive
buffer of a real size, where they are dropped when it is full, streams in their
peers. What cannot be sent now waits in ``outgoing.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

from gossipd.address import Address
from gossipd.config.model import NodeConfig
from gossipd.errors import UsageError
from gossipd.node.events import OperationFinished
from gossipd.node.node import Node
from gossipd.serf.events import KeyringChanged, NameVoted, QueryReceived
from gossipd.serf.memory import NO_MEMORY, Memory
from gossipd.value import replace
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.alarm import Alarm
from gossipd_sim.application import answer
from gossipd_sim.birth import MakeNode, give_birth, make_unsealed_node
from gossipd_sim.carriers import PacketCarrier, StreamCarrier
from gossipd_sim.clock import LocalClock
from gossipd_sim.formed import Formed
from gossipd_sim.inbox import Inbox
from gossipd_sim.joiner import Command, Joiner
from gossipd_sim.keepsake import Keepsake, in_order_of_trial
from gossipd_sim.network import Datagram, Portion
from gossipd_sim.observer import Observer
from gossipd_sim.outgoing import Outgoing
from gossipd_sim.providing import Provided
from gossipd_sim.trace import Trace
from gossipd_sim.world import World


class Host:
    """One machine. It has a ``node`` while its process runs, from ``boot`` on.

    Args:
        name: of the machine; the node's own is in ``config`` and may clash with another's.
        index: its number in the cluster.
        config: what its daemon is started with; may be replaced between lives.
        address: where it is reached.
        observers: told events, packets and steps; a live list.
        make_node: makes the node of each life; see ``birth.py``.
    """

    def __init__(
        self,
        name: str,
        index: int,
        config: NodeConfig,
        address: Address,
        world: World,
        network: PacketCarrier,
        streams: StreamCarrier,
        trace: Trace,
        observers: Sequence[Observer],
        *,
        make_node: MakeNode | None = None,
    ) -> None:
        self.name = name
        self.index = index
        self.config = config
        self._address = address
        self.node: Node | None = None
        self.life = 0
        """Which life of its process this is or was: 0 before the first boot."""
        self.is_powered = True
        self.is_frozen = False
        self.is_deaf = False
        """Whether it does not read what comes, while its timers go on."""
        self.provided = Provided()
        """What its programs registered."""
        self.begins_with: Formed | None = None
        """What the next life knows already when it begins."""
        self.born_knowing: Collection[str] = ()
        """Names of the members that this life knew when it began."""
        self.has_left = False
        """Whether the last life ended with a graceful leave."""
        self.seeds: tuple[Address, ...] = ()
        """Where the last ``join`` went; a restart tries the same."""
        self._world = world
        self._network = network
        self._streams = streams
        self._trace = trace
        self._observers = observers
        self._make_node = make_node or make_unsealed_node
        self._clock = LocalClock(world)
        self._delay = 0.0
        self._is_told_mute = False
        """Whether the node knows that it cannot send."""
        self._is_starved = False
        self._deadline_waits = False
        """Whether the deadline has come and stands in the queue."""
        self._inbox = Inbox(world, self._take)
        self._outgoing = Outgoing(self, world, network, streams, observers, self._on_refused)
        self._alarm = Alarm(world, self._clock, self._on_deadline)
        self._keepsake: Keepsake | None = None
        self._joiner = Joiner(world, self.command)
        self._farewell: int | None = None

    # -- what is known about it ----------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether its process exists, frozen or not."""
        return self.node is not None

    @property
    def is_hindered(self) -> bool:
        """Whether it is frozen, slow, starved, deaf or mute: up, but not healthy."""
        blocked = self.is_frozen or self.is_deaf or self._outgoing.is_shut
        return blocked or self._is_starved or self._delay > 0

    @property
    def holds_back(self) -> bool:
        """Whether anything its node sends now waits, as it cannot send."""
        return self._outgoing.is_shut

    @property
    def sends_dropped(self) -> int:
        """Datagrams given up because too many waited to be sent."""
        return self._outgoing.sends_dropped

    @property
    def delay(self) -> float:
        """Seconds by which it handles all input and every deadline late."""
        return self._delay

    @property
    def is_leaving(self) -> bool:
        """Whether a graceful leave is in progress."""
        return self._farewell is not None

    @property
    def address(self) -> Address:
        """Where it is reached. A new one is announced from the next boot on."""
        return self._address

    @address.setter
    def address(self, address: Address) -> None:
        self._network.detach(self)
        self._address = address

    def local_time(self) -> float:
        """Return the host's own monotonic time, in seconds; what its node is told."""
        return self._clock.now()

    def statuses(self) -> dict[str, MemberStatus]:
        """Return what its node shows of each member, itself included; empty when down."""
        if self.node is None:
            return {}
        return {member.name: member.status for member in self.node.view().members}

    # -- life and death --------------------------------------------------------------

    def boot(self, memory: Memory = NO_MEMORY) -> None:
        """Start the process with a fresh node that knows nobody.

        Args:
            memory: Lamport times of its last life.

        Raises:
            UsageError: it is up already.
        """
        if self.node is not None:
            raise UsageError(f"{self.name} is up already")
        self.life += 1
        self.is_powered = True
        self.has_left = False
        self._joiner = Joiner(self._world, self.command)
        formed, self.begins_with = self.begins_with, None
        self.born_knowing = formed.names if formed is not None else ()
        self.node = give_birth(
            self._world, self, formed=formed, memory=memory, make_node=self._make_node
        )
        self._network.attach(self)
        self._trace.note(self._world.now, self.name, "boot")
        self._take(self.node.start)

    def crash(self, *, power_lost: bool = False) -> None:
        """End the process at once; harmless when it is down.

        Args:
            power_lost: the machine goes too, so that nothing ends its streams or
                refuses new ones: peers wait.
        """
        self._die("crash", power_lost=power_lost)

    def restart(self, *, remember: bool) -> None:
        """End the process if it is up, and start it again.

        Args:
            remember: it goes on at its last Lamport times and tries the members
                that it last knew, one after another until one answers, as a daemon
                with a snapshot does.
                Otherwise it knows nobody, and no services, until it is told to.
        """
        self._die("restart", power_lost=False)
        if not remember or self._keepsake is None:
            self.provided.forget()
            self.boot()
            return
        remembered = self._keepsake.read()
        self.boot(remembered.memory)
        self.command(self._keepsake.restore_services)
        chance = self._world.random(f"rejoin of {self.name} life {self.life}")
        self._joiner.rejoin(in_order_of_trial(remembered, self.name, chance))

    def freeze(self) -> None:
        """Stop handling anything, timers included, as after SIGSTOP."""
        self.is_frozen = True
        self._inbox.shut()

    def thaw(self) -> None:
        """Go on; what came meanwhile is handled first, then what is due."""
        self.is_frozen = False
        self._tell_of_sending()
        self._catch_up()

    def block_receiving(self) -> None:
        """Stop reading input while timers go on (Lifeguard's blocked receiver)."""
        self.is_deaf = True
        self._inbox.shut()
        self._deadline_waits = False  # timers do not wait for input that nobody reads
        self._arm()

    def unblock_receiving(self) -> None:
        """Read again; what waits is handled at once."""
        self.is_deaf = False
        self._catch_up()

    def block_sending(self) -> None:
        """Keep back whatever the node sends (Lifeguard's blocked sender).

        Its periodic work hangs in the first send that it comes to; other timers go on.
        """
        self._outgoing.is_shut = True
        self._tell_of_sending()

    def unblock_sending(self) -> None:
        """Send again, what was kept back first."""
        self._outgoing.open()
        if self.node is not None:
            self._settle()  # it may have been told that a stream could not be opened
        self._tell_of_sending()

    def slow(self, seconds: float) -> None:
        """Handle all input and every deadline ``seconds`` late from now on; 0 is no longer."""
        self._delay = seconds
        self._inbox.delay(seconds)
        self._alarm.stop()
        self._arm()

    def starve(self, seconds: Callable[[], float] | None) -> None:
        """Handle one thing at a time from now on, each taking ``seconds()``; ``None`` is no longer.

        Input and deadlines stand in one queue, as in a process that seldom gets the
        processor; unread input waits in its buffer, and what does not fit is lost.
        """
        self._is_starved = seconds is not None
        self._deadline_waits = False
        self._inbox.serve(seconds)
        self._alarm.stop()
        self._arm()

    def pace(self, seconds: Callable[[], float] | None) -> None:
        """Read datagrams one by one from now on, each in ``seconds()``; ``None`` is no longer.

        Nothing else waits for them: one task reads the socket, others probe, gossip, mind
        suspicions and each a stream, as in memberlist. A paced host is as well as any other
        until a backlog comes up.
        """
        self._inbox.serve(seconds, datagrams_only=True)

    def clock_jump(self, seconds: float) -> None:
        """Let the host's clock leap ahead, as after a suspended machine wakes.

        Raises:
            UsageError: ``seconds`` is negative: the clock is monotonic.
        """
        self._clock.jump(seconds)
        self._alarm.stop()
        self._arm()

    def clock_drift(self, rate: float) -> None:
        """Let the host's clock gain ``rate`` seconds a second from now on; 0 is right.

        Raises:
            UsageError: ``rate`` is not above -1.
        """
        self._clock.drift(rate)
        self._alarm.stop()
        self._arm()

    # -- commands to its daemon -------------------------------------------------------

    def join(self, seed_hosts: Iterable[Host | Address]) -> None:
        """Join through ``seed_hosts``; if none answers try again, as the daemon does."""
        self.seeds = tuple(
            seed if isinstance(seed, Address) else seed.address
            for seed in seed_hosts
            if seed is not self
        )
        if self.node is not None and self.seeds:
            self._joiner.join(self.seeds)

    def leave(self) -> None:
        """Leave gracefully; the process ends when the node says that it is done.

        Nothing happens when it is down or leaving.
        """
        self.command(self._begin_leave)

    def force_leave(self, node: str, *, prune: bool = False) -> None:
        """Have this host's node announce that ``node`` left; nothing when it is down."""
        self.command(lambda ours, now: ours.force_leave(node, prune, now))

    def set_tags(self, tags: Mapping[str, str], delete: Sequence[str] = ()) -> None:
        """Change the node's tags; nothing when it is down."""
        self.command(lambda ours, now: ours.set_tags(tags, delete, now))

    def command(self, command: Command) -> None:
        """Run ``command`` on the node of now, when the host gets to it; nothing when it is down."""
        node = self.node
        if node is not None:
            self._inbox.put(partial(command, node), ())

    def _answer(self, number: int, life: int) -> None:
        """Answer a query with our name, as an application would that got it a moment ago."""
        if self.life == life:
            self.command(answer(number, self.name.encode()))

    # -- what the network brings --------------------------------------------------------

    def packet_arrived(self, data: Datagram, source: Address, size: int) -> bool:
        """Take one datagram; False when its receive buffer was full and it was dropped."""
        node = self.node
        if node is None:
            return True
        if self._inbox.is_idle:
            self._take(node.receive_packet, data, source)
            return True
        return self._inbox.put_datagram(node.receive_packet, data, source, size)

    def stream_accepted(self, stream: int, source: Address) -> None:
        """A peer opened ``stream``."""
        if self.node is not None:
            self._inbox.put(self.node.accept_stream, (stream, source))

    def stream_opened(self, stream: int) -> None:
        """Our own ``stream`` is connected."""
        if self.node is not None:
            self._inbox.put(self.node.stream_opened, (stream,))

    def stream_received(self, stream: int, data: Portion) -> None:
        """Bytes came in."""
        if self.node is not None:
            self._inbox.put(self.node.receive_stream, (stream, data))

    def stream_ended(self, stream: int) -> None:
        """The peer has sent everything."""
        if self.node is not None:
            self._inbox.put(self.node.stream_ended, (stream,))

    def stream_failed(self, stream: int, reason: str) -> None:
        """``stream`` is gone."""
        if self.node is not None:
            self._inbox.put(self.node.stream_failed, (stream, reason))

    def _catch_up(self) -> None:
        if not (self.is_frozen or self.is_deaf):
            self._inbox.open()
        self._alarm.stop()
        self._arm()

    # -- driving the node -----------------------------------------------------------------

    def _take(self, verb: Callable[..., object], *args: object) -> None:
        """Call the node with the local time and carry out what follows."""
        verb(*args, self._clock.now())
        self._settle()

    def _settle(self) -> None:
        node = self.node
        if node is None:
            return
        while node.waiting_work:  # long merges take no virtual time: nothing comes between
            node.work(self._clock.now())
        outbox, outgoing = node.outbox, self._outgoing
        while outbox.effects:
            for effect in outbox.take_effects():
                if outgoing.is_shut:
                    outgoing.keep_back(effect)
                else:
                    outgoing.carry_out(effect)
        now = self._world.now
        observers = self._observers
        if outbox.events:
            for event in outbox.take_events():
                if type(event) is OperationFinished:
                    self._on_operation(event)
                elif type(event) is QueryReceived:
                    self._world.after(0.0, self._answer, event.number, self.life)
                elif type(event) is NameVoted and event.must_end:
                    self._world.after(0.0, self._on_name_lost, self.life)
                elif type(event) is KeyringChanged and node.keyring is not None:
                    self.config = replace(self.config, keys=node.keyring.keys)
                for observer in observers:
                    observer.on_event(self, event, now)
        for observer in observers:
            observer.on_step(self, now)
        self._arm()

    def _tell_of_sending(self) -> None:
        """Let the node know whether it can send, as soon as it runs and if that is news to it."""
        node = self.node
        is_mute = self._outgoing.is_shut
        if node is None or self.is_frozen or is_mute == self._is_told_mute:
            return
        self._is_told_mute = is_mute
        self._take(node.sending_blocked if is_mute else node.sending_unblocked)

    def _on_refused(self, stream: int) -> None:
        if self.node is not None:
            self.node.stream_failed(stream, "too many open streams", self._clock.now())

    def _arm(self) -> None:
        if self.node is not None and not self.is_frozen and not self._deadline_waits:
            self._alarm.set(self.node.next_deadline(), self._delay)

    def _on_deadline(self) -> None:
        if self.node is None or self.is_frozen:
            return
        if self._is_starved and not self.is_deaf:
            self._deadline_waits = True
            self._inbox.put(self._handle_deadline, ())
        else:
            self._take(self.node.handle_deadline)

    def _handle_deadline(self, now: float) -> None:
        self._deadline_waits = False
        if self.node is not None:
            self.node.handle_deadline(now)

    def _die(self, how: str, *, power_lost: bool) -> None:
        if self.node is None:
            return
        self._keepsake = Keepsake(self.node)
        self.node = None
        self.is_powered = not power_lost
        self.is_frozen = self.is_deaf = self._is_told_mute = False
        self._delay = 0.0
        self._is_starved = self._deadline_waits = False
        self._alarm.stop()
        self._inbox.clear()
        self._outgoing.clear()
        self._joiner.stop()
        self._farewell = None
        self._streams.process_died(self, power_lost=power_lost)
        self._trace.note(self._world.now, self.name, how)

    # -- leaving ------------------------------------------------------------------------------

    def _begin_leave(self, node: Node, now: float) -> None:
        if self._farewell is None:
            self._joiner.stop()
            self._farewell = node.leave(now)

    def _on_operation(self, event: OperationFinished) -> None:
        if event.operation == self._farewell:
            # at the next moment: this step is still being told
            self._world.after(0.0, self._on_left, self.life)
        else:
            self._joiner.on_finished(event)

    def _on_name_lost(self, life: int) -> None:
        if life == self.life:
            self._die("name lost", power_lost=False)

    def _on_left(self, life: int) -> None:
        if life == self.life and self.node is not None:
            self._die("left", power_lost=False)
            self.has_left = True
