"""``gossipd demo`` as a user runs it: real daemons, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.agents import agent_environment
from support.waiting import wait_for

pytestmark = pytest.mark.interop

DEMO = (sys.executable, "-m", "gossipd_cli", "demo")
PROMISES = {"five alive", "failure noticed", "leave seen", "return seen"}


def processes_of(folder: Path) -> list[int]:
    """Return the processes whose command line names ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and bytes(folder) in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return the folder that the demo uses for its own; its daemons end with the test."""
    yield tmp_path
    for pid in processes_of(tmp_path):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a demo that keeps its files below ``folder``."""
    return agent_environment() | {"TMPDIR": str(folder), "TERM": "xterm"}


def test_all_promises_are_kept_and_the_cluster_can_be_kept_and_ended(folder: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--json", "--keep"],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *happenings, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert summary["ok"] is True
    assert summary["missing"] == []
    assert set(summary["seen"]) == PROMISES
    assert all(set(happening) == {"at", "text"} for happening in happenings)

    assert len(processes_of(folder)) == 4  # five, less the one that left
    ending = re.search(r"^  (kill .+; rm -r .+)$", done.stderr, re.MULTILINE)
    assert ending is not None, done.stderr
    subprocess.run(ending[1], shell=True, check=True)
    wait_for(lambda: not processes_of(folder), 15.0, "the daemons to end")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_leaves_nothing_behind(
    folder: Path, number: signal.Signals
) -> None:
    demo = subprocess.Popen(
        DEMO, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        wait_for(lambda: len(processes_of(folder)) == 5, 20.0, "the daemons to start")
        demo.send_signal(number)
        _, errors = demo.communicate(timeout=20)
    finally:
        demo.kill()
        demo.wait()
    assert demo.returncode == 130
    assert b"Traceback" not in errors
    assert processes_of(folder) == []
    assert list(folder.iterdir()) == []


def test_a_terminal_gets_a_table_that_is_kept_current(folder: Path) -> None:
    outer, inner = pty.openpty()
    demo = subprocess.Popen(DEMO, env=environment(folder), stdout=inner, stderr=inner)
    os.close(inner)
    shown = b""
    try:
        while b"five alive" not in shown:
            shown += os.read(outer, 65536)
        demo.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # the terminal is gone when the demo is
            while data := os.read(outer, 65536):
                shown += data
        assert demo.wait(20) == 130
    finally:
        demo.kill()
        demo.wait()
        os.close(outer)
    assert b"What ada sees" in shown
    for name in (b"ada", b"bob", b"cleo", b"dan", b"eve"):
        assert name in shown
