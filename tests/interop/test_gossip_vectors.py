"""Bytes that real nodes sent: read field by field, written again byte by byte."""

from __future__ import annotations

import base64
import sys
from typing import Any

import pytest

from gossipd.errors import WireError
from gossipd.wire import lzw
from gossipd.wire.codec import decode_untrusted, encode
from gossipd.wire.compound import make_compounds
from gossipd.wire.keyring import Keyring
from gossipd.wire.messages import PushPull, UserPayload
from gossipd.wire.packet import PacketLayers
from gossipd.wire.serf_codec import (
    decode_serf_state_untrusted,
    decode_serf_untrusted,
    decode_tags_untrusted,
    encode_serf,
    encode_serf_state,
    encode_tags,
)
from gossipd.wire.stream import NEED_DATA, NeedData, StreamDecoder, encode_stream_message
from support import gossip_vectors as vectors

CAPTURED = vectors.captured()
RE_ENCODABLE = 198
LZW_SIZE_MAX = 40 * 2**20


def layers_for(entry: dict[str, Any]) -> PacketLayers:
    """Return the layers of a node set up as the sender of ``entry`` was."""
    wrapped = vectors.layers_of(entry["decoded"])
    sealed = wrapped.get("encrypted", {})
    key = base64.b64decode(entry["key_base64"]) if sealed else None
    return PacketLayers(
        label=entry["label"] or "",
        keyring=Keyring([key]) if key else None,
        compression="compress" in wrapped,
        entropy=lambda size: bytes.fromhex(sealed["nonce_hex"]),
        encryption_version=sealed.get("version", 1),
    )


def read(entry: dict[str, Any]) -> list[Any]:
    """Return the messages our layers find in an entry's bytes."""
    data = bytes.fromhex(entry["bytes_hex"])
    if entry["transport"] == "udp":
        opened = layers_for(entry).open_packet_untrusted(data)
        assert opened.errors == ()
        assert opened.lost == 0
        return [decode_untrusted(message) for message in opened.messages]
    decoder = StreamDecoder(layers_for(entry), is_dialer=not is_from_dialer(entry))
    decoder.feed(data)
    return [decoder.next_message()]


def is_from_dialer(entry: dict[str, Any]) -> bool:
    return bool(entry["direction"] == "dialer_to_acceptor")


def encode_serf_leaf(leaf: dict[str, Any], signed: bool) -> bytes:
    """Return a Serf message encoded from what the entry says alone."""
    if leaf["type"] == "unknown":
        return bytes([leaf["type_id"]]) + bytes.fromhex(leaf["body_hex"])
    inner = encode_serf_leaf(leaf["inner"], signed) if "inner" in leaf else b""
    return encode_serf(vectors.serf_message(leaf, inner), signed=signed)


def expected(leaf: dict[str, Any], signed: bool) -> Any:
    """Return the message an entry describes."""
    if leaf["type"] == "pushPull":
        is_join, nodes = vectors.swim_message(leaf)
        state = leaf["user_state"]
        packed = encode_serf_state(vectors.serf_state(state)) if state else b""
        return PushPull(is_join, nodes, packed)
    if leaf["type"] == "user":
        payload = vectors.raw(leaf.get("payload"))
        return UserPayload(payload or encode_serf_leaf(leaf["serf"], signed))
    return vectors.swim_message(leaf)


def write(entry: dict[str, Any]) -> bytes:
    """Return the bytes our layers make of what an entry says alone."""
    signed = entry["file"].endswith("_label.json")
    messages = [expected(leaf, signed) for leaf in vectors.leaves_of(entry["decoded"])]
    layers = layers_for(entry)
    if entry["transport"] == "tcp":
        encoded = encode_stream_message(messages[0], signed=signed)
        return layers.seal_stream(encoded, is_dialer=is_from_dialer(entry))
    parts = [encode(message) for message in messages]
    message = parts[0] if len(parts) == 1 else make_compounds(parts)[0]
    checksum = "crc" in vectors.layers_of(entry["decoded"])
    return layers.seal_packet(message, checksum=checksum)


@pytest.mark.parametrize("entry", CAPTURED, ids=lambda entry: f"{entry['file']}:{entry['name']}")
def test_a_captured_message_is_read_field_by_field(entry: dict[str, Any]) -> None:
    signed = entry["file"].endswith("_label.json")
    leaves = vectors.leaves_of(entry["decoded"])
    found = read(entry)
    assert found == [expected(leaf, signed) for leaf in leaves]
    for leaf, message in zip(leaves, found, strict=True):
        check_payload(leaf, message)
        check_tags(leaf)


