"""The published Python client ``serfclient`` against a gossipd."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from support.agents import GOSSIPD, AgentProcess
from support.clusters import NewCluster
from support.peers import skip_or_fail

pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def client_of(agent: AgentProcess) -> Any:
    """Return a connected ``SerfClient``."""
    try:
        from serfclient.client import SerfClient
    except ImportError:
        skip_or_fail("needs the Python package serfclient")
    host, _, port = agent.options.rpc.rpartition(":")
    return SerfClient(host=host, port=int(port))


def test_serfclient_reads_members_and_stats_and_changes_the_cluster(
    new_cluster: NewCluster,
) -> None:
    cluster = new_cluster()
    first = cluster.prepare(GOSSIPD, tags={"role": "web"})
    second = cluster.prepare(GOSSIPD, tags={"role": "db"})
    for agent in (first, second):
        agent.start()
    client = client_of(first)
    try:
        joined = client.join([second.options.bind])
        assert joined.head == {"Error": "", "Seq": 1}
        assert joined.body == {"Num": 1}

        found = {member["Name"]: member for member in client.members().body["Members"]}
        assert set(found) == {first.name, second.name}
        own = found[first.name]
        assert own["Status"] == "alive"
        assert own["Tags"] == {"role": "web"}
        host, _, port = first.options.bind.rpartition(":")
        assert (own["Addr"], own["Port"]) == (socket.inet_aton(host), int(port))

        only = client.members(tags={"role": "db"})
        assert [member["Name"] for member in only.body["Members"]] == [second.name]

        assert client.stats().body["agent"]["name"] == first.name
        assert client.force_leave("nobody").head["Error"] == ""
    finally:
        client.close()


def test_serfclient_sends_events_and_follows_them(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    (agent,) = cluster.start(gossipd=1)
    sender, reader = client_of(agent), client_of(agent)
    try:
        stream = reader.stream(["user:deploy", "query"])
        assert stream.head["Error"] == ""
        for payload, coalesce in ((b"\x00\xffv1", False), ("v2", False), (None, False)):
            assert sender.event("deploy", payload, coalesce=coalesce).head["Error"] == ""
        assert sender.event("other", b"no", coalesce=False).head["Error"] == ""
        seen = [next(stream.body).body for _ in range(3)]
        assert [event["Payload"] for event in seen] == [b"\x00\xffv1", b"v2", None]
        assert {event["Event"] for event in seen} == {"user"}
        assert set(seen[0]) == {"Coalesce", "Event", "LTime", "Name", "Payload"}
    finally:
        sender.close()
        reader.close()
