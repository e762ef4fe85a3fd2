"""Event handlers of real agents: ours are given what Serf's are, and answer as they do."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.agents import GOSSIPD, SERF, AgentProcess, agent_environment
from support.clusters import NewCluster
from support.waiting import wait_for

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("serf_program")]

PATIENCE = 20.0
"""Seconds for an event to travel, be coalesced and be handled."""
NOTE = "{ env | grep ^SERF_ | sort; echo --; cat; } > %s.new; mv %s.new %s"
"""A script that writes down what it was given, in one go."""


def serf(agent: AgentProcess, command: str, *words: str) -> str:
    done = subprocess.run(
        ["serf", command, "-rpc-addr", agent.options.rpc, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def noting(filters: str, path: Path) -> Sequence[str]:
    script = NOTE % (path, path, path)
    return ["-event-handler", f"{filters}={script}"]


def noted(path: Path, agent: AgentProcess) -> str:
    """Wait for what the handler wrote, and take the agent's own name out of it."""

    def read() -> str:
        return path.read_text() if path.exists() else ""

    text = wait_for(read, PATIENCE, f"{path.name} to be written", seen=agent.log)
    path.unlink()
    return text.replace(f"SELF_NAME={agent.name}\n", "SELF_NAME=ours\n")


def test_scripts_are_given_what_serf_gives_them(new_cluster: NewCluster, tmp_path: Path) -> None:
    cluster = new_cluster(tags={"role": "web", "dc-1": "east"})
    agents = []
    for kind in (SERF, GOSSIPD):
        path = tmp_path / kind.name
        more = [
            *noting("user:deploy", path.with_suffix(".user")),
            *noting("query:load", path.with_suffix(".query")),
            *noting("member-update", path.with_suffix(".update")),
            *noting("member-leave", path.with_suffix(".leave")),
        ]
        agents.append(cluster.prepare(kind, more=more))
    other = cluster.prepare(SERF, tags={"role": "db"})
    for agent in (*agents, other):
        agent.spawn()
    for agent in (*agents, other):
        agent.wait_until_up()
    cluster.join_all()

    def compare(suffix: str) -> str:
        texts = [noted(tmp_path / f"{a.kind.name}{suffix}", a) for a in agents]
        assert texts[0] == texts[1]
        return texts[0]

    serf(other, "event", "-coalesce=false", "deploy", "v1.2.3")
    assert compare(".user").endswith("SERF_USER_EVENT=deploy\nSERF_USER_LTIME=1\n--\nv1.2.3\n")
    serf(other, "query", "-timeout", "1s", "load", "now")
    assert "SERF_QUERY_NAME=load" in compare(".query")
    serf(other, "tags", "-set", "role=a\tb", "-delete", "dc-1")
    update = compare(".update")
    assert re.search(r"\n--\ns2\t127\.\S+\ta\\tb\trole=a\\tb\n$", update)
    other.leave()
    assert compare(".leave").startswith("SERF_EVENT=member-leave\nSERF_SELF_NAME=ours\n")


def test_a_querys_answer_is_what_a_script_wrote(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    handlers = [
        ("query:load", "echo 0.42; echo never mind >&2"),
        ("query:broken", "echo 1; exit 3"),
        ("query:big", "seq 1 1000"),
        ("query:gone", "/no/such/script"),
        ("query:hang", "sleep 100"),
    ]
    more = [word for f, script in handlers for word in ("-event-handler", f"{f}={script}")]
    asker = cluster.prepare(SERF)
    answerer = cluster.prepare(GOSSIPD, more=[*more, "--handler-timeout", "1s"])
    for agent in (asker, answerer):
        agent.spawn()
    for agent in (asker, answerer):
        agent.wait_until_up()
    cluster.join_all()
    name = answerer.name
    asked = serf(asker, "query", "-timeout", "2s", "load")
    assert f"Response from '{name}': 0.42\n" in asked
    assert "never mind" not in asked
    for query in ("broken", "big", "gone", "hang"):
        answer = serf(asker, "query", "-timeout", "2s", query)
        assert f"Ack from '{name}'" in answer
        assert "Total Responses: 0" in answer
    log = answerer.log()
    assert "[INFO] agent: Received event: query: load" in log
    assert "[ERR] agent: Error invoking script 'echo 1; exit 3': exit status 3" in log
    assert (
        "[ERR] agent: Error invoking script '/no/such/script': exit status 127 (command not found)"
    ) in log
    assert "[ERR] agent: Error invoking script 'sleep 100': killed after 1s" in log
    assert re.search(
        r"\[WARN\] agent: Failed to respond to query 'query: big':"
        r" .*: response exceeds limit of 1024 bytes",
        log,
    )


def test_a_bad_handler_ends_the_start_with_its_name() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gossipd_cli", "agent", "--event-handler", "member-foo=x.sh"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=agent_environment(),
    )
    assert done.returncode == 2
    assert done.stderr == (
        "gossipd agent: --event-handler: Invalid event script: Event 'member-foo' invoking 'x.sh'\n"
    )


def test_handlers_run_while_others_hang_and_end_with_the_daemon(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    cluster = new_cluster()
    pid = tmp_path / "pid"
    asker = cluster.prepare(SERF)
    hanging = f"echo $$ > {pid}.new; mv {pid}.new {pid}; trap '' TERM; while :; do sleep 1; done"
    more = ["-event-handler", f"query:hang={hanging}", "-event-handler", "query:load=echo up"]
    agent = cluster.prepare(GOSSIPD, more=more)
    for one in (asker, agent):
        one.spawn()
    for one in (asker, agent):
        one.wait_until_up()
    cluster.join_all()
    serf(asker, "query", "-timeout", "1s", "hang")
    script = int(wait_for(lambda: pid.exists() and pid.read_text(), PATIENCE, "the script"))
    assert f"Response from '{agent.name}': up\n" in serf(asker, "query", "-timeout", "2s", "load")
    agent.leave()
    assert agent.exit_code == 0
    wait_for(lambda: not Path(f"/proc/{script}").exists(), PATIENCE, "the script to end")
    assert "1 event handler runs cut off, the daemon ends" in agent.log()
