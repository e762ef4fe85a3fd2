"""Streams in pieces and wrappings; numbers are the cases of gossip.md, section 23."""

from __future__ import annotations

import contextlib
import time
import tracemalloc
from typing import Any

import pytest

from gossipd.address import Address
from gossipd.wire import lzw
from gossipd.wire.codec import encode_node_state
from gossipd.wire.dialect import pack
from gossipd.wire.keyring import Keyring
from gossipd.wire.messages import (
    Ack,
    ErrorReply,
    NodeState,
    NodeStatus,
    Ping,
    PushPull,
    UserPayload,
    Versions,
)
from gossipd.wire.packet import PacketLayers, make_compressed
from gossipd.wire.stream import (
    FRAME_BYTES_MAX,
    MORE,
    NEED_DATA,
    StreamDecoder,
    StreamError,
    encode_push_pull,
    encode_stream_message,
)
from gossipd.wire.stream_body import (
    NODES_MAX,
    NODES_PER_PORTION,
    USER_MESSAGE_BYTES_MAX,
    USER_STATE_BYTES_MAX,
)

KEY = b"k" * 16
HOME = Address(b"\x7f\x00\x00\x01", 7946)
PING = encode_stream_message(Ping(9, "b", HOME, "a"))


def layers(**settings: Any) -> PacketLayers:
    return PacketLayers(**{"compression": False, "entropy": bytes, **settings})


def node(name: str, status: NodeStatus = NodeStatus.ALIVE) -> NodeState:
    return NodeState(name, HOME, b"\xff\x80", 3, status, Versions())


def read(data: bytes, receiver: PacketLayers | None = None, *, is_dialer: bool = False) -> Any:
    decoder = StreamDecoder(receiver or layers(), is_dialer=is_dialer)
    decoder.feed(data)
    while (message := decoder.next_message()) is MORE:
        pass
    return message


def refusal(data: bytes, receiver: PacketLayers | None = None, **side: bool) -> tuple[str, bool]:
    """Return the reason, and whether an error reply is owed."""
    with pytest.raises(StreamError) as caught:
        read(data, receiver, **side)
    return caught.value.reason, caught.value.is_reply_owed


def test_case_9_a_length_may_be_an_unsigned_or_a_signed_integer() -> None:
    state = b"\x02" + bytes(722)
    for signed, mark in ((False, b"\xcd\x02\xd3"), (True, b"\xd1\x02\xd3")):
        data = encode_push_pull(True, [], state, signed=signed)
        assert b"\xacUserStateLen" + mark in data
        assert read(data) == PushPull(True, (), state)


def test_case_30_a_stream_is_compressed_even_if_that_is_larger() -> None:
    sealed = layers(compression=True).seal_stream(PING, is_dialer=True)
    assert len(sealed) > len(PING)
    assert sealed == make_compressed(PING)
    assert read(sealed) == Ping(9, "b", HOME, "a")


def test_a_large_state_is_decoded_in_portions_and_comes_out_whole() -> None:
    state = PushPull(False, tuple(node(f"n{number}") for number in range(3000)), b"state")
    plain = encode_stream_message(state)
    for data in (plain, make_compressed(plain)):
        decoder = StreamDecoder(layers(), is_dialer=False)
        decoder.feed(data)
        turns = 0
        while (message := decoder.next_message()) is MORE:
            decoder.feed(b"what follows is nobody's" if data is not plain else b"")
            turns += 1
        assert message == state
        assert turns >= len(state.nodes) // NODES_PER_PORTION


def test_case_31_and_32_a_compressed_stream_must_expand_to_something_bounded() -> None:
    nothing = b"\x09" + pack({"Algo": 0, "Buf": lzw.compress(b"")})
    assert refusal(nothing) == ("empty", True)
    assert refusal(b"\x09" + pack({"Algo": 1, "Buf": b""})) == ("bad-compression", True)


def test_case_31_expanding_over_40_mib_is_refused() -> None:
    assert refusal(b"\x09" + pack({"Algo": 0, "Buf": _endless_run()})) == ("too-large", True)


