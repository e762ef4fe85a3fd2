"""``gossipd`` as a process of its own, for commands that go on until they are told to stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Program:
    """A running ``gossipd``; lines of its standard output, one by one."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pid = process.pid

    def line(self) -> str:
        """Return the next line of its output, without its end; empty at the end of it."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().removesuffix("\n")

    def error_line(self) -> str:
        """Return the next line of its standard error."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().removesuffix("\n")

    def json_line(self) -> dict[str, Any]:
        """Return the object of the next line."""
        found: dict[str, Any] = json.loads(self.line())
        return found

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        """Send a signal; return exit code, and what was not read of output and errors."""
        self.process.send_signal(number)
        return self.rest()

    def rest(self) -> tuple[int, str, str]:
        """Wait for its end; return exit code, and what was not read of output and errors."""
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@contextmanager
def started(*words: str, patience: float = 5.0) -> Iterator[Program]:
    """Run ``gossipd`` with ``words``; it is killed at the end if it still runs.

    ``patience``: seconds that a daemon that has come back is given to find the others.
    """
    program = (
        "import signal, sys; from gossipd_cli.services import known;"
        # whoever started the tests may ignore it, as nohup does
        "signal.signal(signal.SIGHUP, signal.SIG_DFL);"
        f"known.RETURN_SECONDS = {patience};"
        "from gossipd_cli.main import main; sys.exit(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        yield Program(process)
    finally:
        process.kill()
        process.communicate()
