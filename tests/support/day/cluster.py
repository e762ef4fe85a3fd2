"""Whole agents on a network in memory, one of them with its faces: killed, cut off, begun anew.

HTTP is asked through a socket of this process (what is sent is there at once, so a clock that
jumps when all wait cannot overtake it), DNS through streams in memory.
"""

from __future__ import annotations

import socket
from pathlib import Path

import trio
import trio.testing

from gossipd.address import Address
from gossipd.agent.agent import run_agent
from gossipd.agent.handle import AgentHandle
from gossipd.config.agent_model import AgentConfig
from gossipd.config.faces import DnsConfig, HttpConfig
from gossipd.config.model import NodeConfig, SerfConfig, SwimConfig, WireConfig
from support.day.records import Host
from support.memory_agents import no_names
from support.memory_network import (
    MemoryMachine,
    MemoryNetwork,
    MemoryPacketPort,
    MemoryStreamPort,
)

SWIM = SwimConfig(
    probe_interval=15.0,
    probe_timeout=3.0,
    suspicion_mult=3,
    suspicion_max_timeout_mult=3,
    gossip_interval=0.5,
    push_pull_interval=120.0,
    gossip_to_the_dead_time=60.0,
)
"""Slower than a LAN's: a day has fewer rounds, and each failure takes longer."""
WIRE = WireConfig(compression=False)
SERF = SerfConfig(reap_interval=60.0, reconnect_interval=30.0, queue_check_interval=300.0)


class Network(MemoryNetwork):
    """Carries nothing to or from an address that is cut off, and keeps nothing."""

    def __init__(self, nursery: trio.Nursery) -> None:
        super().__init__(nursery)
        self.cut_off: set[Address] = set()

    async def _carry(self, data: bytes, source: Address, to: Address) -> None:
        if source not in self.cut_off and to not in self.cut_off:
            await super()._carry(data, source, to)


class _Packets(MemoryPacketPort):
    def send(self, data: bytes, to: Address) -> None:
        self._network.send(data, self._address, to)


class _Streams(MemoryStreamPort):
    async def dial(self, to: Address) -> trio.abc.HalfCloseableStream:
        network = self._network
        assert isinstance(network, Network)
        if to in network.cut_off or self._address in network.cut_off:
            await trio.sleep_forever()
        return await super().dial(to)


class _Named:
    """What DNS asks of the socket of a stream."""

    def getpeername(self) -> tuple[str, int]:
        return "127.0.0.1", 5


class DnsStream(trio.abc.Stream):
    """A connection in memory that comes from this host."""

    socket = _Named()

    def __init__(self, far: trio.abc.Stream) -> None:
        self._far = far

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._far.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._far.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._far.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._far.aclose()


class DnsListener(trio.abc.Listener[DnsStream]):
    """Hands out the far ends of connections in memory."""

    def __init__(self) -> None:
        self._put, self._take = trio.open_memory_channel[DnsStream](8)

    async def accept(self) -> DnsStream:
        return await self._take.receive()

    async def connect(self) -> trio.abc.Stream:
        """Return the near end of a new connection."""
        near, far = trio.testing.memory_stream_pair()
        await self._put.send(DnsStream(far))
        return near

    async def aclose(self) -> None:
        self._take.close()
        await trio.lowlevel.checkpoint()


class Machine(MemoryMachine):
    """The surroundings of an agent; with a ``path`` it serves HTTP there, and DNS."""

    def __init__(self, network: Network, address: Address, path: str = "") -> None:
        super().__init__(network, address)
        self.packets = _Packets(network, address)
        self.streams = _Streams(network, address)
        self._path = path
        self.dns: DnsListener | None = None

    def http_listeners(self) -> list[trio.SocketListener]:
        if not self._path:
            return []
        listening = socket.socket(socket.AF_UNIX)
        Path(self._path).unlink(missing_ok=True)
        listening.bind(self._path)
        listening.listen(64)
        return [trio.SocketListener(trio.socket.from_stdlib_socket(listening))]

    def dns_sockets(self) -> tuple[list[socket.socket], list[trio.SocketListener]]:
        if not self._path:
            return [], []
        unused = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        unused.bind(("127.0.0.1", 0))
        self.dns = DnsListener()
        return [unused], [self.dns]  # type: ignore[list-item]


class Complaints:
    """A log of which only what is wrong with the agent itself is kept, and not with its peers."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def write(self, text: str) -> None:
        if "[ERR] agent" in text or "Traceback" in text:
            self.texts.append(text)


class Agent:
    """One agent; its lives follow each other.

    Args:
        path: where it serves HTTP; empty is nowhere.
    """

    def __init__(
        self, network: Network, host: Host, seeds: tuple[str, ...], path: str = ""
    ) -> None:
        self._network = network
        self._path = path
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self.host = host
        self.seeds = seeds
        self.complaints = Complaints()
        self.handle: AgentHandle | None = None
        self.machine: Machine | None = None
        self.is_up = False
        self.is_cut_off = False
        self.lives = 0

    @property
    def name(self) -> str:
        """Of the node."""
        return self.host.name

    @property
    def node(self) -> AgentHandle:
        """The handle of the life that runs."""
        assert self.handle is not None
        return self.handle

    @property
    def address(self) -> Address:
        """Where it is."""
        return Address(bytes(map(int, self.host.address.split("."))), 7946)

    def is_in(self, life: int) -> bool:
        """Return whether it is up and has not begun anew since it was in that ``life``."""
        return self.is_up and self.lives == life

    async def start(self, nursery: trio.Nursery) -> None:
        """Begin a life."""
        faces = bool(self._path)
        config = AgentConfig(
            node=NodeConfig(
                name=self.name, tags=dict(self.host.meta), swim=SWIM, serf=SERF, wire=WIRE
            ),
            retry_join=self.seeds,
            log_level="WARN",
            http=HttpConfig(addr="127.0.0.1:8500") if faces else HttpConfig(),
            dns=DnsConfig(addr="127.0.0.1:8600") if faces else DnsConfig(),
        )
        self.machine = Machine(self._network, self.address, self._path)
        self._network.machines[self.address] = self.machine
        self._scope, self._ended = trio.CancelScope(), trio.Event()
        self.handle = await nursery.start(self._live, config)
        self.lives += 1
        self.is_up = True

    async def _live(
        self,
        config: AgentConfig,
        *,
        task_status: trio.TaskStatus[AgentHandle] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        try:
            with self._scope:
                await run_agent(
                    config,
                    output=self.complaints,
                    errors=self.complaints,
                    look_up=no_names,
                    machine=self.machine,
                    task_status=task_status,
                )
        finally:
            self._ended.set()

    async def kill(self) -> None:
        """End it without a word."""
        self.is_up = False
        self._network.machines.pop(self.address, None)
        self._scope.cancel()
        await self._ended.wait()
        self.handle = self.machine = None

    async def leave(self) -> None:
        """Have it say good-bye, and end."""
        self.is_up = False
        await self.node.leave()
        await self.kill()

    def cut_off(self) -> None:
        """Let nothing in and nothing out, as if it were frozen."""
        self.is_cut_off = True
        self._network.cut_off.add(self.address)

    def let_go_on(self) -> None:
        """End that."""
        self.is_cut_off = False
        self._network.cut_off.discard(self.address)
