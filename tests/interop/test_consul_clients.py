"""Published clients of Consul's HTTP API against a gossipd: register, report, wait, deregister."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from support import consul_clients
from support.agents import GOSSIPD, AgentProcess
from support.clusters import NewCluster
from support.consul_clients import NODE_CLIENT, PYTHON_CLIENTS
from support.peers import skip_or_fail

pytestmark = pytest.mark.interop

HTTP_PORT = 8500
PASSING = ["web-a", 9001]


@pytest.fixture
def agent(new_cluster: NewCluster) -> AgentProcess:
    """Return a daemon that answers HTTP."""
    cluster = new_cluster()
    host = cluster.next_host()
    agent = cluster.prepare(GOSSIPD, more=("--http-addr", f"{host}:{HTTP_PORT}"))
    agent.start()
    return agent


def calls_of(client: str, agent: AgentProcess) -> dict[str, Any]:
    try:
        consul_clients.install(client)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
        skip_or_fail(f"needs {client}, which cannot be installed: {error}")
    host = agent.options.more[1].partition(":")[0]
    done = consul_clients.run(client, host, str(HTTP_PORT))
    assert done.returncode == 0, done.stderr[-3000:]
    shown = json.loads(done.stdout)
    assert isinstance(shown, dict)
    return shown


def look_at_what_all_do(shown: dict[str, Any], agent: AgentProcess) -> None:
    name = agent.name
    assert shown["leader"] == agent.options.bind
    assert shown["before"] == shown["passing_before"] == shown["in_maintenance"] == []
    assert shown["entries"] == shown["passing"] == [[name, "web-a", 9001]]
    assert shown["tags"] == [["http", "blue"]]
    assert shown["critical"] == {"serfHealth": "passing", "service:web-a": "critical"}
    assert shown["checks"] == {"service:web-a": "critical"}
    assert shown["output"] == "fine"
    assert shown["own"] == shown["one"] == ["web-a"]
    assert sorted(shown["named"]) == ["blue", "http"]
    assert shown["gone"] == []
    assert shown["woken_by_pass"] is True
    assert shown["woken_by_deregister"] is True
    assert shown["listed"] == [shown["fired"]]


@pytest.mark.parametrize("client", PYTHON_CLIENTS)
def test_clients_of_python(agent: AgentProcess, client: str) -> None:
    shown = calls_of(client, agent)
    look_at_what_all_do(shown, agent)
    for done in (
        "registered", "warned", "failed", "passed", "maintained", "back", "check_added",
        "check_removed", "external", "external_removed",
    ):  # fmt: skip
        assert shown[done] is True, done
    assert shown["unknown_check"] is False
    assert shown["external_seen"] == [["ext", "s1", 80]]
    assert shown["external_gone"] == []
    assert shown["kv"] == "501 KV store not offered by gossipd: needs consensus"


def test_the_client_of_node(agent: AgentProcess) -> None:
    shown = calls_of(NODE_CLIENT, agent)
    look_at_what_all_do(shown, agent)
    assert shown["unknown_check"][0] == shown["unknown_service"][0] == 404
    assert shown["refused_check"] == [400, "Invalid check: type not supported by gossipd: H2PING"]
    assert shown["kv"] == [501, "KV store not offered by gossipd: needs consensus"]
