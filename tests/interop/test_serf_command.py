"""The ``serf`` command against a gossipd: the same output as against a Serf agent.

Each test asks both kinds the same and compares the shape: names, addresses
and times are replaced, everything else must be equal.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import time

import pytest

from support.agents import GOSSIPD, SERF, AgentKind, AgentProcess
from support.clusters import Cluster, NewCluster
from support.waiting import wait_for

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("serf_program")]

BOTH: list[AgentKind] = [SERF, GOSSIPD]


def serf(agent: AgentProcess, command: str, *words: str) -> tuple[int, str]:
    """Run the ``serf`` command against ``agent``; returns exit code and output."""
    done = subprocess.run(
        ["serf", command, "-rpc-addr", agent.options.rpc, *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def neutral(text: str, agent: AgentProcess) -> str:
    """Return ``text`` with addresses and the agent's own name replaced, lines sorted."""
    text = re.sub(r"127\.\d+\.\d+\.\d+", "ADDRESS", text)
    text = re.sub(rf"\b{re.escape(agent.name)}\b", "NAME", text)
    return "\n".join(sorted(text.splitlines()))


def pair(new_cluster: NewCluster, **settings: object) -> list[AgentProcess]:
    """Return one lone agent of each kind."""
    cluster = new_cluster(**settings)
    agents = [cluster.prepare(kind) for kind in BOTH]
    for agent in agents:
        agent.spawn()
    for agent in agents:
        agent.wait_until_up()
    return agents


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("-detailed",),
        ("-status", "alive"),
        ("-status", "failed"),
        ("-name", "nobody"),
        ("-tag", "role=we.*"),
        ("-tag", "role=db"),
        ("-format", "json"),
        ("-format", "xml"),
    ],
    ids=" ".join,
)
def test_members_prints_the_same(new_cluster: NewCluster, words: tuple[str, ...]) -> None:
    outputs = [
        (code, neutral(text, agent))
        for agent in pair(new_cluster, tags={"role": "web"})
        for code, text in [serf(agent, "members", *words)]
    ]
    assert outputs[0] == outputs[1]


def test_info_has_every_section_and_key_of_serf(new_cluster: NewCluster) -> None:
    stats = []
    for agent in pair(new_cluster, tags={"role": "web"}):
        code, text = serf(agent, "info", "-format", "json")
        assert code == 0
        stats.append(json.loads(text))
        assert serf(agent, "info")[0] == 0
    theirs, ours = stats
    for section, values in theirs.items():
        assert set(values) <= set(ours[section]), section
    assert ours["tags"] == {"role": "web"}
    assert ours["serf"]["members"] == theirs["serf"]["members"] == "1"
    assert ours["serf"]["encrypted"] == "false"
    assert all(isinstance(value, str) for values in ours.values() for value in values.values())


def test_join_force_leave_and_leave_print_the_same(new_cluster: NewCluster) -> None:
    outputs: list[list[tuple[int, str]]] = []
    for agent, other in zip(pair(new_cluster), reversed(pair(new_cluster)), strict=True):
        outputs.append(
            [
                serf(agent, "join", other.options.bind),
                serf(agent, "join", other.options.bind, f"{agent.options.bind}"),
                serf(agent, "force-leave", "nobody"),
                serf(agent, "force-leave", "-prune", "nobody"),
                serf(agent, "leave"),
            ]
        )
        assert agent.wait_until_ended() == 0
    assert outputs[0] == outputs[1]


def test_join_of_a_dead_address_fails_the_same(new_cluster: NewCluster) -> None:
    outputs = []
    for agent in pair(new_cluster):
        nobody = agent.options.bind.replace(":7946", ":9")
        code, text = serf(agent, "join", nobody)
        outputs.append((code, text.splitlines()[0], "refused" in text))
    assert outputs[0] == outputs[1] == (1, outputs[0][1], True)


