"""Several whole nodes on a virtual clock and network, for tests of ``gossipd.node``.

A toy: fixed latency, no loss unless a link is cut. What a node sends is
carried to the node that owns the address; streams are carried as bytes in
two portions, so that no test depends on messages arriving whole.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial
from random import Random

from gossipd.address import Address
from gossipd.config.model import CatalogConfig, NodeConfig, SerfConfig, SwimConfig, WireConfig
from gossipd.node.effects import CloseStream, NodeEffect, OpenStream, SendPacket, WriteStream
from gossipd.node.events import NodeEvent
from gossipd.node.node import Node
from gossipd.serf.effects import SaveKeyring
from gossipd.wire.serf_messages import MemberStatus

LATENCY = 0.001
PORT = 7946


class Machine:
    """One node with its address, what it told so far, and whether it runs."""

    def __init__(self, net: NodeNet, node: Node, address: Address) -> None:
        self.net = net
        self.node = node
        self.address = address
        self.is_up = True
        self.events: list[NodeEvent] = []
        self.streams: dict[int, tuple[Machine, int]] = {}
        self.accepted = 0
        self.saves: list[SaveKeyring] = []

    def do(self, call: Callable[..., object], *args: object, **kwargs: object) -> object:
        """Run one verb of the node now and carry out its effects."""
        result = call(*args, self.net.now, **kwargs)
        self.flush()
        return result

    def flush(self) -> None:
        for effect in self.node.take_effects():
            self.net.carry(self, effect)
        self.events.extend(self.node.take_events())
        self.net.arm(self)

    def statuses(self) -> dict[str, str]:
        return {member.name: member.status.name.lower() for member in self.node.view().members}


class NodeNet:
    """The clock, the wires and the machines."""

    def __init__(self, seed: int = 1) -> None:
        self.now = 100.0
        self.random = Random(seed)
        self.machines: dict[Address, Machine] = {}
        self.cut: set[tuple[Address, Address]] = set()
        self.loss = 0.0
        """Share of datagrams that are lost."""
        self.packets: list[tuple[float, Address, Address, bytes]] = []
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0

    def add(
        self,
        name: str,
        *,
        swim: SwimConfig | None = None,
        serf: SerfConfig | None = None,
        wire: WireConfig | None = None,
        keys: tuple[bytes, ...] = (),
        tags: dict[str, str] | None = None,
        host: int | None = None,
        saves_keys: bool = False,
        started_at: float | None = None,
        catalog: CatalogConfig | None = None,
        epoch: int = 1,
    ) -> Machine:
        address = Address(bytes([127, 0, 0, host or len(self.machines) + 1]), PORT)
        config = NodeConfig(
            name=name,
            tags=tags or {},
            keys=keys,
            swim=swim or SwimConfig(),
            serf=serf or SerfConfig(),
            wire=wire or WireConfig(),
            catalog=catalog or CatalogConfig(),
        )
        node = Node(
            config,
            address,
            Random(self.random.random()),
            self.random.randbytes,
            saves_keys=saves_keys,
            started_at=started_at,
            catalog_epoch=epoch,
        )
        machine = Machine(self, node, address)
        self.machines[address] = machine
        machine.do(node.start)
        return machine

    def cluster(self, names: str, **settings: object) -> list[Machine]:
        """Add a node per letter, join all through the first, and let them settle."""
        machines = [self.add(name, **settings) for name in names]  # type: ignore[arg-type]
        for machine in machines[1:]:
            self.join(machine, machines[0])
        self.run(5)
        return machines

    def join(self, machine: Machine, other: Machine) -> None:
        machine.do(lambda now: machine.node.join(other.address, "", now, ignore_old=True))
        self.run(0.1)
        machine.do(machine.node.announce_join)

    def kill(self, machine: Machine) -> None:
        machine.is_up = False

    def separate(self, left: list[Machine], right: list[Machine]) -> None:
        """Cut every link between the two groups, both ways."""
        for one in left:
            for other in right:
                self.cut |= {(one.address, other.address), (other.address, one.address)}

    def heal(self) -> None:
        """Mend every link."""
        self.cut.clear()

    # -- the loop ---------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        end = self.now + seconds
        while self._heap and self._heap[0][0] <= end:
            self.now, _, happening = heapq.heappop(self._heap)
            happening()
        self.now = end

    def run_until(self, condition: Callable[[], bool], limit: float) -> float:
        """Run until ``condition`` holds; returns the seconds it took, fails at ``limit``."""
        start = self.now
        while not condition():
            assert self.now - start < limit, f"not within {limit} s"
            self.run(0.05)
        return self.now - start

    def at(self, when: float, happening: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._heap, (when, self._order, happening))

    def arm(self, machine: Machine) -> None:
        deadline = machine.node.next_deadline()
        if deadline is None:
            return

        def fire() -> None:
            current = machine.node.next_deadline()
            if machine.is_up and current is not None and current <= self.now:
                machine.do(machine.node.handle_deadline)

        self.at(max(deadline, self.now), fire)

    # -- the wires ----------------------------------------------------------------

    def carry(self, sender: Machine, effect: NodeEffect) -> None:
        match effect:
            case SendPacket():
                data = bytes(effect.data)
                self.packets.append((self.now, sender.address, effect.to, data))
                self._deliver(sender, effect.to, data)
            case OpenStream():
                self._open(sender, effect)
            case WriteStream():
                self._write(sender, effect.stream, bytes(effect.data))
            case CloseStream():
                self._close(sender, effect.stream)
            case SaveKeyring():
                sender.saves.append(effect)

    def _reachable(self, sender: Machine, to: Address) -> Machine | None:
        target = self.machines.get(to)
        if target is None or not target.is_up or (sender.address, to) in self.cut:
            return None
        return target

    def _deliver(self, sender: Machine, to: Address, data: bytes) -> None:
        if self.loss and self.random.random() < self.loss:
            return

        def arrive() -> None:
            target = self._reachable(sender, to)
            if target is not None:
                target.do(lambda now: target.node.receive_packet(data, sender.address, now))

        self.at(self.now + LATENCY, arrive)

    def _open(self, sender: Machine, effect: OpenStream) -> None:
        def connect() -> None:
            target = self._reachable(sender, effect.to)
            if target is None:
                sender.do(
                    lambda now: sender.node.stream_failed(effect.stream, "connection refused", now)
                )
                return
            target.accepted -= 1
            theirs = target.accepted
            sender.streams[effect.stream] = (target, theirs)
            target.streams[theirs] = (sender, effect.stream)
            target.do(lambda now: target.node.accept_stream(theirs, sender.address, now))
            self._write(sender, effect.stream, bytes(effect.data))
            sender.do(lambda now: sender.node.stream_opened(effect.stream, now))

        self.at(self.now + LATENCY, connect)

    def _write(self, sender: Machine, stream: int, data: bytes) -> None:
        target, theirs = sender.streams[stream]
        half = len(data) // 2
        for portion in (data[:half], data[half:]):
            self.at(self.now + LATENCY, partial(self._arrive, target, theirs, portion))

    def _arrive(self, target: Machine, stream: int, data: bytes) -> None:
        if target.is_up:
            target.do(lambda now: target.node.receive_stream(stream, data, now))

    def _close(self, sender: Machine, stream: int) -> None:
        if stream not in sender.streams:
            return
        target, theirs = sender.streams[stream]

        def end() -> None:
            if target.is_up:
                target.do(lambda now: target.node.stream_ended(theirs, now))

        self.at(self.now + LATENCY, end)


def all_show(machines: list[Machine], status: MemberStatus, *names: str) -> bool:
    """Say whether every running machine shows every name with that status."""
    return all(
        machine.statuses().get(name) == status.name.lower()
        for machine in machines
        if machine.is_up
        for name in names
    )
