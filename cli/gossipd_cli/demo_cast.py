"""The daemons of the demo: real processes on this machine's loopback address."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from gossipd.client.blocking import Client
from gossipd.errors import GossipdError
from gossipd.value import replace
from gossipd_sim.real.process import AgentProcess
from gossipd_sim.real.programs import GOSSIPD, AgentOptions

HOST = "127.0.0.1"
NAMES = ("ada", "bob", "cleo", "dan", "eve")
START_SECONDS = 15.0
SETTINGS = ("--set", "swim.retransmit_mult=4")
"""Over the quick profile: claims are repeated as on a real network so that none gets lost."""


class CannotStart(Exception):
    """A daemon of the demo did not come up; the text is what it said."""


class Interrupts:
    """Makes SIGINT and SIGTERM a ``KeyboardInterrupt``, though never inside ``held``.

    A signal between the fork of a daemon and our noting its process would
    otherwise leave it behind.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._is_pending = False

    def install(self) -> None:
        """Begin to handle the two signals."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Put off an interrupt until the block is over."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self._is_pending and not self._depth:
            self._is_pending = False
            raise KeyboardInterrupt

    def _take(self, number: int, frame: FrameType | None) -> None:
        if not self._depth:
            raise KeyboardInterrupt
        self._is_pending = True


class Daemon(AgentProcess):
    """One daemon of the cast; it can be started again under its name and address."""

    def __init__(self, name: str, folder: Path, interrupts: Interrupts) -> None:
        options = AgentOptions(
            name=name,
            bind=f"{HOST}:{_free_port()}",
            rpc="",
            folder=folder,
            profile="local",
            log_level="info",
            more=SETTINGS,
        )
        super().__init__(GOSSIPD, options)
        self._interrupts = interrupts

    @property
    def bind(self) -> str:
        """Where its gossip is reached."""
        return self.options.bind

    @property
    def socket(self) -> str:
        """Where it is asked."""
        return str(self.options.socket)

    def spawn(self, seed: str = "") -> None:
        """Start the process, joining ``seed`` if there is one, and return at once."""
        self.options = replace(self.options, retry_join=(seed,) if seed else ())
        with self._interrupts.held():
            super().spawn()

    def wait_until_up(self) -> None:
        """Return when the socket answers.

        Raises:
            CannotStart: the process ended, or says nothing in time.
        """
        deadline = time.monotonic() + START_SECONDS
        while True:
            if not self.is_running:
                raise CannotStart(f"the daemon {self.name} ended at start: {self.last_words()}")
            try:
                with Client(self.socket, timeout=START_SECONDS):
                    return
            except GossipdError as error:
                if time.monotonic() > deadline:
                    raise CannotStart(f"the daemon {self.name} does not answer: {error}") from error
            time.sleep(0.05)

    def kill(self) -> None:
        """End the process as a power cut would: no farewell."""
        self.end()

    def leave(self) -> None:
        """Ask the daemon to leave the cluster and end."""
        with Client(self.socket) as client:
            client.leave()


class Cast:
    """All daemons of one demo, in a temporary folder."""

    def __init__(self, interrupts: Interrupts, names: Sequence[str] = NAMES) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gossipd-demo-"))
        os.chmod(self.folder, 0o700)
        self.daemons = {name: Daemon(name, self.folder, interrupts) for name in names}
        self.seed = self.daemons[names[0]]

    def start(self) -> None:
        """Start all, each joining the first, and wait until all answer."""
        for daemon in self.daemons.values():
            daemon.spawn("" if daemon is self.seed else self.seed.bind)
        for daemon in self.daemons.values():
            daemon.wait_until_up()

    def close(self) -> None:
        """End every daemon and remove the folder."""
        for daemon in self.daemons.values():
            daemon.end()
        shutil.rmtree(self.folder, ignore_errors=True)


def _free_port() -> int:
    """Return a port that is free for UDP and for TCP right now."""
    for _ in range(64):
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as packets:
            stream.bind((HOST, 0))
            port = int(stream.getsockname()[1])
            with contextlib.suppress(OSError):
                packets.bind((HOST, port))
                return port
    raise CannotStart(f"no port of {HOST} is free for both UDP and TCP")
