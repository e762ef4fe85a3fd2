"""``RealMember``: one agent of a running cluster: its process, its life, and what it tells.

An agent is asked and followed over its RPC: gossipd's event stream, or the log
of Serf, whose own event stream is held back for seconds (it coalesces).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import TypeAlias

import trio

from gossipd.client.aio import AsyncClient
from gossipd.errors import GossipdError, Unavailable
from gossipd.serf.events import ChangeKind
from gossipd_sim.real.process import AgentProcess
from gossipd_sim.real.programs import GOSSIPD, SERF, AgentOptions

UP_SECONDS = 60.0
"""An agent must answer this soon; dozens start at once on few cores."""
LEAVE_SECONDS = 30.0
LOOK_SECONDS = 0.05
LOOK_CLOSELY_SECONDS = 0.005
"""Between looks at an agent whose start is to be timed."""
JOIN_SECONDS = 30.0

_SERF_LINE = re.compile(r"EventMember(Join|Leave|Failed): (\S+)")
_SERF_CHANGES = {
    "Join": ChangeKind.JOIN,
    "Leave": ChangeKind.LEAVE,
    "Failed": ChangeKind.FAILED,
}
_STREAMED = (ChangeKind.JOIN, ChangeKind.LEAVE, ChangeKind.FAILED)

Hear: TypeAlias = Callable[[str, int, ChangeKind, str, float], None]
"""Told viewer, its life, the change, the node, and when (seconds of trio's clock)."""


class RealMember:
    """One agent.

    Args:
        process: not started yet.
        hear: told every change that the agent shows.
    """

    def __init__(self, process: AgentProcess, hear: Hear) -> None:
        self.process = process
        self.name = process.name
        self.life = 0
        self.is_followed = False
        """Whether it is up and what it shows is being heard."""
        self.is_leaving = False
        self.is_frozen = False
        self.busy = trio.Lock()
        """Held while it starts or leaves: what befalls it next waits."""
        self._hear = hear
        self._following: trio.CancelScope | None = None

    @property
    def options(self) -> AgentOptions:
        """How its process is started."""
        return self.process.options

    @property
    def is_witness(self) -> bool:
        """Whether it can hear news now."""
        return self.is_followed and not self.is_leaving and not self.is_frozen

    def client(self) -> AsyncClient:
        """Return a client that is not connected yet."""
        options = self.options
        where = str(options.socket) if self.process.kind is GOSSIPD else options.rpc
        return AsyncClient(where, auth=options.rpc_auth)

    async def start(self, nursery: trio.Nursery, look: float = LOOK_CLOSELY_SECONDS) -> float:
        """Start the process; returns when it answers and is followed by a task of ``nursery``.

        Args:
            look: seconds between two tries to ask it.

        Returns:
            When it was up (seconds of trio's clock), late by no more than ``look``.

        Raises:
            Unavailable: it ended at once or does not answer; says its last words.
        """
        self.life += 1
        self.is_leaving = self.is_frozen = False
        self.process.spawn()
        with trio.move_on_after(UP_SECONDS):
            while True:
                up_at = trio.current_time()
                if await self._answers():
                    break
                await trio.sleep(look)
            await nursery.start(self._follow)
            return up_at
        raise Unavailable(f"{self.process!r} does not answer: {self.process.last_words()}")

    async def join(self, seeds: Sequence[str]) -> None:
        """Join through ``seeds``, again each second until one answers."""
        with trio.move_on_after(JOIN_SECONDS):
            while True:
                try:
                    async with self.client() as client:
                        await client.join(seeds)
                        return
                except GossipdError:
                    await trio.sleep(1.0)
        raise Unavailable(f"{self.process!r} cannot join: {self.process.last_words()}")

    async def leave(self) -> None:
        """Leave over the RPC and wait until the process has ended, or end it."""
        with trio.move_on_after(LEAVE_SECONDS):
            try:
                async with self.client() as client:
                    await client.leave()
            except GossipdError:
                pass  # some agents end before the answer is read
            while True:
                if not self.process.is_running:
                    break
                await trio.sleep(LOOK_SECONDS)
        self._forget()
        self.process.end()

    def kill(self) -> None:
        """End the process at once, without any farewell."""
        self.process.signal(SIGKILL)
        self._forget()

    def freeze(self) -> None:
        """Stop the process (SIGSTOP)."""
        self.process.signal(SIGSTOP)
        self.is_frozen = True

    def thaw(self) -> None:
        """Let the process go on (SIGCONT)."""
        self.is_frozen = False
        self.process.signal(SIGCONT)

    async def statuses(self) -> dict[str, str]:
        """Return what it shows of each member."""
        async with self.client() as client:
            return {member.name: member.status for member in await client.members()}

    def _forget(self) -> None:
        self.is_followed = self.is_frozen = self.is_leaving = False
        if self._following is not None:
            self._following.cancel()

    async def _answers(self) -> bool:
        if not self.process.is_running:
            raise Unavailable(f"{self.process!r} ended at start: {self.process.last_words()}")
        try:
            return bool(await self.statuses())
        except GossipdError:
            return False

    async def _follow(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Hear what the agent shows until it ends, or is not followed any more."""
        life = self.life
        with trio.CancelScope() as self._following:
            try:
                async with self.client() as client:
                    self.is_followed = True
                    if self.process.kind is SERF:
                        await self._follow_log(client, life, task_status)
                    else:
                        await self._follow_events(client, life, task_status)
            except GossipdError:
                pass  # its process ended
        if life == self.life:
            self.is_followed = False

    async def _follow_events(
        self, client: AsyncClient, life: int, task_status: trio.TaskStatus[None]
    ) -> None:
        # At once: what is gathered for applications comes up to seconds later.
        wanted = ",".join(_STREAMED)
        async with client.stream(wanted, immediate=True, never_answers=True) as records:
            task_status.started()
            async for record in records:
                if record.kind in _STREAMED:
                    now = trio.current_time()
                    for member in record.members:
                        self._hear(self.name, life, ChangeKind(record.kind), member.name, now)

    async def _follow_log(
        self, client: AsyncClient, life: int, task_status: trio.TaskStatus[None]
    ) -> None:
        async with client.monitor("INFO") as lines:
            task_status.started()
            async for line in lines:
                if found := _SERF_LINE.search(line.text):
                    change, now = _SERF_CHANGES[found[1]], trio.current_time()
                    self._hear(self.name, life, change, found[2], now)
