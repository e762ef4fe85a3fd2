"""The only caller of the node: stamps ``now``, carries effects out, keeps one deadline.

Node calls are synchronous, so each step is atomic in trio and needs no lock.
Datagrams leave in the same step. The deadline task sleeps in a cancel scope
whose deadline is moved from outside: a packet that moves it wakes nobody.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeVar

import trio

from gossipd.address import Address
from gossipd.agent.fanout import Fanout
from gossipd.agent.operations import Operation, Operations
from gossipd.agent.ports import PacketPort
from gossipd.config.model import SerfConfig, SwimConfig
from gossipd.coordinate import Coordinate
from gossipd.ledger import Ledger
from gossipd.node.effects import (
    CloseStream,
    NodeEffect,
    OpenStream,
    SendPacket,
    WriteStream,
)
from gossipd.node.events import NodeEvent, OperationFinished
from gossipd.node.statistics import Statistics
from gossipd.node.view import View
from gossipd.serf.effects import SaveKeyring
from gossipd.serf.memory import Memory
from gossipd.serf.question import KeyCommand, Question
from gossipd.value import replace

if TYPE_CHECKING:
    from gossipd.catalog.effects import StartCheck, StopCheck
    from gossipd.services.definition import CheckDefinition, Service
    from gossipd.services.instance import Instance, ServiceChange, ServiceSummary, ServiceView
    from gossipd.services.own import OwnServices

T = TypeVar("T")

HELD_UP = 0.1
"""Seconds late from which peers are heard before they are judged."""
STEP_LATE, STEP, GOSSIP = "gossipd.step.late", "gossipd.step", "memberlist.gossip"
"""Measured in milliseconds: how late the node was woken, how long it took, if it gossiped too."""


class DrivenNode(Protocol):
    """What the driver calls; kept by ``gossipd.node.node.Node``."""

    def start(self, now: float) -> None: ...
    def receive_packet(self, data: bytes, source: Address, now: float) -> None: ...
    def handle_deadline(self, now: float) -> None: ...
    def next_deadline(self) -> float | None: ...
    def take_effects(self) -> list[NodeEffect]: ...
    def take_events(self) -> list[NodeEvent]: ...
    def accept_stream(self, stream: int, source: Address, now: float) -> None: ...
    def stream_opened(self, stream: int, now: float) -> None: ...
    def receive_stream(self, stream: int, data: bytes, now: float) -> None: ...
    def stream_ended(self, stream: int, now: float) -> None: ...
    def stream_failed(self, stream: int, reason: str, now: float) -> None: ...
    def join(self, to: Address, node: str, now: float, *, ignore_old: bool) -> int: ...
    def announce_join(self, now: float) -> None: ...
    def leave(self, now: float) -> int: ...
    def force_leave(self, node: str, prune: bool, now: float) -> int: ...
    def set_tags(self, tags: Mapping[str, str], delete: Sequence[str], now: float) -> int: ...
    def send_event(
        self,
        name: str,
        payload: bytes | None,
        now: float,
        *,
        may_coalesce: bool,
        nodes: Sequence[str],
        tags: Mapping[str, str] | None,
    ) -> None: ...
    def ask(self, question: Question, now: float) -> int: ...
    def stop_asking(self, number: int, now: float) -> None: ...
    def respond(self, number: int, payload: bytes | None, now: float) -> None: ...
    def decline(self, number: int, now: float) -> None: ...
    def manage_keys(self, command: KeyCommand, key: bytes | None, now: float) -> int: ...
    def keyring_saved(self, ticket: int, error: str, now: float) -> None: ...
    def set_verification(self, incoming: bool, outgoing: bool, now: float) -> None: ...
    def coordinate(self, node: str) -> Coordinate | None: ...
    def expect_services(self, now: float) -> bool: ...
    def service(self, name: str) -> ServiceView: ...
    def services(self) -> tuple[ServiceSummary, ...]: ...
    def services_of(self, node: str) -> tuple[Instance, ...]: ...
    def service_changes(self, name: str, index: int) -> tuple[ServiceChange, ...] | None: ...
    def own_services(self) -> OwnServices: ...
    @property
    def service_index(self) -> int: ...
    def register_service(self, service: Service, source: str, now: float) -> tuple[str, ...]: ...
    def deregister_service(self, service: str, now: float) -> None: ...
    def register_check(self, check: CheckDefinition, service: str, now: float) -> None: ...
    def deregister_check(self, check: str, now: float) -> None: ...
    def report_check(
        self, check: str, status: str, output: str, load: float | None, now: float
    ) -> None: ...
    def report_load(self, service: str, load: float, now: float) -> None: ...
    def set_maintenance(self, service: str, reason: str | None, now: float) -> None: ...
    def drain(self, service: str, seconds: float, now: float) -> None: ...
    def reconfigure(self, swim: SwimConfig, serf: SerfConfig, now: float) -> None: ...
    def view(self) -> View: ...
    def memory(self) -> Memory: ...
    def statistics(self) -> Statistics: ...
    @property
    def gossip_ticks(self) -> int: ...


class Counted(Protocol):
    """Something that counts what it could not send or take, by kind."""

    @property
    def lost(self) -> Mapping[str, int]: ...


class StreamSink(Protocol):
    """Where stream effects go; kept by ``streams.Streams``. Must not call back at once."""

    @property
    def lost(self) -> Mapping[str, int]: ...
    def open(self, effect: OpenStream) -> bool: ...
    def write(self, stream: int, data: bytes) -> None: ...
    def close(self, stream: int) -> None: ...


class Recorder(Protocol):
    """Who shows events once they are recorded; kept by ``journal.Journal``."""

    @property
    def status(self) -> str: ...
    def take(self, events: Sequence[NodeEvent], now: float) -> None: ...
    def leave(self) -> None: ...


class Driver:
    """Runs one node on ``packets`` and ``streams``; also the ``StreamEvents`` of the latter.

    Args:
        node: started by ``start``.
        packets: where datagrams go; ``packets_in`` is what it delivers to.
        observe: told every event and when it happened, before the subscribers; must
            not block and must not step.
        ledger: where the times of steps are measured, in milliseconds.
    """

    def __init__(
        self,
        node: DrivenNode,
        packets: PacketPort,
        observe: Callable[[NodeEvent, float], None],
        ledger: Ledger | None = None,
    ) -> None:
        self.node = node
        self.ledger = ledger or Ledger()
        self.fanout: Fanout[NodeEvent] = Fanout()
        self.counted: list[Counted] = []
        """Further faces of the agent that lose things and count them."""
        self._packets = packets
        self._streams: StreamSink | None = None
        self.save_keys: Callable[[SaveKeyring], None] | None = None
        """Who writes the keyring file; set it before ``start`` of a node that saves keys."""
        self.run_check: Callable[[StartCheck | StopCheck], None] | None = None
        """Who runs checks; set before ``start`` of a node that registers services."""
        self.wake: Callable[[Sequence[NodeEvent]], None] | None = None
        """Told events before anything is sent, written or recorded; must neither block nor step.
        Set once somebody follows a service: each datagram may cost the sender its turn."""
        self._observe = observe
        self.journal: Recorder | None = None
        """Set before ``start`` where events are recorded before they are shown."""
        self._operations = Operations()
        self._alarm = trio.CancelScope()
        self._armed = math.inf
        self._stepping = False
        self._undialled: deque[int] = deque()
        self.now = trio.current_time

    def attach(self, streams: StreamSink) -> None:
        """Name the streams that effects are carried out on; once, before ``start``."""
        self._streams = streams

    # -- steps ----------------------------------------------------------------

    def step(self, call: Callable[..., T], *args: object, **named: object) -> T:
        """Run one call of the node with ``now`` as its last argument, and carry out what follows.

        Raises:
            UsageError: the node refuses the command; nothing was changed.
        """
        assert not self._stepping, "the node was called from within a step"
        self._stepping = True
        try:
            result = call(*args, self.now(), **named)
            self._settle()
        finally:
            self._stepping = False
        return result

    def begin(self, command: Callable[..., int], *args: object, **named: object) -> Operation:
        """Step a command that returns an operation number; ``wait()`` for what you get.

        Raises:
            UsageError: the node refuses the command; nothing was changed.
        """

        def begun(*with_now: object, **rest: object) -> Operation:
            # known before the events are handed out: it may finish within this step
            return self._operations.begun(command(*with_now, **rest))

        return self.step(begun, *args, **named)

    def start(self) -> None:
        """Start the node."""
        self.step(self.node.start)

    def statistics(self) -> Statistics:
        """Return the node's counters with those of the sockets."""
        streams = self._streams
        lost = {**self._packets.lost, **(streams.lost if streams is not None else {})}
        for counted in self.counted:
            lost.update(counted.lost)
        snapshot = self.journal.status if self.journal is not None else ""
        return replace(self.node.statistics(), lost=lost, snapshot=snapshot)

    def packet_in(self, data: bytes, source: Address) -> None:
        """Give the node one datagram; ``now`` is the moment it was read."""
        node = self.node
        node.receive_packet(data, source, self.now())
        self._settle()

    def _settle(self) -> None:
        """Carry out effects in order, tell events in order, move the deadline."""
        node, wake = self.node, self.wake
        woken_by: list[NodeEvent] = []
        if wake is not None:
            woken_by = node.take_events()
            wake(woken_by)
        effects = node.take_effects()
        while effects:
            for effect in effects:
                if type(effect) is SendPacket:
                    self._packets.send(bytes(effect.data), effect.to)
                else:
                    self._do_seldom(effect)
            while self._undialled:
                node.stream_failed(self._undialled.popleft(), "too many open streams", self.now())
            effects = node.take_effects()
        events = node.take_events()
        if wake is not None:
            if events:
                wake(events)
            events = woken_by + events
        for event in events:
            if type(event) is OperationFinished:
                self._operations.finished(event)
        if self.journal is not None:
            self.journal.take(events, self.now())
        elif events:
            self.tell(events, self.now())
        deadline = node.next_deadline()
        armed = math.inf if deadline is None else deadline
        if armed != self._armed:
            self._armed = armed
            self._alarm.deadline = armed

    def tell(self, events: Sequence[NodeEvent], now: float) -> None:
        """Show ``events``, which happened at ``now``, to log and subscribers."""
        for event in events:
            self._observe(event, now)
            self.fanout.publish(event)

    def _do_seldom(self, effect: NodeEffect) -> None:
        if isinstance(effect, SaveKeyring):
            assert self.save_keys is not None, "save_keys is set before start()"
            self.save_keys(effect)
            return
        streams = self._streams
        assert streams is not None, "attach() comes before start()"
        match effect:
            case OpenStream():
                if not streams.open(effect):
                    self._undialled.append(effect.stream)
            case WriteStream():
                streams.write(effect.stream, bytes(effect.data))
            case CloseStream():
                streams.close(effect.stream)
            case SendPacket():
                raise AssertionError("datagrams leave in the step itself")
            case _:
                assert self.run_check is not None, "run_check is set before start()"
                self.run_check(effect)

    # -- time -----------------------------------------------------------------

    async def watch_deadline(self) -> NoReturn:
        """Wake the node whenever its deadline is reached; for ever."""
        while True:
            self._alarm = trio.CancelScope(deadline=self._armed)
            with self._alarm:
                await trio.sleep_forever()
            late = self.now() - self._armed
            if late > HELD_UP:
                await trio.lowlevel.checkpoint()  # acks that wait in the socket come first
            ticks, began = self.node.gossip_ticks, time.perf_counter()
            self.step(self.node.handle_deadline)
            took = 1000 * (time.perf_counter() - began)
            self.ledger.measure(STEP_LATE, 1000 * late)
            self.ledger.measure(STEP, took)
            if self.node.gossip_ticks != ticks:
                self.ledger.measure(GOSSIP, took)

    def keyring_saved(self, ticket: int, error: str) -> None:
        """The keys of that ``SaveKeyring`` are on disk; ``error`` says why not."""
        self.step(self.node.keyring_saved, ticket, error)

    # -- what streams tell ----------------------------------------------------

    def accepted(self, stream: int, source: Address) -> None:
        """A peer opened ``stream``."""
        self.step(self.node.accept_stream, stream, source)

    def opened(self, stream: int) -> None:
        """Our own ``stream`` is connected."""
        self.step(self.node.stream_opened, stream)

    def received(self, stream: int, data: bytes) -> None:
        """Bytes came in."""
        self.step(self.node.receive_stream, stream, data)

    def ended(self, stream: int) -> None:
        """The peer has sent everything."""
        self.step(self.node.stream_ended, stream)

    def failed(self, stream: int, reason: str) -> None:
        """``stream`` is gone."""
        self.step(self.node.stream_failed, stream, reason)
