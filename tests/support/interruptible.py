"""A ``gossipd`` that tells when so many pieces of its work are done, to be interrupted then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

PROGRAM = """
import contextlib, sys
import gossipd_sim.progress

@contextlib.contextmanager
def told(label, total):
    done = []
    def advance(by, note):
        done.append(by)
        if len(done) == {count}:
            print("{line}", file=sys.stderr, flush=True)
    yield advance

if __name__ == "__main__":
    gossipd_sim.progress.progress_bar = told
    from gossipd_cli.main import main
    sys.exit(main())
"""


def program_telling(count: int, line: str) -> str:
    """Return the text of a program that says ``line`` on stderr after ``count`` pieces."""
    return PROGRAM.format(count=count, line=line)


def interrupted(
    program: str,
    line: str,
    *words: str,
    number: signal.Signals = signal.SIGINT,
    send: Callable[[int, int], None] = os.killpg,
) -> tuple[int, str, str]:
    """Run ``program`` with ``words`` and signal it when it says ``line``.

    Returns:
        Its exit code, and the rest of its stdout and stderr.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == f"{line}\n"
        send(process.pid, number)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, stdout, stderr
