"""Virtual TCP streams over the links of the network.

They connect, carry what is written in order, end, and break, as the daemon's
streams do (``gossipd.agent.streams``): the same bounds on their number, the
same order of what a node is told. What is written in one go travels as one
message, whatever its size; a lost or walled-off one is sent again after a
growing pause, as TCP does; nothing is lost but time. By wire its bytes come at
once too: a host that is short of time spends as much of it on them.

A process that dies ends its streams in order, by its kernel; a machine that
loses power leaves its peers waiting.
"""

from __future__ import annotations

from collections import deque

from gossipd.address import Address
from gossipd.node.effects import OpenStream
from gossipd_sim.catalog_traffic import streamed_kind
from gossipd_sim.laws import TCP_HANG, TCP_OFF, TCP_RESET
from gossipd_sim.network import TCP, Endpoint, Network, Portion, size_of
from gossipd_sim.trace import Trace
from gossipd_sim.world import World

INBOUND_MAX = 256
OUTBOUND_MAX = 256
"""Streams of each kind at a host, as in the daemon."""
REPEAT_FIRST = 0.2
"""Seconds after which a lost portion is sent again; the pause doubles."""
REPEAT_LONGEST = 10.0
CONNECT_FIRST = 1.0
"""Seconds after which connecting is tried again; the pause doubles."""
EPHEMERAL_FIRST, EPHEMERAL_COUNT = 32768, 28232

RESET = "connection reset by peer"


class _End:
    """One side of a stream: what its host still has to send, and who is on the other side."""

    __slots__ = ("host", "is_closed", "is_dead", "is_moving", "outgoing", "peer", "stream")

    def __init__(self, host: Endpoint, stream: int) -> None:
        self.host = host
        self.stream = stream
        self.peer: _End | None = None
        self.outgoing: deque[Portion | None] = deque()
        """Messages to send, in order; ``None`` is the end."""
        self.is_moving = False
        """Whether the first message is on its way."""
        self.is_closed = False
        """Whether the node, or the process, is done with it: it hears no more."""
        self.is_dead = False
        """Whether its process died: what still comes is answered with a reset."""


