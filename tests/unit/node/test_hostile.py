"""Whatever a peer sends, the node goes on and still knows who it is.

The packets are those captured from real nodes, crafted probes, and many
thousand mutations of both; every one goes through the whole node.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from gossipd.address import Address
from gossipd.config.model import NodeConfig, WireConfig
from gossipd.node.node import Node

VECTORS = Path(__file__).resolve().parents[2] / "interop" / "vectors" / "gossip"
SOURCE = Address(b"\x7f\0\0\x63", 7946)
MUTATIONS = 5000
KEY = bytes(range(32))


def captured(transport: str) -> list[bytes]:
    found = []
    for path in sorted(VECTORS.glob("*.json")):
        for entry in json.loads(path.read_text(encoding="utf-8")):
            if entry.get("transport") == transport and entry.get("bytes_hex"):
                found.append(bytes.fromhex(entry["bytes_hex"]))
    assert len(found) > 50
    return found


def mutated(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        at = random.randrange(len(changed) + 1)
        match random.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([random.randrange(256)])
            case 1:
                del changed[at : at + random.randrange(1, 9)]
            case 2:
                changed[at:at] = random.randbytes(random.randrange(1, 9))
            case _:
                changed = changed[:at]
    return bytes(changed)


def make_node(keys: tuple[bytes, ...], label: str) -> Node:
    config = NodeConfig(name="us", keys=keys, wire=WireConfig(label=label))
    node = Node(config, Address(b"\x7f\0\0\x01", 7946), Random(1), Random(2).randbytes)
    node.start(0.0)
    return node


@pytest.mark.parametrize(("keys", "label"), [((), ""), ((KEY,), ""), ((), "lab-one")])
def test_packets_never_bring_a_node_down(keys: tuple[bytes, ...], label: str) -> None:
    random = Random(5)
    node = make_node(keys, label)
    packets = captured("udp")
    now = 1.0
    for packet in [*packets, *(mutated(random.choice(packets), random) for _ in range(MUTATIONS))]:
        now += 0.01
        node.receive_packet(packet, SOURCE, now)
        node.handle_deadline(now)
        node.take_effects()
        node.take_events()
    statistics = node.statistics()
    assert sum(statistics.dropped.values()) > 100
    assert statistics.claim_queue < 5000
    assert "us" in [member.name for member in node.view().members]
    assert statistics.member_time < 2**63


def test_streams_never_bring_a_node_down() -> None:
    random = Random(6)
    node = make_node((), "")
    streams = captured("tcp")
    now = 1.0
    inputs = [*streams, *(mutated(random.choice(streams), random) for _ in range(MUTATIONS))]
    for index, data in enumerate(inputs, start=1):
        now += 0.01
        node.accept_stream(-index, SOURCE, now)
        cut = random.randrange(len(data) + 1)
        node.receive_stream(-index, data[:cut], now)
        node.receive_stream(-index, data[cut:], now)
        node.stream_ended(-index, now)
        node.handle_deadline(now)
        node.take_effects()
        node.take_events()
    assert sum(node.statistics().dropped.values()) > 100
    assert "us" in [member.name for member in node.view().members]
