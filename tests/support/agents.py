"""Real agents as processes: ``serf`` and ``gossipd`` behind one interface.

An ``AgentKind`` knows only how its program is called; ``AgentProcess`` starts
it, asks it through the RPC and ends it. Nothing but processes started here is
ever signalled.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from gossipd.value import Value
from support.rpc_probe import Connect, RpcProbe
from support.waiting import NotInTime, wait_for

START_TIMEOUT = 15.0
"""Seconds for an agent to answer its RPC."""
END_TIMEOUT = 15.0
"""Seconds for an agent to end after it was asked to leave."""

PROJECT = Path(__file__).resolve().parents[2]


class AgentOptions(Value, kw_only=True):
    """What both kinds of agent can be told at start; flags carry Serf's names."""

    name: str
    bind: str
    """``host:port`` of the gossip, v6 in brackets."""
    rpc: str
    """``host:port`` of the RPC over TCP."""
    folder: Path
    """For the log and the unix socket."""
    profile: str = "lan"
    encrypt: str = ""
    join: Sequence[str] = ()
    retry_join: Sequence[str] = ()
    tags: Mapping[str, str] = {}
    log_level: str = "debug"
    compression: bool = True
    more: Sequence[str] = ()
    """Further words for the command line, as they are."""
    wrapper: Sequence[str] = ()
    """Words before the command, such as the entry to a network namespace."""

    @property
    def socket(self) -> Path:
        """Path of the unix socket (gossipd only)."""
        return self.folder / f"{self.name}.sock"


class AgentKind(Protocol):
    """A program that can be a member."""

    name: str

    def command(self, options: AgentOptions) -> list[str]:
        """Return the words that start an agent with ``options``."""


class SerfKind:
    """Serf's own agent, from the distribution."""

    name = "serf"

    def command(self, options: AgentOptions) -> list[str]:
        """Return ``serf agent`` with its flags."""
        return ["serf", "agent", *_flags(options), *options.more]


class GossipdKind:
    """Our daemon, run by the Python that runs the tests.

    Args:
        program: the words that run the command ``gossipd``.
    """

    name = "gossipd"

    def __init__(self, program: Sequence[str] = (sys.executable, "-m", "gossipd_cli")) -> None:
        self._program = program

    def command(self, options: AgentOptions) -> list[str]:
        """Return ``gossipd agent`` with its flags."""
        words = [*self._program, "agent", "--socket", str(options.socket)]
        words += ["-" + word if word.startswith("-") else word for word in _flags(options)]
        return [*words, *options.more]


SERF = SerfKind()
GOSSIPD = GossipdKind()


def has_serf() -> bool:
    """Say whether the ``serf`` program is installed."""
    return shutil.which("serf") is not None


def agent_environment() -> dict[str, str]:
    """Return the environment of a started program: ours, with the project on its path."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("GOSSIPD_", "SERF_", "COVERAGE"))
    }
    path = [str(PROJECT), str(PROJECT / "cli"), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(part for part in path if part)
    return environment


class AgentProcess:
    """One started agent, running or ended; it can be started again as it was."""

    def __init__(self, kind: AgentKind, options: AgentOptions, connect: Connect | None = None):
        self.kind = kind
        self.options = options
        self.name = options.name
        self._connect = connect
        self._process: subprocess.Popen[bytes] | None = None
        self.log_path = options.folder / f"{options.name}.log"

    def __repr__(self) -> str:
        return f"{self.kind.name}:{self.name}"

    @property
    def pid(self) -> int:
        """Process id of the running agent."""
        if self._process is None:
            raise RuntimeError(f"{self!r} was not started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How the process ended; negative is the signal's number."""
        return None if self._process is None else self._process.poll()

    def spawn(self) -> None:
        """Start the process and return at once; its output is appended to the log."""
        if self.is_running:
            raise RuntimeError(f"{self!r} is running")
        words = [*self.options.wrapper, *self.kind.command(self.options)]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=agent_environment(),
                start_new_session=True,
            )

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
        self._signal_group(signal.SIGKILL)
        self._reap(END_TIMEOUT)

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
        self._reap(timeout)
        code = self.exit_code
        assert code is not None
        return code

    def log(self) -> str:
        """Return everything the agent has printed so far."""
        if not self.log_path.exists():
            return ""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def end(self) -> None:
        """Make sure that the process is gone; never raises."""
        if self.is_running:
            self._signal_group(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def _signal_group(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def _reap(self, timeout: float) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise NotInTime(f"{self!r} did not end within {timeout:g} s") from None


def _flags(options: AgentOptions) -> list[str]:
    words = ["-node", options.name, "-bind", options.bind, "-rpc-addr", options.rpc]
    words += ["-profile", options.profile, "-log-level", options.log_level]
    if options.encrypt:
        words += ["-encrypt", options.encrypt]
    if not options.compression:
        words.append("-disable-compression")
    for address in options.join:
        words += ["-join", address]
    for address in options.retry_join:
        words += ["-retry-join", address]
    if options.retry_join:
        words += ["-retry-interval", "1s"]
    for key, value in options.tags.items():
        words += ["-tag", f"{key}={value}"]
    return words
