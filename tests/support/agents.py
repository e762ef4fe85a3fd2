"""Real agents as processes: ``serf`` and ``gossipd`` behind one interface.

How they are called and started is the product's own (``gossipd_sim.real``);
here is how tests ask them, through a client of their own. Nothing but
processes started here is ever signalled.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from gossipd_sim.real import process
from gossipd_sim.real.programs import (
    GOSSIPD,
    SERF,
    AgentKind,
    AgentOptions,
    GossipdKind,
    has_serf,
)
from support.rpc_probe import Connect, RpcProbe
from support.waiting import NotInTime, wait_for

__all__ = [
    "GOSSIPD",
    "PROJECT",
    "SERF",
    "AgentKind",
    "AgentOptions",
    "AgentProcess",
    "GossipdKind",
    "agent_environment",
    "has_serf",
]

START_TIMEOUT = 15.0
"""Seconds for an agent to answer its RPC."""
END_TIMEOUT = 15.0
"""Seconds for an agent to end after it was asked to leave."""

PROJECT = Path(__file__).resolve().parents[2]


def agent_environment() -> dict[str, str]:
    """Return the environment of a started program: ours, with the project on its path."""
    environment = process.plain_environment()
    path = [str(PROJECT), str(PROJECT / "cli"), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(part for part in path if part)
    return environment


class AgentProcess(process.AgentProcess):
    """An agent that tests start, ask through its RPC and end."""

    def __init__(self, kind: AgentKind, options: AgentOptions, connect: Connect | None = None):
        super().__init__(kind, options, agent_environment)
        self._connect = connect

    def wait_until_up(self, timeout: float = START_TIMEOUT) -> None:
        """Return when the RPC answers."""

        def look() -> bool:
            if not self.is_running:
                raise NotInTime(
                    f"{self!r} ended with {self.exit_code} at start:\n{self.log()[-2000:]}"
                )
            with self.rpc(timeout=2.0) as probe:
                return bool(probe.members())

        wait_for(look, timeout, f"{self!r} to answer its RPC", seen=lambda: self.log()[-2000:])

    def start(self) -> None:
        """Start the process and wait until it answers."""
        self.spawn()
        self.wait_until_up()

    def rpc(self, *, timeout: float = 10.0) -> RpcProbe:
        """Return a new connection to the agent's RPC."""
        return RpcProbe(self.options.rpc, timeout=timeout, connect=self._connect)

    def statuses(self) -> dict[str, str]:
        """Return the status of every member this agent knows, by name."""
        with self.rpc() as probe:
            return probe.statuses()

    def kill(self) -> None:
        """End the process without any farewell (SIGKILL)."""
        self.signal(signal.SIGKILL)
        self.wait_until_ended()

    def interrupt(self) -> None:
        """Send SIGINT to the agent alone."""
        os.kill(self.pid, signal.SIGINT)

    def leave(self) -> None:
        """Leave through the RPC and wait until the process has ended."""
        with self.rpc(timeout=END_TIMEOUT) as probe:
            probe.leave()
        self.wait_until_ended()

    def wait_until_ended(self, timeout: float = END_TIMEOUT) -> int:
        """Return the exit code when the process has ended by itself."""
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            raise NotInTime(f"{self!r} did not end within {timeout:g} s") from None
