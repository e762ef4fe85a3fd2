"""``AgentProcess``: one started agent as a process; nothing but what it started is signalled."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping

from gossipd_sim.real.programs import AgentKind, AgentOptions

END_SECONDS = 15.0
LOG_TAIL_BYTES = 4000


def plain_environment() -> dict[str, str]:
    """Return our environment without what is meant for the operator's own daemon."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("GOSSIPD_", "SERF_", "COVERAGE"))
    }


class AgentProcess:
    """One agent, running or ended; it can be started again as it was.

    Its output goes to a log in the folder of its options.
    """

    def __init__(
        self,
        kind: AgentKind,
        options: AgentOptions,
        environment: Callable[[], Mapping[str, str]] = plain_environment,
    ) -> None:
        self.kind = kind
        self.options = options
        self.name = options.name
        self.log_path = options.folder / f"{options.name}.log"
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"{self.kind.name}:{self.name}"

    @property
    def pid(self) -> int:
        """Process id of the agent started last."""
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
                env=dict(self._environment()),
                start_new_session=True,  # Ctrl-C is for us, and we end it
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the agent, and to what it started in turn; harmless when it ended."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def end(self) -> None:
        """Make sure that the process is gone, stopped or not; never raises."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)

    def wait(self, seconds: float) -> int:
        """Return the exit code once the process has ended by itself.

        Raises:
            subprocess.TimeoutExpired: it did not within ``seconds``.
        """
        if self._process is None:
            raise RuntimeError(f"{self!r} was not started")
        return self._process.wait(seconds)

    def log(self) -> str:
        """Return everything the agent has printed so far."""
        if not self.log_path.exists():
            return ""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def last_words(self) -> str:
        """Return the last line of the log."""
        lines = self.log()[-LOG_TAIL_BYTES:].strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"