def check_payload(leaf: dict[str, Any], message: Any) -> None:
    """Compare the Serf part of a message with what the entry says of it."""
    if isinstance(message, PushPull) and message.user_state:
        state = decode_serf_state_untrusted(message.user_state)
        assert state == vectors.serf_state(leaf["user_state"])
    serf = leaf.get("serf")
    if isinstance(message, UserPayload) and serf and serf["type"] != "unknown":
        decoded = decode_serf_untrusted(message.payload)
        wrapped = getattr(decoded, "payload", b"")
        assert decoded == vectors.serf_message(serf, wrapped)
        if "inner" in serf:
            assert decode_serf_untrusted(wrapped) == vectors.serf_message(serf["inner"], b"")


def check_tags(leaf: dict[str, Any]) -> None:
    """Compare the tags in an entry's metas with what it says of them."""
    for fields in (leaf.get("fields", {}), *leaf.get("nodes", ())):
        meta = fields.get("Meta")
        if meta and "tags" in meta:
            assert decode_tags_untrusted(bytes.fromhex(meta["hex"])) == (meta["tags"], True)
            assert encode_tags(meta["tags"]).hex() == meta["hex"]


def test_every_captured_message_is_written_again_byte_for_byte(
    capsys: pytest.CaptureFixture[str],
) -> None:
    different = [
        f"{entry['file']}:{entry['name']}"
        for entry in CAPTURED
        if write(entry).hex() != entry["bytes_hex"]
    ]
    with capsys.disabled():
        same = len(CAPTURED) - len(different)
        sys.stdout.write(f"\nre-encoded {same} of {len(CAPTURED)} vectors\n")
    assert different == []
    assert len(CAPTURED) == RE_ENCODABLE


TCP = [entry for entry in CAPTURED if entry["transport"] == "tcp"]


@pytest.mark.parametrize("entry", TCP, ids=lambda entry: f"{entry['file']}:{entry['name']}")
def test_a_stream_byte_by_byte_is_read_as_in_one_piece(entry: dict[str, Any]) -> None:
    decoder = StreamDecoder(layers_for(entry), is_dialer=not is_from_dialer(entry))
    found: list[Any] = []
    for byte in bytes.fromhex(entry["bytes_hex"]):
        decoder.feed(bytes([byte]))
        message = decoder.next_message()
        if not isinstance(message, NeedData):
            found.append(message)
    assert found == read(entry)


def test_a_captured_packet_under_another_key_or_label_is_refused() -> None:
    for entry in CAPTURED:
        if entry["transport"] != "udp":
            continue
        data = bytes.fromhex(entry["bytes_hex"])
        strangers = PacketLayers(label="other", keyring=Keyring([b"k" * 16]), entropy=bytes)
        with pytest.raises(WireError):
            strangers.open_packet_untrusted(data)


LZW = vectors.load("lzw.json")


@pytest.mark.parametrize("entry", LZW, ids=lambda entry: entry["name"])
def test_an_lzw_vector_is_read_and_written_byte_for_byte(entry: dict[str, Any]) -> None:
    packed, decoded = bytes.fromhex(entry["bytes_hex"]), entry["decoded"]
    if decoded.get("error"):
        with pytest.raises(WireError):
            lzw.decompress_untrusted(packed, LZW_SIZE_MAX)
        return
    plain = bytes.fromhex(decoded["uncompressed_hex"])
    assert lzw.decompress_untrusted(packed, LZW_SIZE_MAX) == plain
    if "decode_only" not in entry["name"]:
        assert lzw.compress(plain) == packed


PROBES = vectors.load("probes.json")
PROBES_REFUSED = {
    "probe.user_unknown_serf_type_200",
    "probe.user_unknown_serf_type_10",
    "probe.user_empty",
    "probe.memberlist_unknown_type_14",
    "probe.crc_wrong",
    "probe.label_truncated",
    "probe.label_not_configured",
    "probe.compound_second_part_truncated",  # and its first part lacks the value of SeqNo
    "probe.compress_unknown_algorithm",
    "probe.crc_inside_compress",
    "probe.tcp_unknown_type_99",
    "probe.tcp_encrypted_to_plain_node",
    "probe.tcp_user_message_unknown_serf_type",
    "probe.tcp_push_pull_negative_node_count",
    "probe.tcp_label_not_configured",
}


def test_the_probes_are_refused_or_read_as_real_nodes_do() -> None:
    layers = PacketLayers(compression=False, entropy=bytes)
    refused = set()
    for entry in PROBES:
        try:
            probe(layers, entry)
        except WireError:
            refused.add(entry["name"])
    assert refused == PROBES_REFUSED


def probe(layers: PacketLayers, entry: dict[str, Any]) -> None:
    """Read a probe to its last layer."""
    data = bytes.fromhex(entry["bytes_hex"])
    messages: list[Any] = []
    if entry["transport"] == "udp":
        opened = layers.open_packet_untrusted(data)
        messages = [decode_untrusted(message) for message in opened.messages]
    else:
        decoder = StreamDecoder(layers, is_dialer=False)
        decoder.feed(data)
        messages = [decoder.next_message()]
        assert messages != [NEED_DATA]
    for message in messages:
        if isinstance(message, UserPayload):
            decode_serf_untrusted(message.payload)
