"""Two Serf nodes that cannot reach each other, and a gossipd between them.

Whatever one Serf node says reaches the other only because gossipd carries it
on: membership, indirect probes, user events and queries, byte for byte.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from support.agents import GOSSIPD, SERF, AgentKind, AgentOptions, AgentProcess
from support.clusters import GOSSIP_PORT, RPC_PORT, Cluster, NewCluster
from support.namespaces import END_HOSTS, MIDDLE_HOST, Chain, NoNamespaces, inside
from support.peers import skip_or_fail

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("serf_program")]

PAYLOADS = [b"", b"v42", bytes(range(256)), "smörgås 🧇".encode()]
ARRIVAL_SECONDS = 10.0
PROBED_SECONDS = 6.0
"""Several probe rounds and more than the shortest suspicion (4 s)."""
ASKED_MAX = 5
"""Serf picks relays by chance and now and then only the asker, whom it cannot reach."""

QUESTION = {
    "Name": "load",
    "Payload": b"\x00\xffhow much?",
    "RequestAck": True,
    "RelayFactor": 2,
    "FilterNodes": ["c"],
    "Timeout": 1_000_000_000,
}


@pytest.fixture
def chain() -> Iterator[Chain]:
    """Return three network namespaces in a row."""
    try:
        made = Chain()
    except NoNamespaces as missing:
        skip_or_fail(str(missing))
    yield made
    made.close()


@pytest.fixture
def cluster(chain: Chain, new_cluster: NewCluster) -> Cluster:
    """Return a joined cluster: Serf ``a``, gossipd ``b``, Serf ``c``."""
    cluster = new_cluster()
    folder = cluster.prepare(GOSSIPD, "unused").options.folder
    cluster.agents.clear()

    def place(kind: AgentKind, name: str, namespace: str, host: str) -> AgentProcess:
        options = AgentOptions(
            name=name,
            bind=f"{host}:{GOSSIP_PORT}",
            rpc=f"{host}:{RPC_PORT}",
            folder=folder,
            wrapper=chain.wrapper(namespace),
        )
        connect = chain.connector(namespace, options.rpc)
        return cluster.adopt(AgentProcess(kind, options, connect))

    left = place(SERF, "a", chain.left, END_HOSTS[0])
    middle = place(GOSSIPD, "b", chain.middle, MIDDLE_HOST)
    right = place(SERF, "c", chain.right, END_HOSTS[1])
    for agent in (middle, left, right):
        agent.start()
    for namespace, other in ((chain.left, right), (chain.right, left)):
        with inside(namespace), pytest.raises(TimeoutError):
            socket.create_connection((other.options.bind.split(":")[0], GOSSIP_PORT), 0.3)
    cluster.join_all(through=middle)
    cluster.wait_until_all_alive(10.0)
    return cluster


def test_user_events_arrive_unchanged_through_a_gossipd(cluster: Cluster) -> None:
    left, _, right = cluster.agents
    with left.rpc() as sender, right.rpc() as listener:
        listener.follow("user")
        for number, payload in enumerate(PAYLOADS):
            sender.event(f"event-{number}", payload)
            record = listener.next_record(ARRIVAL_SECONDS)
            assert record["Name"] == f"event-{number}"
            assert (record["Payload"] or b"") == payload
            assert record["Coalesce"] is False


def test_queries_and_their_relayed_answers_pass_a_gossipd(cluster: Cluster) -> None:
    left, _, right = cluster.agents
    with left.rpc() as asker, right.rpc() as answerer:
        answerer.follow("query:load")
        got: set[tuple[str, str, bytes | None]] = set()
        wanted = {("ack", "c", None), ("response", "c", b"0.42\x00")}
        for _ in range(ASKED_MAX):
            asker.call("query", QUESTION)
            question = answerer.next_record(ARRIVAL_SECONDS)
            assert question["Name"] == "load"
            assert question["Payload"] == QUESTION["Payload"]
            answerer.call("respond", {"ID": question["ID"], "Payload": b"0.42\x00"})
            while (record := asker.next_record(ARRIVAL_SECONDS))["Type"] != "done":
                got.add((record["Type"], record["From"], record["Payload"]))
            if wanted <= got:
                return
    assert wanted <= got


def test_nodes_without_a_route_to_each_other_stay_alive_through_indirect_probes(
    cluster: Cluster,
) -> None:
    left, middle, right = cluster.agents
    with left.rpc() as first, right.rpc() as second, middle.rpc() as third:
        for probe in (first, second, third):
            probe.follow("member-failed,member-leave")
        for probe, seconds in ((first, PROBED_SECONDS), (second, 0.1), (third, 0.1)):
            with pytest.raises(TimeoutError):
                probe.next_record(seconds)
    cluster.wait_until_all_alive(0.0)