def test_tags_are_set_and_deleted_the_same(new_cluster: NewCluster) -> None:
    outputs = []
    for agent in pair(new_cluster, tags={"role": "web", "old": "1"}):
        code, text = serf(agent, "tags", "-set", "dc=east", "-set", "role=db", "-delete", "old")
        with agent.rpc() as probe:
            outputs.append((code, text, probe.members()[agent.name]["Tags"]))
        too_long = serf(agent, "tags", "-set", "long=" + "x" * 600)
        outputs.append((*too_long, None))
    assert outputs[0] == outputs[2]
    assert outputs[0][2] == {"role": "db", "dc": "east"}
    text = "Error setting tags: Encoded length of tags exceeds limit of {}\n"
    assert outputs[1] == (1, text.format("512 bytes"), None)
    # twelve bytes of the meta say which life of the node its services are of
    assert outputs[3] == (1, text.format("500 bytes (512 with catalog.enabled = false)"), None)


def test_reachability_finds_every_member_of_a_mixed_cluster(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    cluster.start(serf=2, gossipd=2)
    cluster.join_all()
    cluster.wait_until_all_met(5.0)
    for kind in BOTH:
        code, text = serf(cluster.of(kind)[0], "reachability", "-verbose")
        assert code == 0, text
        for agent in cluster.agents:
            assert f"Ack from '{agent.name}'" in text
        assert "Total members: 4, live members: 4" in text
        assert "Successfully contacted all live nodes" in text


@pytest.mark.parametrize("kind", BOTH, ids=lambda kind: kind.name)
def test_monitor_shows_log_lines_and_events(new_cluster: NewCluster, kind: AgentKind) -> None:
    (agent,) = new_cluster().start(**{kind.name: 1})
    monitor = subprocess.Popen(
        ["serf", "monitor", "-rpc-addr", agent.options.rpc, "-log-level", "info"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        seen = read_until(monitor, b"[INFO] serf: EventMemberJoin: ", 10.0)
        update = b'Event: "member-update"'
        with agent.rpc() as probe:  # the stream begins a moment after the log
            for number in range(10):
                probe.set_tags({"changed": str(number)})
                # the first may still be the agent's own join, with the newest tags
                seen += read_until(monitor, update, 4.0)
                if update in seen:
                    break
    finally:
        monitor.terminate()
        monitor.communicate()
    text = seen.decode()
    assert f"EventMemberJoin: {agent.name} 127." in text
    assert "\nEvent Info:\n" in text
    assert 'Event: "member-update"' in text


def test_a_wrong_token_is_refused_with_serfs_words(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    agent = cluster.prepare(GOSSIPD, more=("--rpc-auth", "sesame"))
    agent.spawn()

    def answers() -> bool:
        code, text = serf(agent, "members", "-rpc-auth", "sesame")
        return code == 0 and agent.name in text

    wait_for(answers, 15.0, "the daemon", seen=agent.log)
    assert serf(agent, "members", "-rpc-auth", "wrong") == (
        1,
        "Error connecting to Serf agent: Invalid authentication token\n",
    )
    assert serf(agent, "members") == (1, "Error retrieving members: Authentication required\n")


def test_leave_by_the_serf_command_is_seen_as_left_by_a_serf(new_cluster: NewCluster) -> None:
    cluster: Cluster = new_cluster()
    theirs, ours = cluster.start(serf=1, gossipd=1)
    cluster.join_all()
    cluster.wait_until_all_alive(5.0)
    assert serf(ours, "leave") == (0, "Graceful leave complete\n")
    assert ours.wait_until_ended() == 0
    cluster.wait_until_shown(ours.name, "left", 10.0)
    assert theirs.is_running


def read_until(process: subprocess.Popen[bytes], word: bytes, timeout: float) -> bytes:
    """Return the next output of ``process``, up to ``word`` or for ``timeout`` seconds."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    deadline = time.monotonic() + timeout
    seen = b""
    while word not in seen and (left := deadline - time.monotonic()) > 0:
        if select.select([descriptor], [], [], left)[0]:
            data = os.read(descriptor, 65536)
            assert data, f"monitor ended: {seen!r}"
            seen += data
    return seen