def _endless_run() -> bytes:
    """Return the codes of a run of zeros far over 40 MiB: a full table, then its longest entry."""
    pool = bits = 0
    width, high = 9, 257
    out = bytearray()
    for code in (256, 0, *range(258, 4096), *(4095,) * 12_000, 257):
        pool |= code << bits
        bits += width
        if code != 256 and high < 4095:
            high += 1
            if high == 1 << width and width < 12:
                width += 1
        out += (pool & (1 << (bits // 8 * 8)) - 1).to_bytes(bits // 8, "little")
        pool >>= bits // 8 * 8
        bits %= 8
    return bytes(out + pool.to_bytes(2, "little"))


def test_case_42_a_changed_length_byte_fails_the_authentication() -> None:
    secret = layers(keyring=Keyring([KEY]))
    sealed = bytearray(secret.seal_stream(PING, is_dialer=True))
    assert read(bytes(sealed), secret) == Ping(9, "b", HOME, "a")
    sealed[4] -= 1
    assert refusal(bytes(sealed), secret) == ("no-key-fits", True)


def test_case_43_a_stream_with_another_label_is_closed_silently() -> None:
    labelled = layers(label="dc1")
    assert read(labelled.seal_stream(PING, is_dialer=True), labelled) == Ping(9, "b", HOME, "a")
    assert refusal(PING, labelled) == ("wrong-label", False)
    assert refusal(b"\xf4\x03dc2" + PING, labelled) == ("wrong-label", False)
    assert refusal(b"\xf4\x03dc1" + PING) == ("wrong-label", False)


def test_case_44_a_reply_has_no_label_header_but_authenticates_the_label() -> None:
    labelled = layers(label="dc1", keyring=Keyring([KEY]))
    reply = labelled.seal_stream(encode_stream_message(Ack(9)), is_dialer=False)
    assert reply[0] == 10
    assert read(reply, labelled, is_dialer=True) == Ack(9)
    stranger = layers(label="dc2", keyring=Keyring([KEY]))
    assert refusal(reply, stranger, is_dialer=True) == ("no-key-fits", False)


def test_case_45_a_label_cut_by_the_end_of_the_stream_is_no_message() -> None:
    decoder = StreamDecoder(layers(label="dc1"), is_dialer=False)
    decoder.feed(b"\xf4\x03d")
    assert decoder.next_message() is NEED_DATA


def test_case_46_plain_to_encrypted_and_the_reverse_are_answered_with_an_error() -> None:
    secret = layers(keyring=Keyring([KEY]))
    assert refusal(PING, secret) == ("plaintext", True)
    sealed = secret.seal_stream(PING, is_dialer=True)
    with pytest.raises(StreamError) as caught:
        read(sealed)
    assert caught.value.is_reply_owed
    assert encode_stream_message(ErrorReply(caught.value.detail)) == (
        b"\x0d\x81\xa5Error\xda\x00\x3aRemote state is encrypted and encryption is not configured"
    )
    lenient = layers(keyring=Keyring([KEY]), verify_incoming=False)
    assert read(PING, lenient) == Ping(9, "b", HOME, "a")


def test_case_47_a_push_pull_keeps_its_join_flag_and_all_states() -> None:
    nodes = tuple(node(f"n{status.value}", status) for status in NodeStatus)
    message = PushPull(True, nodes, b"\x02state")
    assert read(encode_stream_message(message)) == message
    entries = [encode_node_state(each) for each in nodes]
    assert encode_push_pull(True, entries, b"\x02state") == encode_stream_message(message)


def test_case_48_a_push_pull_without_nodes_and_state_is_valid() -> None:
    assert read(encode_push_pull(False, [], b"")) == PushPull(False, (), b"")


@pytest.mark.parametrize(
    ("nodes", "state", "reason"),
    [
        (-1, 0, "malformed"),
        (NODES_MAX + 1, 0, "too-large"),
        (1_048_577, 0, "too-large"),
        (0, -1, "malformed"),
        (0, USER_STATE_BYTES_MAX + 1, "too-large"),
    ],
)
def test_case_49_impossible_counts_are_refused_before_anything_is_read(
    nodes: int, state: int, reason: str
) -> None:
    header = pack({"Join": True, "Nodes": nodes, "UserStateLen": state})
    assert refusal(b"\x06" + header) == (reason, False)


def test_the_largest_legal_counts_only_wait_for_data() -> None:
    header = pack({"Join": True, "Nodes": NODES_MAX, "UserStateLen": USER_STATE_BYTES_MAX})
    assert read(b"\x06" + header) is NEED_DATA


def test_a_node_state_that_is_none_of_the_four_is_refused() -> None:
    data = b"\x06" + pack({"Nodes": 1}) + pack({"Name": "a", "State": 4})
    assert refusal(data) == ("malformed", False)


def test_case_55_a_ping_on_a_stream_is_read() -> None:
    assert read(PING) == Ping(9, "b", HOME, "a")


def test_case_56_a_user_message_on_a_stream_is_read() -> None:
    payload = b"\x03" + bytes(70_000)
    assert read(encode_stream_message(UserPayload(payload))) == UserPayload(payload)
    assert read(b"\x08" + pack({"UserMsgLen": 0})) == UserPayload(b"")
    over = b"\x08" + pack({"UserMsgLen": USER_MESSAGE_BYTES_MAX + 1})
    assert refusal(over) == ("too-large", False)
    assert refusal(b"\x08" + pack({"UserMsgLen": -1})) == ("malformed", False)


def test_an_encrypted_frame_over_20_mib_is_refused_by_its_header() -> None:
    secret = layers(keyring=Keyring([KEY]))
    header = b"\x0a" + (FRAME_BYTES_MAX + 1).to_bytes(4, "big")
    assert refusal(header, secret) == ("too-large", True)
    assert read(b"\x0a" + FRAME_BYTES_MAX.to_bytes(4, "big"), secret) is NEED_DATA


@pytest.mark.parametrize("kind", [1, 3, 4, 5, 7, 11, 12, 99])
def test_a_type_that_opens_no_stream_is_closed_without_reply(kind: int) -> None:
    assert refusal(bytes([kind]) + b"\x80") == ("unknown-kind", False)


def test_encryption_and_compression_are_each_peeled_once() -> None:
    secret = layers(keyring=Keyring([KEY]))
    twice = make_compressed(make_compressed(PING))
    assert refusal(twice) == ("unknown-kind", False)
    inner = secret.seal_stream(PING, is_dialer=True)
    assert refusal(secret.seal_stream(inner, is_dialer=True), secret) == ("unknown-kind", False)
    plain_first = make_compressed(inner)
    lenient = layers(keyring=Keyring([KEY]), verify_incoming=False)
    assert refusal(plain_first, lenient) == ("unknown-kind", False)


def test_a_wrapped_message_that_is_cut_is_refused_not_waited_for() -> None:
    cut = encode_push_pull(True, [encode_node_state(node("a"))], b"state")[:-2]
    assert refusal(make_compressed(cut)) == ("truncated", False)
    secret = layers(keyring=Keyring([KEY]))
    assert refusal(secret.seal_stream(cut, is_dialer=True), secret) == ("truncated", False)


def test_the_end_of_the_stream_is_an_error_only_inside_a_message() -> None:
    untouched = StreamDecoder(layers(), is_dialer=False)
    untouched.end()
    complete = StreamDecoder(layers(), is_dialer=False)
    complete.feed(PING)
    complete.next_message()
    complete.end()
    for piece in (PING[:1], PING[:10], make_compressed(PING)[:10]):
        cut = StreamDecoder(layers(), is_dialer=False)
        cut.feed(piece)
        assert cut.next_message() is NEED_DATA
        with pytest.raises(StreamError):
            cut.end()


def test_bytes_after_the_message_are_ignored() -> None:
    decoder = StreamDecoder(layers(), is_dialer=False)
    decoder.feed(PING + b"TAIL")
    assert decoder.next_message() == Ping(9, "b", HOME, "a")
    decoder.feed(b"\xff" * 100)
    assert decoder.next_message() is NEED_DATA


def test_a_large_stream_in_small_pieces_costs_no_more_than_its_bytes() -> None:
    state = bytes(2_000_000)
    data = encode_push_pull(True, [encode_node_state(node(f"n{n}")) for n in range(2000)], state)
    seconds = []
    for length in (len(data) // 8, len(data)):
        decoder = StreamDecoder(layers(), is_dialer=False)
        begin = time.process_time()
        for start in range(0, length, 100):
            decoder.feed(data[start : start + 100])
            decoder.next_message()
        seconds.append(time.process_time() - begin)
    assert seconds[1] < 3 * 8 * seconds[0], "eight times the bytes, nowhere near 64 times"


@pytest.mark.parametrize(
    "data",
    [
        b"\x06" + pack({"Join": True, "Nodes": NODES_MAX, "UserStateLen": USER_STATE_BYTES_MAX}),
        b"\x08" + pack({"UserMsgLen": USER_MESSAGE_BYTES_MAX}),
        b"\x09\x82\xa4Algo\x00\xa3Buf\xdb\x01\x00\x00\x00",
        b"\x06" + b"\xdc\x00\x80" * 1000,
        b"\x00" + b"\xdd\x01\x00\x00\x00" * 1000,
    ],
    ids=["push/pull", "user message", "compressed", "nested lists", "endless lists"],
)
def test_memory_is_taken_for_what_arrived_not_for_what_is_announced(data: bytes) -> None:
    decoder = StreamDecoder(layers(), is_dialer=False)
    tracemalloc.start()
    try:
        decoder.feed(data)
        with contextlib.suppress(StreamError):
            decoder.next_message()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2_000_000


@pytest.mark.parametrize("kind", [0, 6, 8])
def test_a_map_of_ever_more_unknown_values_is_refused(kind: int) -> None:
    decoder = StreamDecoder(layers(), is_dialer=False)
    decoder.feed(bytes([kind]) + b"\xde\x03\xe8")
    with pytest.raises(StreamError) as caught:
        feed_unknown_values(decoder)
    assert caught.value.reason == "too-large"


def test_many_large_nodes_are_no_single_large_value() -> None:
    entry = encode_node_state(NodeState("n", HOME, bytes(500), 3, NodeStatus.ALIVE, None))
    data = encode_push_pull(True, [entry] * 500, bytes(300_000))
    decoder = StreamDecoder(layers(), is_dialer=False)
    for start in range(0, len(data), 1400):
        decoder.feed(data[start : start + 1400])
        message = decoder.next_message()
    assert isinstance(message, PushPull)
    assert len(message.nodes) == 500


@pytest.mark.parametrize("kind", [0, 6, 8, 9])
def test_an_unfinished_value_is_not_held_as_a_multiple_of_its_bytes(kind: int) -> None:
    of_128 = b"\xdc\x00\x80"
    data = bytes((kind,)) + b"\x82\xa1x" + of_128 + (of_128 + (of_128 + b"\x80" * 128) * 128) * 6
    decoder = StreamDecoder(layers(), is_dialer=False)
    tracemalloc.start()
    try:
        decoder.feed(data)
        with contextlib.suppress(StreamError):
            decoder.next_message()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * len(data)


@pytest.mark.parametrize(
    "data",
    [
        encode_push_pull(False, [encode_node_state(node(f"n{n}")) for n in range(5000)], b""),
        make_compressed(
            encode_push_pull(False, [encode_node_state(node(f"n{n}")) for n in range(5000)], b"")
        ),
        b"\x06" + pack({"Nodes": NODES_MAX}) + b"\x80" * 20_000,
        encode_push_pull(False, [], bytes(2**20)) + bytes(2**20),
        b"\x08" + pack({"UserMsgLen": 3 * 2**20}) + bytes(2**20),
        b"\x09\x82\xa4Algo\x00\xa3Buf\xdb\x00\x20\x00\x00" + bytes(2**20),
        make_compressed(bytes(3 * 2**20)),
        make_compressed(b"\x08" + pack({"UserMsgLen": 2**20}) + bytes(2**20)),
    ],
    ids=["nodes", "packed nodes", "no fields", "state", "user", "buf", "bomb", "packed user"],
)
def test_a_decoder_tells_what_it_holds(data: bytes) -> None:
    decoder = StreamDecoder(layers(), is_dialer=False)
    tracemalloc.start()
    try:
        for start in range(0, len(data), 65536):
            decoder.feed(data[start : start + 65536])
            message: object = MORE
            while message is MORE:
                try:
                    message = decoder.next_message()
                except StreamError:
                    return
                held, _ = tracemalloc.get_traced_memory()
                assert held < 2 * decoder.held_bytes + 300_000
                assert decoder.held_bytes < 2 * held + 300_000
            if message is not NEED_DATA:
                return
    finally:
        tracemalloc.stop()


def feed_unknown_values(decoder: StreamDecoder) -> None:
    """Feed a hundred entries of 50 kB that no message has."""
    for number in range(100):
        decoder.feed(pack(f"junk{number}") + pack(bytes(50_000)))
        decoder.next_message()
