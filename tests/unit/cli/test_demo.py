"""The story of the demo against a cast that does not do what it should."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gossipd.query.records import MemberRecord
from gossipd_cli import demo
from gossipd_cli.demo_cast import Daemon, Interrupts
from gossipd_cli.demo_stage import JsonStage, summary


def member(name: str, status: str) -> MemberRecord:
    """Return a member record with ``status``."""
    return MemberRecord(name, bytes(4), 7946, status, {}, (2, 5, 1), (5, 5, 2))


class FakeCluster:
    """Five daemons and what the first one says; faults are switched on by name."""

    def __init__(self, *faults: str) -> None:
        self.faults = faults
        self.statuses = dict.fromkeys(("ada", "bob", "cleo", "dan", "eve"), "alive")
        self.daemons = {name: FakeDaemon(name, self) for name in self.statuses}
        self.seed = self.daemons["ada"]

    def start(self) -> None:
        """Come up."""
        if "false alarm" in self.faults:
            self.statuses["eve"] = "failed"

    def members(self) -> list[MemberRecord]:
        """Answer as the first daemon."""
        return [member(name, status) for name, status in self.statuses.items()]

    def close(self) -> None:
        """Nothing to close."""


class FakeDaemon:
    """One daemon of the fake cluster."""

    bind = "127.0.0.1:1"
    socket = "nowhere"

    def __init__(self, name: str, cluster: FakeCluster) -> None:
        self.name = name
        self._cluster = cluster

    def _become(self, status: str) -> None:
        if status not in self._cluster.faults:
            self._cluster.statuses[self.name] = status

    def kill(self) -> None:
        """Fail."""
        self._become("failed")

    def leave(self) -> None:
        """Leave."""
        self._become("left")

    def spawn(self, seed: str) -> None:
        """Come back."""
        self._become("alive")

    def wait_until_up(self) -> None:
        """Nothing to wait for."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait."""
    monkeypatch.setattr(demo, "SEE_SECONDS", 0.0)
    monkeypatch.setattr(demo, "PAUSE_SECONDS", 0.0)


def play(monkeypatch: pytest.MonkeyPatch, cluster: Any) -> dict[str, Any]:
    """Play the story with ``cluster`` and return the summary as JSON."""
    monkeypatch.setattr(demo, "Client", lambda socket: cluster)
    out = io.StringIO()
    stage = JsonStage(out)
    story = demo.Story(cluster, stage)
    story.play()
    stage.conclude(story.seen, story.missing)
    last: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return last


def test_everything_seen_is_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    told = play(monkeypatch, FakeCluster())
    assert told["ok"] is True
    assert list(told["seen"]) == ["five alive", "failure noticed", "leave seen", "return seen"]


def test_a_failure_that_nobody_notices_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    told = play(monkeypatch, FakeCluster("failed"))
    assert told["ok"] is False
    assert "failure noticed" in told["missing"]


def test_a_leave_that_is_not_seen_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "leave seen" in play(monkeypatch, FakeCluster("left"))["missing"]


def test_a_return_that_is_not_seen_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert play(monkeypatch, FakeCluster("alive"))["missing"] == ["return seen"]


def test_a_false_alarm_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = play(monkeypatch, FakeCluster("false alarm"))["missing"]
    assert [text for text in missing if "eve runs" in text] == [
        "no false alarm (eve runs, but was shown as failed)"
    ]


def test_the_summary_line_says_what_was_missing_and_what_was_seen() -> None:
    assert summary({"five alive": 0.51}, []) == "demo done: five alive after 0.5 s"
    assert summary({"five alive": 0.51}, ["leave seen"]) == (
        "demo failed, not seen: leave seen (seen: five alive after 0.5 s)"
    )


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    interrupts = Interrupts()
    interrupts.install()
    yield interrupts
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_daemon_forked_while_the_interrupt_arrives_is_known_and_ended(
    interrupts: Interrupts,
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def interrupted(*words: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(["sleep", "30"], **options))
        os.kill(os.getpid(), number)
        return started[0]

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", interrupted)
    daemon = Daemon("ada", tmp_path, interrupts)
    with pytest.raises(KeyboardInterrupt):
        daemon.spawn()
    assert daemon.pid == started[0].pid
    daemon.end()
    assert not daemon.is_running


def test_an_interrupt_outside_a_held_block_comes_at_once(interrupts: Interrupts) -> None:
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    with interrupts.held():
        pass
