"""Writes over HTTP to real daemons: kept over a kill, seen by all; commands of operators."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from support.agents import GOSSIPD, AgentProcess
from support.clusters import Cluster, NewCluster
from support.waiting import wait_for

HTTP_PORT = 8500
TOKEN = "the-token-that-commands"


def start(cluster: Cluster, *more: str, join: tuple[str, ...] = ()) -> AgentProcess:
    """Return a daemon that answers HTTP."""
    http = f"{cluster.next_host()}:{HTTP_PORT}"
    agent = cluster.prepare(GOSSIPD, join=join, more=("--http-addr", http, *more))
    agent.start()
    return agent


def ask(
    agent: AgentProcess, method: str, path: str, body: object = None, *, token: str = ""
) -> tuple[int, str]:
    """Return status and text of the answer."""
    request = urllib.request.Request(
        f"http://{agent.options.more[1]}/v1/{path}",
        None if body is None else json.dumps(body).encode(),
        {"X-Consul-Token": token} if token else {},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def read(agent: AgentProcess, path: str) -> Any:
    status, text = ask(agent, "GET", path)
    assert status == 200, text
    return json.loads(text)


def test_what_was_registered_survives_a_kill_with_its_status(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    cluster = new_cluster(profile="local")
    agent = start(cluster, "--data-dir", str(tmp_path))
    body = {"Name": "web", "ID": "web/a:1", "Check": {"TTL": "10m"}, "Meta": {"v": "1"}}
    assert ask(agent, "PUT", "agent/service/register", body) == (200, "")
    assert ask(agent, "PUT", "agent/check/warn/service:web%2Fa:1?note=so+so") == (200, "")
    external = {"Node": "ext", "Address": "127.0.0.75", "NodeMeta": {"rack": "r1"},
                "Service": {"ID": "s1", "Service": "db"},
                "Check": {"CheckID": "c", "Status": "passing"}}  # fmt: skip
    assert ask(agent, "PUT", "catalog/register", external) == (200, "true")
    assert ask(agent, "PUT", "agent/maintenance?enable=true&reason=works") == (200, "")
    time.sleep(1.5)  # what is registered is written in a moment, and not with each word
    before = read(agent, "agent/checks"), read(agent, "agent/services")
    agent.kill()
    agent.start()
    after = read(agent, "agent/checks"), read(agent, "agent/services")
    assert _without_indexes(after) == _without_indexes(before)
    assert after[0]["service:web/a:1"]["Status"] == "warning"
    assert after[0]["_node_maintenance"]["Output"] == "works"
    (entry,) = read(agent, "health/service/db")
    assert entry["Node"]["Node"] == "ext"
    assert entry["Service"]["ID"] == "s1"


def _without_indexes(items: Any) -> Any:
    if isinstance(items, dict):
        return {
            key: _without_indexes(value)
            for key, value in items.items()
            if not key.endswith("Index")
        }
    return [_without_indexes(item) for item in items] if isinstance(items, tuple | list) else items


def test_members_are_commanded(new_cluster: NewCluster) -> None:
    cluster = new_cluster(profile="local")
    first, second = start(cluster), start(cluster)
    host = second.options.bind
    assert ask(first, "PUT", f"agent/join/{host}") == (200, "")
    wait_for(lambda: len(read(second, "agent/members")) == 2, 10, "both to know each other")
    assert ask(second, "PUT", "agent/service/register", {"Name": "web", "Port": 1})[0] == 200
    wait_for(lambda: len(read(first, "health/service/web?passing")) == 1, 10, "web to be seen")
    status, text = ask(first, "PUT", f"agent/join/{cluster.next_host()}:1")
    assert status == 500
    assert 0 < len(text) < 80
    assert ask(second, "PUT", "agent/reload")[0] == 200
    assert ask(second, "PUT", "agent/leave") == (200, "")
    assert second.wait_until_ended() == 0
    wait_for(lambda: read(first, "health/service/web") == [], 10, "web to be gone")
    assert ask(first, "PUT", f"agent/force-leave/{second.name}?prune") == (200, "")
    wait_for(lambda: len(read(first, "agent/members")) == 1, 10, "the member to be forgotten")


def test_who_has_no_token_writes_nothing(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    agent = start(cluster, "--http-token", TOKEN)
    body = {"Name": "web", "Check": {"Args": ["/bin/true"], "Interval": "5s"}}
    assert ask(agent, "PUT", "agent/service/register", body)[0] == 401
    assert ask(agent, "PUT", "agent/service/register", body, token="x")[0] == 403
    status, text = ask(agent, "PUT", "agent/service/register", body, token=TOKEN)
    assert (status, text) == (
        400, "Invalid check: scripts are not taken; the option is http.script_checks"
    )  # fmt: skip
    assert ask(agent, "PUT", "agent/service/register", {"Name": "web"}, token=TOKEN)[0] == 200
    assert list(read(agent, "agent/services")) == ["web"]
    assert TOKEN not in agent.log()
