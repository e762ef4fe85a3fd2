"""Whole agents on the in-memory network, in the test's own nursery."""

from __future__ import annotations

import trio
import trio.lowlevel

from gossipd.address import Address
from gossipd.agent.agent import run_agent
from gossipd.agent.handle import AgentHandle
from gossipd.config.agent_model import AgentConfig
from gossipd.config.model import NodeConfig
from gossipd.errors import Unavailable
from support.logs import Lines
from support.memory_network import MemoryMachine, MemoryNetwork


class Running:
    """One agent started in the test's nursery, with its signals in the test's hand."""

    def __init__(self, network: MemoryNetwork, name: str, ip: str, **settings: object) -> None:
        self.machine: MemoryMachine = network.machine(ip)
        self.lines = Lines()
        self.errors = Lines()
        self.config = AgentConfig(
            node=NodeConfig(name=name),
            **settings,  # type: ignore[arg-type]
        )
        self.signal_in, self._signals = trio.open_memory_channel[int](8)
        self.ended = trio.Event()
        self.exit_code: int | None = None
        self.error: Exception | None = None
        self.handle: AgentHandle | None = None

    async def run(
        self, *, task_status: trio.TaskStatus[AgentHandle] = trio.TASK_STATUS_IGNORED
    ) -> None:
        try:
            self.exit_code = await run_agent(
                self.config,
                signals=self._signals,
                output=self.lines,
                errors=self.errors,
                look_up=no_names,
                machine=self.machine,
                task_status=task_status,
            )
        except Unavailable as error:
            self.error = error
        self.ended.set()

    async def start(self, nursery: trio.Nursery) -> AgentHandle:
        handle = await nursery.start(self.run)
        assert isinstance(handle, AgentHandle)
        self.handle = handle
        return handle


async def no_names(host: str, port: int) -> list[Address]:
    """Find no host."""
    await trio.lowlevel.checkpoint()
    raise OSError("no such host")
