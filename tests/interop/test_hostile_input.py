"""A live daemon under hostile input: it stays up, believes nothing, and counts it.

The probes are the vectors sent to real nodes (``vectors/gossip/probes.json``);
garbage comes from a seeded generator, so that a failure can be repeated.
"""

from __future__ import annotations

import errno
import json
import random
import socket
from pathlib import Path
from typing import Any

import pytest

from support.agents import AgentProcess
from support.clusters import NewCluster
from support.waiting import wait_for

pytestmark = pytest.mark.interop

PROBES = Path(__file__).parent / "vectors" / "gossip" / "probes.json"
PACKETS = 400
STREAMS = 60
SEED = 2026


def load_probes() -> list[dict[str, Any]]:
    """Return the probes as they stand in the vector file."""
    probes: list[dict[str, Any]] = json.loads(PROBES.read_text(encoding="utf-8"))
    return probes


def gossip_address(agent: AgentProcess) -> tuple[str, int]:
    """Return where ``agent`` listens for gossip."""
    host, _, port = agent.options.bind.rpartition(":")
    return host, int(port)


def send_packets(agent: AgentProcess, source: str, packets: list[bytes]) -> None:
    """Send datagrams from ``source``; answers are not read."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((source, 0))
        for packet in packets:
            sender.sendto(packet, gossip_address(agent))


def send_stream(agent: AgentProcess, source: str, data: bytes) -> bytes:
    """Send ``data`` on one stream, end it, and return what came back."""
    with socket.create_connection(gossip_address(agent), 5.0, (source, 0)) as stream:
        answer = b""
        try:
            stream.sendall(data)
            stream.shutdown(socket.SHUT_WR)
            while part := stream.recv(65536):
                answer += part
        except OSError as error:
            # closed on us while we were talking: a legal way to refuse
            if error.errno not in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN):
                raise
        return answer


def garbage(chance: random.Random) -> list[bytes]:
    """Return random bytes, and legal packets with bytes flipped, cut or doubled."""
    legal = [bytes.fromhex(probe["bytes_hex"]) for probe in load_probes()]
    packets = []
    for _ in range(PACKETS):
        data = bytearray(chance.choice(legal))
        match chance.randrange(4):
            case 0:
                data = bytearray(chance.randbytes(chance.randrange(1, 1500)))
            case 1:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            case 2:
                del data[chance.randrange(len(data)) :]
            case _:
                data += chance.randbytes(chance.randrange(200))
        packets.append(bytes(data))
    return packets


def dropped(agent: AgentProcess) -> int:
    """Return how many inputs ``agent`` says it has dropped."""
    with agent.rpc() as probe:
        sections = probe.stats()
    return sum(
        int(value)
        for section, values in sections.items()
        for key, value in values.items()
        if "dropped" in section or "dropped" in key
        if value.isdigit()
    )


@pytest.fixture
def victim_and_friend(new_cluster: NewCluster) -> list[AgentProcess]:
    """Return two joined daemons; the first is the one to be attacked."""
    cluster = new_cluster()
    agents = cluster.start(gossipd=2)
    cluster.join_all()
    cluster.wait_until_all_alive(5.0)
    return agents


def check_unharmed(agents: list[AgentProcess], before: list[dict[str, str]]) -> None:
    """Fail if a daemon ended, or lists anything else than before."""
    assert all(agent.is_running for agent in agents)
    assert [agent.statuses() for agent in agents] == before
    assert "Traceback" not in agents[0].log()


def test_the_probes_of_the_vectors_do_not_change_the_member_list(
    victim_and_friend: list[AgentProcess], new_cluster: NewCluster
) -> None:
    victim = victim_and_friend[0]
    stranger = new_cluster().next_host()
    before = [agent.statuses() for agent in victim_and_friend]
    counted = dropped(victim)
    for probe in load_probes():
        data = bytes.fromhex(probe["bytes_hex"])
        if probe["transport"] == "udp":
            send_packets(victim, stranger, [data])
        else:
            send_stream(victim, stranger, data)
        assert victim.is_running, probe["name"]
    wait_for(lambda: dropped(victim) > counted, 5.0, "the drops to be counted")
    check_unharmed(victim_and_friend, before)


def test_garbage_on_both_ports_does_not_change_the_member_list(
    victim_and_friend: list[AgentProcess], new_cluster: NewCluster
) -> None:
    victim = victim_and_friend[0]
    stranger = new_cluster().next_host()
    before = [agent.statuses() for agent in victim_and_friend]
    counted = dropped(victim)
    packets = garbage(random.Random(SEED))
    send_packets(victim, stranger, packets)
    for data in packets[:STREAMS]:
        send_stream(victim, stranger, data)
    send_stream(victim, stranger, bytes(1 << 20))
    wait_for(lambda: dropped(victim) >= counted + 100, 5.0, "the drops to be counted")
    check_unharmed(victim_and_friend, before)


def test_a_stream_that_never_speaks_does_not_keep_others_out(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    silent_at, other = cluster.start(gossipd=2)
    stranger = cluster.next_host()
    silent = [
        socket.create_connection(gossip_address(silent_at), 5.0, (stranger, 0)) for _ in range(200)
    ]
    try:
        with other.rpc() as probe:
            assert probe.join(silent_at.options.bind) == 1
    finally:
        for stream in silent:
            stream.close()
    cluster.wait_until_all_alive(5.0)


def test_an_encrypted_daemon_drops_every_plain_probe(new_cluster: NewCluster) -> None:
    cluster = new_cluster(encrypt="AAECAwQFBgcICQoLDA0ODw==")
    (victim,) = cluster.start(gossipd=1)
    stranger = cluster.next_host()
    counted = dropped(victim)
    packets = [bytes.fromhex(p["bytes_hex"]) for p in load_probes() if p["transport"] == "udp"]
    send_packets(victim, stranger, packets)
    wait_for(lambda: dropped(victim) >= counted + len(packets), 5.0, "every drop to be counted")
    assert victim.statuses() == {victim.name: "alive"}


def test_the_daemons_log_is_free_of_tracebacks_after_an_ordinary_life(
    new_cluster: NewCluster,
) -> None:
    cluster = new_cluster()
    agents = cluster.start(gossipd=2)
    cluster.join_all()
    cluster.wait_until_all_alive(5.0)
    agents[0].interrupt()
    assert agents[0].wait_until_ended() == 0
    cluster.wait_until_shown(agents[0].name, "left", 10.0)
    assert all("Traceback" not in agent.log() for agent in cluster.agents)
