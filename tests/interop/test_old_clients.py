"""Published Python clients of the old msgpack generation against a gossipd."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from support.agents import GOSSIPD
from support.clusters import NewCluster
from support.old_clients import old_clients_python
from support.peers import skip_or_fail

pytestmark = pytest.mark.interop

PROGRAMS = Path(__file__).parent / "clients"
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture(scope="module")
def python() -> Path:
    """Return an interpreter that has the old clients."""
    try:
        return old_clients_python()
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
        skip_or_fail(f"needs asyncserf and trio-serf, which cannot be installed: {error}")


@pytest.mark.parametrize("client", ["asyncserf", "trio_serf"])
def test_their_documented_calls_all_work(
    new_cluster: NewCluster, python: Path, client: str
) -> None:
    cluster = new_cluster(encrypt=KEY, more=("--event-handler", "query:load=echo 0.42"))
    first = cluster.prepare(GOSSIPD, tags={"role": "web"})
    second = cluster.prepare(GOSSIPD)
    for agent in (first, second):
        agent.start()
    host, _, port = first.options.rpc.rpartition(":")
    done = subprocess.run(
        [python, "-W", "ignore", PROGRAMS / "async_calls.py", client, host, port,
         second.options.bind],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    shown = json.loads(done.stdout)
    assert [member["Name"] for member in shown["members"]["Members"]] == [first.name]
    assert [member["Tags"] for member in shown["filtered"]["Members"]] == [{"role": "web"}]
    assert shown["joined"] == {"Num": 1}
    assert shown["force_leave"]["Error"] == ""
    assert shown["stats"]["event_handlers"] == {"query:load": "echo 0.42"}
    assert shown["coordinate"]["Ok"] is False  # both put a space before the command's name
    assert shown["keys"]["Keys"] == {KEY: 2}
    assert shown["event"]["Error"] == ""
    assert shown["query"] == sorted(
        [kind, agent.name, payload]
        for agent in (first, second)
        for kind, payload in (("ack", None), ("response", "0.42\n"))
    )
    assert shown["streamed"] == ["user", "foo", "bar"]
    assert shown["answered"] == [["response", "me"]]