class VirtualStreams:
    """All streams between the hosts of one network."""

    def __init__(self, world: World, network: Network, trace: Trace) -> None:
        self._world = world
        self._network = network
        self._trace = trace
        self._random = world.random("streams")
        self._ends: dict[str, dict[int, _End]] = {}
        self._accepted: dict[str, int] = {}
        self._dialled = 0

    # -- what hosts ask -----------------------------------------------------------

    def open(self, host: Endpoint, effect: OpenStream) -> bool:
        """Begin to connect; False when the host has too many, and nothing was done."""
        ends = self._ends.setdefault(host.name, {})
        if sum(stream > 0 for stream in ends) >= OUTBOUND_MAX:
            return False
        end = ends[effect.stream] = _End(host, effect.stream)
        if self._network.tap is not None:
            self._network.tap.stream_dialled(host.name, effect)
        self._enqueue(end, effect.data)
        self._world.after(effect.timeout, self._give_up, end, effect)
        self._try_to_connect(end, effect.to, CONNECT_FIRST)
        return True

    def write(self, host: Endpoint, stream: int, data: Portion) -> None:
        """Send ``data`` after what waits already; nothing when the stream is gone."""
        end = self._ends.get(host.name, {}).get(stream)
        if end is not None:
            self._enqueue(end, data)
            self._move(end)

    def close(self, host: Endpoint, stream: int) -> None:
        """Close after everything written was sent; nothing when the stream is gone."""
        end = self._ends.get(host.name, {}).pop(stream, None)
        if end is not None:
            end.is_closed = True
            end.outgoing.append(None)
            self._move(end)

    def process_died(self, host: Endpoint, *, power_lost: bool) -> None:
        """Take the streams of ``host`` from it; its kernel ends them unless that is gone too."""
        for end in self._ends.pop(host.name, {}).values():
            end.is_closed = end.is_dead = True
            if power_lost:
                end.outgoing.clear()
                end.peer = None
            else:
                end.outgoing.append(None)
                self._move(end)

    def open_count(self, host: str) -> int:
        """Return how many streams a host has."""
        return len(self._ends.get(host, {}))

    # -- connecting ---------------------------------------------------------------

    def _try_to_connect(self, end: _End, to: Address, pause: float) -> None:
        """Send one request to connect, and another after ``pause`` unless it is answered."""
        if end.is_closed or end.peer is not None:
            return
        target = self._network.at(to)
        if target is not None and self._passes(end.host.name, target.name):
            self._world.after(self._latency(end.host.name, target.name), self._on_request, end, to)
        self._world.after(pause, self._try_to_connect, end, to, 2 * pause)

    def _on_request(self, end: _End, to: Address) -> None:
        target = self._network.at(to)
        if end.is_closed or end.peer is not None or target is None or not target.is_powered:
            return
        source, name = end.host.name, target.name
        ends = self._ends.setdefault(name, {})
        is_refused = (
            not target.is_up
            or self._network.laws_of(source, name).tcp == TCP_RESET
            or sum(stream < 0 for stream in ends) >= INBOUND_MAX
        )
        if not self._passes(name, source):
            return  # the answer is lost, and the request comes again
        back = self._latency(name, source)
        if is_refused:
            reason = f"dial tcp {to}: connect: connection refused"
            self._world.after(back, self._fail, end, reason)
            return
        self._accepted[name] = self._accepted.get(name, 0) + 1
        theirs = ends[-self._accepted[name]] = _End(target, -self._accepted[name])
        theirs.peer, end.peer = end, theirs
        self._dialled += 1
        port = EPHEMERAL_FIRST + self._dialled % EPHEMERAL_COUNT
        self._trace.note(self._world.now, name, "accept")
        self._world.after(back, self._on_connected, end)
        target.stream_accepted(theirs.stream, Address(end.host.address.ip, port))

    def _on_connected(self, end: _End) -> None:
        if not end.is_closed:
            end.host.stream_opened(end.stream)
        self._move(end)

    def _give_up(self, end: _End, effect: OpenStream) -> None:
        if end.peer is None:
            self._fail(end, f"dial tcp {effect.to}: i/o timeout after {effect.timeout:g}s")

    # -- moving bytes ---------------------------------------------------------------

    def _enqueue(self, end: _End, data: Portion) -> None:
        if data:
            end.outgoing.append(data)

    def _move(self, end: _End) -> None:
        """Send the next message on its way, unless one is or there is nobody to send it to."""
        if end.peer is None or end.is_moving or not end.outgoing:
            return
        end.is_moving = True
        portion = end.outgoing[0]
        if portion is not None:
            self._network.sent.add(end.host.name, TCP, size_of(portion))
            if kind := streamed_kind(portion):
                self._network.sent.add(end.host.name, kind, size_of(portion))
        delay = self._latency(end.host.name, end.peer.host.name)
        self._world.after(delay, self._arrive, end, REPEAT_FIRST)

    def _arrive(self, end: _End, pause: float) -> None:
        """Hand the first message over, or try again after ``pause`` if it was lost."""
        peer = end.peer
        if peer is None or not end.outgoing:
            end.is_moving = False  # broken, or without power, meanwhile
            return
        source, target = end.host.name, peer.host.name
        tcp = self._network.laws_of(source, target).tcp
        if tcp == TCP_RESET:
            self._break(end)
            return
        if tcp == TCP_HANG or not peer.host.is_powered or not self._passes(source, target):
            if end.is_closed and pause >= REPEAT_LONGEST:
                end.outgoing.clear()  # nobody waits for it any more
                return
            longer = min(2 * pause, REPEAT_LONGEST)
            self._world.after(pause, self._arrive, end, longer)
            return
        portion = end.outgoing.popleft()
        end.is_moving = False
        if peer.is_closed:
            if portion is not None and peer.is_dead:
                self._break(end)
            self._move(end)  # the daemon reads late input away
            return
        if portion is None:
            peer.host.stream_ended(peer.stream)
            return
        size = size_of(portion)
        self._trace.note(self._world.now, target, "stream", size)
        if self._network.tap is not None:
            dialler = end if end.stream > 0 else peer
            self._network.tap.stream_carried(source, target, dialler.host.name, dialler.stream)
        self._network.received.add(target, TCP, size)
        self._move(end)
        data = bytes(portion) if self._network.by_wire else portion
        peer.host.stream_received(peer.stream, data)

    def _break(self, end: _End) -> None:
        """Reset the stream of ``end`` on both sides."""
        for side in (end, end.peer):
            if side is not None:
                side.outgoing.clear()
                side.is_moving = False
                self._fail(side, RESET)

    def _fail(self, end: _End, reason: str) -> None:
        if end.is_closed:
            return
        end.is_closed = True
        end.outgoing.clear()
        self._ends.get(end.host.name, {}).pop(end.stream, None)
        self._trace.note(self._world.now, end.host.name, "stream-failed")
        if self._network.tap is not None:
            self._network.tap.stream_failed(end.host.name, end.stream, reason)
        end.host.stream_failed(end.stream, reason)

    # -- the link -------------------------------------------------------------------

    def _passes(self, source: str, target: str) -> bool:
        """Say whether one segment sent now gets through."""
        network = self._network
        if network.is_cut(source, target):
            return False
        laws = network.laws_of(source, target)
        if laws.tcp == TCP_OFF:
            return False
        return not (laws.loss and self._random.random() < laws.loss)

    def _latency(self, source: str, target: str) -> float:
        return self._network.laws_of(source, target).latency.sample(self._random)
