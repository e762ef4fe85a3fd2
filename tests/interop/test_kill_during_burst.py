"""kill -9 in a burst of tag changes and events: whatever was shown is known after the restart.

Two rounds by default; ``GOSSIPD_CHAOS_ROUNDS=50`` runs as many, and ``-s`` shows figures.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gossipd.serf.snapshot import Snapshot, replay_untrusted
from gossipd.value import replace
from support.agents import GOSSIPD, AgentProcess
from support.clusters import NewCluster
from support.rpc_probe import RpcProbe
from support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROUNDS = int(os.environ.get("GOSSIPD_CHAOS_ROUNDS", "2"))
BURST = 1000
TAGS = 5
BURST_SECONDS = 2.0
"""The kill comes somewhere in the first so many seconds of the burst."""
CONFIG = 'coalesce_period = "40ms"\nquiescent_period = "20ms"\n'


class Notes:
    """What a stream client of the agent was shown, until the agent was gone."""

    def __init__(self, agent: AgentProcess) -> None:
        self.event_time = 0
        self.events: list[int] = []
        self.members: dict[str, str] = {}
        self.tags: dict[str, int] = {}
        self.updates = 0
        self._name = agent.name
        self._probe = agent.rpc()
        self._probe.follow("*")
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                self._note(self._probe.next_record(60.0))
            except OSError:
                return  # it was killed

    def _note(self, record: dict[str, Any]) -> None:
        if record["Event"] == "user":
            self.event_time = max(self.event_time, record["LTime"])
            self.events.append(record["LTime"])
        for member in record.get("Members", ()):
            self.members[member["Name"]] = record["Event"]
            if member["Name"] == self._name:
                self.updates += 1
                self.tags = {key: int(text) for key, text in member["Tags"].items()}

    def end(self) -> None:
        """Wait for the last of it; the agent has ended."""
        self._thread.join(30.0)
        assert not self._thread.is_alive()
        self._probe.close()


def burst_of_events(probe: RpcProbe) -> None:
    """Send events without waiting for any answer."""
    try:
        for i in range(BURST // 2):
            probe.send("event", {"Name": "burst", "Payload": b"%d" % i, "Coalesce": False})
    except OSError:
        return  # it was killed in the middle


def burst_of_tags(probe: RpcProbe, values: range) -> None:
    """Change tags without waiting for any answer; values only grow."""
    try:
        for i in values:
            probe.send("tags", {"Tags": {f"k{i % TAGS}": str(i)}, "DeleteTags": []})
    except OSError:
        return


def read_snapshot(path: Path) -> Snapshot:
    replay = replay_untrusted([path.read_bytes()], rejoin_after_leave=False)
    assert replay.complaints == ()
    return replay.snapshot


def read_tags(path: Path) -> dict[str, int]:
    if not path.exists():
        return {}
    return {key: int(text) for key, text in json.loads(path.read_bytes()).items()}


def kill_in_a_burst(
    victim: AgentProcess, peer: AgentProcess, changing: AgentProcess, delay: float, number: int
) -> Notes:
    """Return what the victim has shown; members change and events come from others too."""
    notes = Notes(victim)
    if changing.is_running:
        changing.interrupt()
    else:
        changing.spawn()
    first = number * BURST
    with ExitStack() as open_probes:
        probes = [open_probes.enter_context(victim.rpc()) for _ in range(TAGS + 1)]
        senders = [threading.Thread(target=burst_of_events, args=(probes.pop(),))]
        for i, probe in enumerate(probes):  # each connection has a tag of its own
            values = range(first + i, first + BURST // 2, TAGS)
            senders.append(threading.Thread(target=burst_of_tags, args=(probe, values)))
        for sender in senders:
            sender.start()
        with peer.rpc() as other:
            for i in range(5):
                threading.Event().wait(delay / 5)
                other.event("other", b"%d" % i)
        victim.kill()
        for sender in senders:
            sender.join(30.0)
            assert not sender.is_alive()
    notes.end()
    return notes


def restart(victim: AgentProcess) -> float:
    """Return the seconds from the start of the process to its rejoin."""
    before, started = len(victim.log()), time.monotonic()
    victim.spawn()
    wait_for(
        lambda: "Re-joined to previously known node" in victim.log()[before:],
        15.0,
        "the rejoin",
        interval=0.01,
        seen=lambda: victim.log()[before:],
    )
    seconds = time.monotonic() - started
    victim.wait_until_up()
    return seconds


def test_nothing_that_was_shown_is_forgotten(new_cluster: NewCluster, tmp_path: Path) -> None:
    random = Random(4)
    (tmp_path / "more.toml").write_text(CONFIG)
    state = tmp_path / "state"
    cluster = new_cluster(profile="local", log_level="INFO")
    peer, changing = cluster.start(gossipd=2)
    changing.options = replace(changing.options, join=(peer.options.bind,))
    more = ("--data-dir", str(state), "--config", str(tmp_path / "more.toml"))
    victim = cluster.prepare(GOSSIPD, "victim", more=more)
    victim.start()
    cluster.join_all()
    cluster.wait_until_all_alive()
    last_time, events, tag_changes = 0, 0, 0
    rejoins: list[float] = []
    for number in range(ROUNDS):
        delay = random.uniform(0.05, BURST_SECONDS)
        notes = kill_in_a_burst(victim, peer, changing, delay, number)
        known, tags = read_snapshot(state / "snapshot"), read_tags(state / "tags.json")
        assert known.memory.event_clock >= notes.event_time, "an event would be shown again"
        assert all(ltime > last_time for ltime in notes.events), "an event was shown again"
        last_time = max(last_time, known.memory.event_clock)
        for name, event in notes.members.items():
            if event in ("member-join", "member-update"):
                assert name in known.alive, f"{name} was shown as there"
            elif event == "member-failed":
                assert name in known.failed or name in known.alive, f"{name} was known"
        for key, value in notes.tags.items():
            assert tags[key] >= value, f"tag {key}={value} was shown"
        events += len(notes.events)
        tag_changes += notes.updates
        rejoins.append(restart(victim))
        assert read_tags(state / "tags.json") == tags
        with victim.rpc() as probe:
            shown = probe.members()["victim"]["Tags"]
            assert {key: int(text) for key, text in shown.items()} == tags
            assert int(probe.stats()["serf"]["event_time"]) > last_time
            assert probe.stats()["gossipd"]["snapshot"] == "ok"
    sys.stdout.write(
        f"\n{ROUNDS} kills: {events} events and {tag_changes} tag changes shown;"
        f" rejoined within {max(rejoins):.2f} s of the start of the process,"
        f" median {sorted(rejoins)[len(rejoins) // 2]:.2f} s\n"
    )
