"""Hostile bytes: whatever comes, the wire raises ``WireError`` or returns messages."""

from __future__ import annotations

import base64
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.errors import WireError
from gossipd.wire import lzw
from gossipd.wire.codec import decode_untrusted
from gossipd.wire.internal_query_codec import (
    decode_conflict_response_untrusted,
    decode_key_request_untrusted,
    decode_key_response_untrusted,
)
from gossipd.wire.keyring import Keyring
from gossipd.wire.messages import Alive, PushPull, UserPayload
from gossipd.wire.packet import PacketLayers, make_compressed
from gossipd.wire.serf_codec import (
    decode_serf_state_untrusted,
    decode_serf_untrusted,
    decode_tags_untrusted,
)
from gossipd.wire.stream import StreamDecoder
from support import gossip_vectors as vectors

MUTATIONS = 100_000
SEED = 20_26
ENTRIES = [*vectors.captured(), *(e for e in vectors.load("probes.json") if e["bytes_hex"])]


def layers_for(entry: dict[str, Any]) -> PacketLayers:
    key = entry["key_base64"]
    keyring = Keyring([base64.b64decode(key)]) if key else None
    return PacketLayers(label=entry["label"] or "", keyring=keyring, entropy=bytes)


def read_packet(layers: PacketLayers, data: bytes) -> int:
    """Read a packet to its last byte; return how many messages were understood."""
    try:
        opened = layers.open_packet_untrusted(data)
    except WireError:
        return 0
    return sum(read_message(message) for message in opened.messages)


def read_message(data: bytes) -> int:
    try:
        message = decode_untrusted(data)
        if isinstance(message, Alive):
            decode_tags_untrusted(message.meta)
        if isinstance(message, UserPayload):
            read_serf(message.payload)
    except WireError:
        return 0
    return 1


def read_serf(payload: bytes) -> None:
    for decode in (
        decode_serf_untrusted,
        decode_serf_state_untrusted,
        decode_key_request_untrusted,
        decode_key_response_untrusted,
        decode_conflict_response_untrusted,
    ):
        try:
            decode(payload)
        except WireError:
            continue


def read_stream(layers: PacketLayers, data: bytes, cut: int, is_dialer: bool) -> int:
    """Read a stream given in two pieces; return how many messages were understood."""
    decoder = StreamDecoder(layers, is_dialer=is_dialer)
    found = 0
    try:
        for piece in (data[:cut], data[cut:]):
            decoder.feed(piece)
            message = decoder.next_message()
            if isinstance(message, PushPull):
                found += 1
                if message.user_state:
                    decode_serf_state_untrusted(message.user_state)
        decoder.end()
    except WireError:
        return found
    return found


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return ``data`` with a few changes that parsers dislike."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        if not changed:
            break
        at = rng.randrange(len(changed))
        match rng.randrange(5):
            case 0:
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                changed[at] = rng.choice((0x00, 0x7F, 0xC0, 0xC4, 0xD9, 0xDB, 0xDD, 0xDF, 0xFF))
            case 2:
                del changed[at : at + rng.randint(1, 8)]
            case 3:
                changed[at:at] = bytes([rng.choice((0x91, 0x81, 0xC9, 0xDC, 0xFF, 0x09, 0x07))])
            case _:
                del changed[at:]
    return bytes(changed)


def unwrapped(entry: dict[str, Any]) -> bytes:
    """Return an entry's bytes without encryption and checksum, so that changes reach the inside."""
    data = bytes.fromhex(entry["bytes_hex"])
    if entry["transport"] != "udp" or "layer" not in entry["decoded"]:
        return data
    try:
        opened = layers_for(entry).open_packet_untrusted(data)
    except WireError:
        return data
    return opened.messages[0] if opened.messages else data


def test_a_hundred_thousand_changed_vectors_only_ever_raise_wire_errors() -> None:
    rng = random.Random(SEED)
    plain = PacketLayers(entropy=bytes)
    targets = [(layers_for(entry), entry) for entry in ENTRIES]
    bare = [unwrapped(entry) for entry in ENTRIES]
    understood = 0
    for number in range(MUTATIONS):
        index = number % len(targets)
        layers, entry = targets[index]
        if number // len(targets) % 2 or entry["transport"] == "tcp":
            data = mutate(bytes.fromhex(entry["bytes_hex"]), rng)
        else:
            layers, data = plain, mutate(bare[index], rng)
        if entry["transport"] == "udp":
            understood += read_packet(layers, data)
        else:
            cut = rng.randint(0, len(data))
            understood += read_stream(layers, data, cut, entry.get("direction", "d")[0] == "a")
    assert understood > MUTATIONS // 20, "the changes must also leave things to understand"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([*range(14), 244]))
def test_garbage_behind_any_type_byte_only_raises_wire_errors(garbage: bytes, kind: int) -> None:
    data = bytes([kind]) + garbage
    layers = PacketLayers(entropy=bytes)
    read_packet(layers, data)
    read_packet(layers, make_compressed(data))
    read_stream(layers, data, len(data) // 2, is_dialer=False)
    read_stream(layers, make_compressed(data), 3, is_dialer=True)
    read_serf(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_garbage_is_no_lzw_stream_or_expands_within_its_limit(garbage: bytes) -> None:
    try:
        assert len(lzw.decompress_untrusted(garbage, 1000)) <= 1000
    except WireError:
        return


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=3000) | st.text("ab", max_size=9000).map(str.encode))
def test_whatever_is_compressed_expands_to_itself(data: bytes) -> None:
    assert lzw.decompress_untrusted(lzw.compress(data), len(data)) == data
