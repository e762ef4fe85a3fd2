"""A program in the foreground of ours: its signals, its terminal, its exit code."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

OURS = """
import os, signal, sys
for ignored in (signal.SIGHUP, signal.SIGQUIT):  # perhaps by whoever started the tests
    signal.signal(ignored, signal.SIG_DFL)
from gossipd_cli.services.supervising import Foreground, NotStarted
foreground = Foreground()
def drain():
    print("draining", flush=True)
    return float(sys.argv[1])
try:
    foreground.start(sys.argv[2:], {**os.environ, "TOLD": "yes"})
    code = foreground.run(drain)
except NotStarted as error:
    print(error, flush=True)
    code = error.code
foreground.close()
sys.exit(code)
"""
LOOP = "while :; do sleep 0.01; done"


def start(*words: str, drain: float = 0.0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OURS, str(drain), *words], stdout=subprocess.PIPE, text=True
    )


def run(script: str, *, drain: float = 0.0) -> tuple[int, str]:
    with start("/bin/sh", "-c", script, drain=drain) as process:
        output, _ = process.communicate(timeout=30)
        return process.returncode, output


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 7", 7),
        ('test "$TOLD" = yes', 0),
        ("kill -KILL $$", 128 + signal.SIGKILL),
        ("kill -TERM $$", 128 + signal.SIGTERM),
        ("kill -USR1 $$; exit 0", 128 + signal.SIGUSR1),
        ("kill -PIPE $$; exit 0", 128 + signal.SIGPIPE),
        ("(sleep 0.05; kill -CONT $$) & kill -STOP $$; exit 5", 5),
    ],
)
def test_the_exit_code_is_that_of_the_program(script: str, code: int) -> None:
    assert run(script) == (code, "")


@pytest.mark.parametrize("name", ["INT", "HUP", "QUIT", "USR1", "USR2", "WINCH"])
def test_signals_go_to_the_program(name: str) -> None:
    with start("/bin/sh", "-c", f"trap 'exit 9' {name}; echo ready; {LOOP}") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.Signals[f"SIG{name}"])
        assert process.wait(30) == 9


def test_sigterm_waits_until_consumers_had_their_time() -> None:
    script = f"trap 'echo got it; exit 9' TERM; echo ready; {LOOP}"
    with start("/bin/sh", "-c", script, drain=0.05) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.stdout.read() == "draining\ngot it\n"
        assert process.wait(30) == 9


def test_a_second_sigterm_goes_to_the_program_at_once() -> None:
    script = f"trap 'exit 9' TERM; echo ready; {LOOP}"
    with start("/bin/sh", "-c", script, drain=600.0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.stdout.readline() == "draining\n"
        process.terminate()
        assert process.wait(30) == 9


def test_a_program_that_cannot_be_started_has_a_shells_exit_code(tmp_path: Path) -> None:
    for word, code, reason in (
        ("no-such-program", 127, "no such program"),
        (str(tmp_path), 126, "Permission denied"),
    ):
        with start(word) as process:
            output, _ = process.communicate(timeout=30)
        assert (process.returncode, output) == (code, f"{word}: {reason}\n")


def test_ctrl_c_reaches_the_program_once() -> None:
    """The terminal sends it to the whole foreground group, so to forward it would be twice."""
    script = f"n=0; trap 'n=$((n+1)); echo got $n' INT; echo ready; {LOOP}"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", OURS, "0", "/bin/sh", "-c", script])
    try:
        _read_until(terminal, b"ready")
        os.write(terminal, b"\x03")
        _read_until(terminal, b"got 1")
        os.write(terminal, b"\x03")
        assert b"got 3" not in _read_until(terminal, b"got 2")
    finally:
        os.kill(pid, signal.SIGTERM)
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status) > 128


def _read_until(terminal: int, wanted: bytes) -> bytes:
    read = b""
    while wanted not in read:
        read += os.read(terminal, 1024)
    return read
