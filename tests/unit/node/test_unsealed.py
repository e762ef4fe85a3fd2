"""What a node sends unsealed is, sealed, what another node would have sent; sizes are exact."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gossipd.address import Address
from gossipd.config.model import NodeConfig, WireConfig
from gossipd.node.effects import OpenStream, SendPacket
from gossipd.node.node import Node
from gossipd.node.unsealed import UnsealedPacket, UnsealedStream
from gossipd.wire.codec import encode_node_state, node_state_bytes
from gossipd.wire.dialect import pack, uint_bytes
from gossipd.wire.messages import NodeState, NodeStatus, Versions

OURS = Address(b"\x0a\0\0\x01", 7946)
THEIRS = Address(b"\x0a\0\0\x02", 7946)
KEY = bytes(range(16))


def config(name: str, *, keys: tuple[bytes, ...] = (), label: str = "") -> NodeConfig:
    return NodeConfig(
        name=name, keys=keys, tags={"role": "web"}, wire=WireConfig(label=label, compression=False)
    )


def nodes(one: NodeConfig, other: NodeConfig) -> tuple[Node, Node]:
    """Return a node that leaves everything unsealed, and one that seals."""
    unsealed = Node(one, OURS, Random(1), Random(2).randbytes, seals=False)
    sealing = Node(other, THEIRS, Random(3), Random(4).randbytes)
    unsealed.start(0.0)
    sealing.start(0.0)
    return unsealed, sealing


def join(unsealed: Node, sealing: Node) -> UnsealedStream:
    """Return the state with which ``unsealed`` joins."""
    unsealed.join(THEIRS, "", 1.0, ignore_old=False)
    (dial,) = [one for one in unsealed.take_effects() if isinstance(one, OpenStream)]
    assert isinstance(dial.data, UnsealedStream)
    return dial.data


@given(
    st.text(max_size=40),
    st.sampled_from((b"", b"\x7f\0\0\x01", bytes(15) + b"\x01")),
    st.integers(0, 65535),
    st.binary(max_size=512),
    st.integers(0, 2**32 - 1),
)
def test_the_length_of_an_entry_is_known_without_encoding_it(
    name: str, ip: bytes, port: int, meta: bytes, incarnation: int
) -> None:
    address = Address(ip, port)
    state = NodeState(name, address, meta, incarnation, NodeStatus.ALIVE, Versions())
    assert node_state_bytes(name, address, meta, incarnation) == len(encode_node_state(state))


@given(st.integers(0, 2**64 - 1))
def test_the_length_of_an_integer_is_known_without_packing_it(value: int) -> None:
    assert uint_bytes(value) == len(pack(value))


def test_a_state_by_reference_joins_as_its_bytes_do() -> None:
    shown = []
    for as_bytes in (False, True):
        unsealed, sealing = nodes(config("a", keys=(KEY,)), config("b", keys=(KEY,)))
        state = join(unsealed, sealing)
        sealing.accept_stream(-1, OURS, 1.0)
        sealing.receive_stream(-1, bytes(state) if as_bytes else state, 1.0)
        shown.append([(m.name, m.status, m.tags) for m in sealing.view().members])
    assert shown[0] == shown[1]
    assert [name for name, _, _ in shown[0]] == ["a", "b"]


def test_the_size_of_a_state_is_that_of_its_bytes_but_for_the_wrappings() -> None:
    unsealed, sealing = nodes(config("a"), config("b"))
    state = join(unsealed, sealing)
    assert state.size == len(bytes(state))


def test_what_was_sealed_with_a_strange_key_or_label_is_dropped_by_reference_too() -> None:
    for theirs in (config("b", keys=(bytes(16),)), config("b", keys=(KEY,), label="blue")):
        unsealed, sealing = nodes(config("a", keys=(KEY,)), theirs)
        state = join(unsealed, sealing)
        sealing.accept_stream(-1, OURS, 1.0)
        sealing.receive_stream(-1, state, 1.0)
        assert [member.name for member in sealing.view().members] == ["b"]
        assert sum(sealing.statistics().dropped.values()) == 1


def test_a_packet_by_reference_is_answered_as_its_bytes_are() -> None:
    answers = []
    for as_bytes in (False, True):
        unsealed, sealing = nodes(config("a", label="blue"), config("b", label="blue"))
        state = join(unsealed, sealing)
        sealing.accept_stream(-1, OURS, 1.0)
        sealing.receive_stream(-1, bytes(state), 1.0)
        sealing.take_effects()
        (packet,) = ping(sealing, unsealed)
        assert packet.size >= len(bytes(packet))
        sealing.receive_packet(bytes(packet) if as_bytes else packet, OURS, 3.0)
        answers.append([bytes(e.data) for e in sealing.take_effects() if type(e) is SendPacket])
    assert answers[0] == answers[1] != []


def ping(sealing: Node, unsealed: Node) -> list[UnsealedPacket]:
    """Return the first ping of ``unsealed`` after it has learnt of the other."""
    unsealed.stream_opened(1, 1.0)
    sealing_state = Node(config("b", label="blue"), THEIRS, Random(5), Random(6).randbytes)
    sealing_state.start(0.0)
    sealing_state.accept_stream(-1, OURS, 1.0)
    sealing_state.join(OURS, "", 1.0, ignore_old=False)
    (dial,) = [one for one in sealing_state.take_effects() if isinstance(one, OpenStream)]
    unsealed.accept_stream(-1, THEIRS, 1.0)
    unsealed.receive_stream(-1, bytes(dial.data), 1.0)
    unsealed.take_effects()
    unsealed.handle_deadline(2.5)
    sent = [one.data for one in unsealed.take_effects() if type(one) is SendPacket]
    return [data for data in sent if isinstance(data, UnsealedPacket) and data.lead is not None]
