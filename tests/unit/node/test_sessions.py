"""Streams of a node, one input at a time: who is answered what, and when it ends."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from random import Random

import pytest

from gossipd.address import Address
from gossipd.config.model import NodeConfig, WireConfig
from gossipd.node.effects import CloseStream, NodeEffect, OpenStream, WriteStream
from gossipd.node.events import OperationFinished, SyncFinished
from gossipd.node.exchange import NODES_PER_PORTION
from gossipd.node.node import Node
from gossipd.node.sessions import HELD_BYTES_MAX, PEER_TEXT_MAX
from gossipd.serf.events import MessageIgnored
from gossipd.wire.dialect import pack
from gossipd.wire.keyring import Keyring
from gossipd.wire.messages import (
    Ack,
    ErrorReply,
    NodeState,
    NodeStatus,
    Ping,
    PushPull,
    StreamMessage,
    UserPayload,
    Versions,
)
from gossipd.wire.packet import PacketLayers, make_compressed
from gossipd.wire.stream import (
    MORE,
    NEED_DATA,
    StreamDecoder,
    encode_stream_message,
)
from gossipd.wire.stream_body import USER_STATE_BYTES_MAX

PEER = Address(b"\x7f\0\0\x09", 7946)
KEY = bytes(32)


class Streams:
    """A node under test and the layers a peer of it would use."""

    def __init__(self, *, keys: tuple[bytes, ...] = (), wire: WireConfig | None = None) -> None:
        self.wire = wire or WireConfig()
        config = NodeConfig(name="us", keys=keys, wire=self.wire)
        self.node = Node(config, Address(b"\x7f\0\0\x01", 7946), Random(1), Random(2).randbytes)
        self.layers = PacketLayers(
            label=self.wire.label,
            keyring=Keyring(keys) if keys else None,
            entropy=Random(3).randbytes,
        )
        self.node.start(0.0)
        self.node.take_effects()
        self.node.take_events()

    def accept(self, stream: int = -1, at: float = 1.0) -> None:
        self.node.accept_stream(stream, PEER, at)

    def send(self, message: StreamMessage, *, stream: int = -1, at: float = 1.0) -> None:
        data = self.layers.seal_stream(encode_stream_message(message), is_dialer=stream < 0)
        self.node.receive_stream(stream, data, at)

    def effects(self, stream: int = -1) -> Sequence[NodeEffect]:
        return [e for e in self.node.take_effects() if getattr(e, "stream", None) == stream]

    def read(self, effect: NodeEffect) -> StreamMessage:
        assert isinstance(effect, WriteStream)
        decoder = StreamDecoder(self.layers, is_dialer=True)
        decoder.feed(bytes(effect.data))
        message = decoder.next_message()
        assert message is not NEED_DATA
        assert message is not MORE
        return message


def member_state(name: str, *, status: NodeStatus = NodeStatus.ALIVE, host: int = 5) -> NodeState:
    return NodeState(name, Address(bytes([127, 0, 0, host]), 7946), b"", 1, status, Versions())


def test_case_55_a_stream_ping_is_acked_for_our_name_and_for_none() -> None:
    streams = Streams()
    for stream, name in ((-1, "us"), (-2, "")):
        streams.accept(stream)
        streams.send(Ping(7, name), stream=stream)
        ack, close = streams.effects(stream)
        assert streams.read(ack) == Ack(7)
        assert close == CloseStream(stream)


def test_case_55_a_stream_ping_for_another_name_is_closed_without_a_reply() -> None:
    streams = Streams()
    streams.accept()
    streams.send(Ping(7, "them"))
    assert streams.effects() == [CloseStream(-1)]


def test_case_47_a_join_is_answered_with_the_same_flag_and_all_nodes_also_those_that_left() -> None:
    streams = Streams()
    streams.accept(-1)
    streams.send(PushPull(False, (member_state("gone"),)), stream=-1)
    streams.accept(-2)
    streams.send(
        PushPull(False, (member_state("gone", status=NodeStatus.LEFT),)), stream=-2, at=2.0
    )
    streams.effects()
    streams.accept(-3)
    streams.send(PushPull(True, ()), stream=-3, at=3.0)
    reply, close = streams.effects(-3)
    state = streams.read(reply)
    assert isinstance(state, PushPull)
    assert state.is_join
    assert {node.node: node.status for node in state.nodes} == {
        "us": NodeStatus.ALIVE,
        "gone": NodeStatus.LEFT,
    }
    assert close == CloseStream(-3)


def test_case_48_a_push_pull_without_nodes_gets_the_full_state() -> None:
    streams = Streams()
    streams.accept()
    streams.send(PushPull(False, ()))
    state = streams.read(streams.effects()[0])
    assert isinstance(state, PushPull)
    assert [node.node for node in state.nodes] == ["us"]
    assert state.user_state


def test_the_reply_holds_our_state_from_before_the_merge() -> None:
    streams = Streams()
    streams.accept()
    streams.send(PushPull(True, (member_state("new"),)))
    state = streams.read(streams.effects()[0])
    assert isinstance(state, PushPull)
    assert [node.node for node in state.nodes] == ["us"]
    assert [member.name for member in streams.node.view().members] == ["new", "us"]


def test_case_50_the_push_pull_that_reaches_the_limit_is_closed_without_a_reply() -> None:
    streams = Streams()
    for stream in range(1, 128):
        streams.accept(-stream)
        streams.node.receive_stream(-stream, b"\x06", 1.0)
    streams.node.take_effects()
    streams.accept(-128)
    streams.send(PushPull(False, ()), stream=-128)
    assert streams.effects(-128) == [CloseStream(-128)]
    assert streams.node.statistics().dropped == {"too-many-streams": 1}
    streams.node.stream_ended(-1, 1.0)
    streams.accept(-129)
    streams.send(PushPull(False, ()), stream=-129)
    assert len(streams.effects(-129)) == 2


def test_case_46_plaintext_to_an_encrypted_node_gets_an_error_reply() -> None:
    streams = Streams(keys=(KEY,))
    streams.accept()
    streams.node.receive_stream(-1, encode_stream_message(PushPull(False, ())), 1.0)
    reply, close = streams.effects()
    error = streams.read(reply)
    assert isinstance(error, ErrorReply)
    assert "not encrypted" in error.text
    assert close == CloseStream(-1)


def test_case_46_ciphertext_to_a_plain_node_gets_an_error_reply() -> None:
    sender, streams = Streams(keys=(KEY,)), Streams()
    streams.accept()
    data = sender.layers.seal_stream(encode_stream_message(PushPull(False, ())), is_dialer=True)
    streams.node.receive_stream(-1, data, 1.0)
    error = streams.read(streams.effects()[0])
    assert error == ErrorReply("Remote state is encrypted and encryption is not configured")


def test_case_44_the_reply_on_a_labelled_stream_has_no_label_header() -> None:
    streams = Streams(wire=WireConfig(label="blue", compression=False), keys=(KEY,))
    streams.accept()
    streams.send(PushPull(False, ()))
    reply = streams.effects()[0]
    assert isinstance(reply, WriteStream)
    assert bytes(reply.data)[0] == 0x0A
    assert isinstance(streams.read(reply), PushPull)


def test_case_43_a_stream_without_the_label_is_closed_silently() -> None:
    streams = Streams(wire=WireConfig(label="blue"))
    streams.accept()
    streams.node.receive_stream(-1, encode_stream_message(PushPull(False, ())), 1.0)
    assert streams.effects() == [CloseStream(-1)]
    assert streams.node.statistics().dropped == {"wrong-label": 1}


def test_case_56_a_user_message_on_a_stream_is_handled_and_not_answered() -> None:
    streams = Streams()
    streams.accept()
    streams.send(UserPayload(b"\xc8\x80"))
    assert streams.effects() == [CloseStream(-1)]
    ignored = [e for e in streams.node.take_events() if isinstance(e, MessageIgnored)]
    assert [event.source for event in ignored] == [PEER]


def test_a_large_state_is_merged_in_portions_and_others_are_served_between_them() -> None:
    streams = Streams()
    crowd = tuple(member_state(f"n{number}") for number in range(2000))
    streams.accept(-1)
    streams.send(PushPull(False, crowd), stream=-1)
    # closing our reading side does not cut what came
    streams.node.stream_ended(-1, 1.0)
    assert len(streams.node.view().members) == 1
    turns = 0
    while (due := streams.node.next_deadline()) is not None and due <= 1.0:
        turns += 1
        streams.accept(-turns - 1)
        streams.send(Ping(turns, "us"), stream=-turns - 1)
        assert streams.read(streams.effects(-turns - 1)[0]) == Ack(turns)
        known = len(streams.node.view().members)
        streams.node.handle_deadline(1.0)
        assert len(streams.node.view().members) - known <= NODES_PER_PORTION
    assert turns >= 8
    assert len(streams.node.view().members) == 2001


def test_states_that_wait_to_be_merged_count_as_exchanges_under_way() -> None:
    streams = Streams(wire=WireConfig(streams_max=3))
    crowd = tuple(member_state(f"n{number}") for number in range(500))
    for stream in (-1, -2, -3):
        streams.accept(stream)
        streams.send(PushPull(False, crowd), stream=stream)
    assert streams.node.statistics().dropped == {"too-many-streams": 1}


class TestMemory:
    """What all streams hold together is bounded, and a hoarder pays for it."""

    BEGUN = b"\x06" + pack({"Join": False, "Nodes": 0, "UserStateLen": USER_STATE_BYTES_MAX})

    def feed(self, streams: Streams, stream: int, mebibytes: int) -> None:
        streams.accept(stream)
        streams.node.receive_stream(stream, self.BEGUN, 1.0)
        for _ in range(mebibytes):
            streams.node.receive_stream(stream, bytes(2**20), 1.0)

    def test_above_the_budget_the_stream_that_holds_most_is_closed(self) -> None:
        streams = Streams()
        for stream, mebibytes in ((-1, 15), (-2, 19), (-3, 15), (-4, 14), (-5, 2)):
            self.feed(streams, stream, mebibytes)
        assert streams.effects(-2) == [CloseStream(-2)]
        assert streams.node.statistics().dropped == {"too-much-held": 1}
        streams.accept(-6)
        streams.send(PushPull(False, (member_state("new"),)), stream=-6)
        assert len(streams.node.view().members) == 2

    def test_what_a_small_message_expands_to_counts(self) -> None:
        bomb = make_compressed(self.BEGUN + bytes(2 * 2**20))
        assert len(bomb) < 5000
        streams = Streams()
        tracemalloc.start()
        try:
            for stream in range(1, 101):
                streams.accept(-stream)
                streams.node.receive_stream(-stream, bomb, 1.0)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 1.25 * HELD_BYTES_MAX
        # two mebibytes of output each at first, and as much that expanding it holds
        assert streams.node.statistics().dropped == {"too-much-held": 100 - 15}

    def test_states_that_wait_to_be_merged_count(self) -> None:
        streams = Streams()
        crowd = tuple(member_state(f"n{number}") for number in range(300))
        # the user states are no Serf message: they are held, and then ignored
        for stream in range(-4, 0):
            streams.accept(stream)
            data = encode_stream_message(PushPull(False, crowd, bytes(15 * 2**20)))
            streams.node.receive_stream(stream, data, 1.0)
        self.feed(streams, -5, 5)
        assert streams.node.statistics().dropped == {"too-much-held": 1}

    def test_what_is_merged_closed_or_failed_is_given_back(self) -> None:
        streams = Streams()
        for stream in range(-30, 0, 3):
            streams.accept(stream)
            data = encode_stream_message(PushPull(False, (), bytes(15 * 2**20)))
            streams.node.receive_stream(stream, data, 1.0)
            self.feed(streams, stream + 1, 15)
            streams.node.stream_failed(stream + 1, "reset", 1.0)
            self.feed(streams, stream + 2, 15)
            streams.node.handle_deadline(11.0)
        assert streams.node.statistics().dropped.keys() == {"unknown-kind", "stream-timeout"}

    def test_our_own_exchange_that_is_closed_says_why(self) -> None:
        streams = Streams()
        streams.node.join(PEER, "", 1.0, ignore_old=True)
        (effect,) = streams.node.take_effects()
        assert isinstance(effect, OpenStream)
        streams.node.receive_stream(effect.stream, self.BEGUN, 1.0)
        streams.node.receive_stream(effect.stream, bytes(19 * 2**20), 1.0)
        for stream in range(-4, 0):
            self.feed(streams, stream, 12)
        ends = [e for e in streams.node.take_events() if isinstance(e, OperationFinished)]
        assert [end.error for end in ends] == [
            "too-much-held: all streams hold over 67108864 bytes"
        ]


def test_an_inbound_stream_that_says_nothing_is_closed_at_its_deadline() -> None:
    streams = Streams()
    streams.accept(at=1.0)
    streams.node.handle_deadline(10.999)
    assert streams.effects() == []
    streams.node.handle_deadline(11.0)
    assert streams.effects() == [CloseStream(-1)]
    assert streams.node.statistics().dropped == {"stream-timeout": 1}


def test_a_stream_that_ends_before_its_first_byte_is_no_error() -> None:
    streams = Streams()
    streams.accept()
    streams.node.stream_ended(-1, 1.0)
    assert streams.effects() == [CloseStream(-1)]
    assert streams.node.statistics().dropped == {}


def test_input_for_a_stream_that_is_closed_already_is_ignored() -> None:
    streams = Streams()
    streams.accept()
    streams.send(Ping(1, "us"))
    streams.effects()
    streams.send(Ping(1, "us"))
    streams.node.stream_ended(-1, 1.0)
    streams.node.stream_failed(-1, "reset", 1.0)
    assert streams.effects() == []


class TestJoining:
    """Our own push/pulls: one operation, one answer, whatever happens."""

    @pytest.fixture
    def streams(self) -> Streams:
        return Streams()

    @pytest.fixture
    def opened(self, streams: Streams) -> OpenStream:
        operation = streams.node.join(PEER, "", 1.0, ignore_old=True)
        assert operation == 1
        (effect,) = streams.node.take_effects()
        assert isinstance(effect, OpenStream)
        assert effect.to == PEER
        assert effect.timeout == 10.0
        return effect

    def finished(self, streams: Streams) -> list[str]:
        events = streams.node.take_events()
        errors = [event.error for event in events if isinstance(event, OperationFinished)]
        assert errors == [event.error for event in events if isinstance(event, SyncFinished)]
        return errors

    def test_the_peers_state_ends_it(self, streams: Streams, opened: OpenStream) -> None:
        streams.node.stream_opened(opened.stream, 1.1)
        streams.send(PushPull(True, (member_state("b"),)), stream=opened.stream)
        assert streams.effects(opened.stream) == [CloseStream(opened.stream)]
        assert self.finished(streams) == [""]
        assert [member.name for member in streams.node.view().members] == ["b", "us"]

    def test_an_error_reply_ends_it_with_its_text(
        self, streams: Streams, opened: OpenStream
    ) -> None:
        streams.send(ErrorReply("no thanks"), stream=opened.stream)
        assert self.finished(streams) == ["no thanks"]

    def test_the_text_of_an_error_reply_cannot_act_on_a_terminal_or_fill_a_log(
        self, streams: Streams, opened: OpenStream
    ) -> None:
        streams.send(ErrorReply("no\x1b[2J\nthanks" + 60_000 * "!"), stream=opened.stream)
        (error,) = self.finished(streams)
        assert error.startswith("no [2J thanks!!!")
        assert len(error) == PEER_TEXT_MAX

    def test_another_answer_ends_it(self, streams: Streams, opened: OpenStream) -> None:
        streams.send(Ack(1), stream=opened.stream)
        (error,) = self.finished(streams)
        assert "something else" in error

    def test_garbage_ends_it(self, streams: Streams, opened: OpenStream) -> None:
        streams.node.receive_stream(opened.stream, b"HTTP/1.1 400 Bad Request\r\n", 2.0)
        (error,) = self.finished(streams)
        assert error
        assert streams.effects(opened.stream) == [CloseStream(opened.stream)]

    def test_a_refused_connection_ends_it(self, streams: Streams, opened: OpenStream) -> None:
        streams.node.stream_failed(opened.stream, "connection refused", 2.0)
        assert self.finished(streams) == ["connection refused"]
        streams.node.handle_deadline(100.0)
        assert self.finished(streams) == []

    def test_silence_ends_it_after_the_timeout(self, streams: Streams, opened: OpenStream) -> None:
        streams.node.stream_opened(opened.stream, 2.0)
        streams.node.handle_deadline(12.0)
        assert self.finished(streams) == ["timed out"]

    def test_case_51_versions_that_do_not_fit_end_it_and_merge_nothing(
        self, streams: Streams, opened: OpenStream
    ) -> None:
        odd = NodeState("b", PEER, b"", 1, NodeStatus.ALIVE, Versions(delegate=9))
        streams.send(PushPull(True, (odd,)), stream=opened.stream)
        (error,) = self.finished(streams)
        assert error
        assert [member.name for member in streams.node.view().members] == ["us"]
