"""An in-memory network for the agent's tests: datagrams and streams with latency, under autojump.

Packets and connections to an address that nobody has behave as on a real
network: datagrams vanish, a dial is refused; to a ``silent`` address a dial
hangs. No sockets, no real time.
"""

from __future__ import annotations

import errno
import math
import socket
from typing import NoReturn

import trio
import trio.testing

from gossipd.address import Address, address_from_host
from gossipd.agent.ports import Deliver

LATENCY = 0.001


class MemoryNetwork:
    """Carries packets and streams between machines; tasks live in ``nursery``."""

    def __init__(self, nursery: trio.Nursery, latency: float = LATENCY) -> None:
        self.nursery = nursery
        self.latency = latency
        self.machines: dict[Address, MemoryMachine] = {}
        self.silent: set[Address] = set()
        self.lost = 0
        self.drops_packets = False

    def machine(self, text: str) -> MemoryMachine:
        """Return a new machine at ``ip`` (port 7946)."""
        address = address_from_host(text, 7946)
        machine = self.machines[address] = MemoryMachine(self, address)
        return machine

    async def _carry(self, data: bytes, source: Address, to: Address) -> None:
        await trio.sleep(self.latency)
        target = self.machines.get(to)
        gone = source not in self.machines  # a machine that is off sends nothing either
        if target is None or gone or self.drops_packets or to in self.silent:
            self.lost += 1
            return
        target.packets.arrive(data, source)

    def send(self, data: bytes, source: Address, to: Address) -> None:
        self.nursery.start_soon(self._carry, data, source, to)


class MemoryPacketPort:
    """``PacketPort`` of one machine."""

    def __init__(self, network: MemoryNetwork, address: Address) -> None:
        self._network = network
        self._address = address
        self._put, self._take = trio.open_memory_channel[tuple[bytes, Address]](math.inf)
        self.sent: list[tuple[bytes, Address]] = []
        self.lost: dict[str, int] = {}
        self.is_closed = False

    def send(self, data: bytes, to: Address) -> None:
        self.sent.append((data, to))
        self._network.send(data, self._address, to)

    def arrive(self, data: bytes, source: Address) -> None:
        if not self.is_closed:
            self._put.send_nowait((data, source))

    async def run(self, deliver: Deliver) -> NoReturn:
        while True:
            deliver(*await self._take.receive())

    def close(self) -> None:
        self.is_closed = True


class MemoryStreamPort:
    """``StreamPort`` of one machine."""

    def __init__(self, network: MemoryNetwork, address: Address) -> None:
        self._network = network
        self._address = address
        self._put, self._take = trio.open_memory_channel[
            tuple[trio.abc.HalfCloseableStream, Address]
        ](math.inf)
        self.accept_errors: list[OSError] = []
        self.is_closed = False

    async def accept(self) -> tuple[trio.abc.HalfCloseableStream, Address]:
        await trio.lowlevel.checkpoint()
        if self.accept_errors:
            raise self.accept_errors.pop(0)
        return await self._take.receive()

    async def dial(self, to: Address) -> trio.abc.HalfCloseableStream:
        if to in self._network.silent:
            await trio.sleep_forever()
        await trio.sleep(2 * self._network.latency)
        target = self._network.machines.get(to)
        gone = self._address not in self._network.machines
        if target is None or gone or target.streams.is_closed:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "refused by the test network")
        ours, theirs = trio.testing.memory_stream_pair()
        target.streams._put.send_nowait((theirs, self._address))
        return ours

    def connect(self, source: Address) -> trio.abc.HalfCloseableStream:
        """Open a stream to this machine from the test itself."""
        ours, theirs = trio.testing.memory_stream_pair()
        self._put.send_nowait((theirs, source))
        return ours

    def close(self) -> None:
        self.is_closed = True


class MemoryMachine:
    """What stands in for ``gossipd.agent.machine.Machine``: no query listeners."""

    def __init__(self, network: MemoryNetwork, address: Address) -> None:
        self._network = network
        self.bound = address
        self.advertised = address
        self.packets = MemoryPacketPort(network, address)
        self.streams = MemoryStreamPort(network, address)
        self.rpc_address: Address | None = None
        self.socket_path = ""

    @property
    def http_address(self) -> Address | None:
        """Nowhere: faces are tested with handles of their own, or on real sockets."""
        return None

    @property
    def dns_address(self) -> Address | None:
        """Nowhere, likewise."""
        return None

    def http_listeners(self) -> list[trio.SocketListener]:
        """Return none."""
        return []

    def dns_sockets(self) -> tuple[list[socket.socket], list[trio.SocketListener]]:
        """Return none."""
        return [], []

    def query_listeners(self) -> list[trio.SocketListener]:
        return []

    def close(self) -> None:
        self.packets.close()
        self.streams.close()
        self._network.machines.pop(self.bound, None)
