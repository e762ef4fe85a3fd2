"""The daemons of the demo: real processes on this machine's loopback address."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from gossipd.client.blocking import Client
from gossipd.errors import GossipdError

HOST = "127.0.0.1"
NAMES = ("ada", "bob", "cleo", "dan", "eve")
START_SECONDS = 15.0
END_SECONDS = 10.0
SETTINGS = ("--profile", "local", "--set", "swim.retransmit_mult=4", "--log-level", "info")
"""Quick timings; claims are repeated as on a real network so that none gets lost."""


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


class Daemon:
    """One daemon of the cast; it can be started again under its name and address."""

    def __init__(self, name: str, folder: Path, interrupts: Interrupts) -> None:
        self.name = name
        self._interrupts = interrupts
        self.bind = f"{HOST}:{_free_port()}"
        self.socket = str(folder / f"{name}.sock")
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; 0 if it never ran."""
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def words(self, seed: str) -> list[str]:
        """Return the command that starts the daemon, joining ``seed`` if there is one."""
        words = [sys.executable, "-m", "gossipd_cli", "agent", "--node", self.name]
        words += ["--bind", self.bind, "--socket", self.socket, *SETTINGS]
        if seed:
            words += ["--retry-join", seed, "--retry-interval", "1s"]
        return words

    def spawn(self, seed: str = "") -> None:
        """Start the process and return at once."""
        with self._log.open("ab") as log, self._interrupts.held():
            self._process = subprocess.Popen(
                self.words(seed),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the demo, which then ends the cast
            )

    def wait_until_up(self) -> None:
        """Return when the socket answers.

        Raises:
            CannotStart: the process ended, or says nothing in time.
        """
        deadline = time.monotonic() + START_SECONDS
        while True:
            if not self.is_running:
                raise CannotStart(f"the daemon {self.name} ended at start: {self._last_words()}")
            try:
                with Client(self.socket, timeout=START_SECONDS):
                    return
            except GossipdError as error:
                if time.monotonic() > deadline:
                    raise CannotStart(f"the daemon {self.name} does not answer: {error}") from error
            time.sleep(0.05)

    def kill(self) -> None:
        """End the process as a power cut would: no farewell."""
        if self._process is not None and self.is_running:
            self._process.kill()
            self._process.wait()

    def leave(self) -> None:
        """Ask the daemon to leave the cluster and end."""
        with Client(self.socket) as client:
            client.leave()

    def end(self) -> None:
        """Make sure that the process is gone."""
        if self._process is None:
            return
        if self.is_running:
            self._process.send_signal(signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"


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
