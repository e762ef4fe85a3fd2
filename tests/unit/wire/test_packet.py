"""Packets through all wrappings; numbers are the cases of gossip.md, section 23."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from gossipd.address import Address
from gossipd.errors import UsageError, WireError
from gossipd.wire import lzw
from gossipd.wire.codec import encode
from gossipd.wire.compound import make_compounds
from gossipd.wire.crypto import Ciphers
from gossipd.wire.dialect import pack
from gossipd.wire.keyring import Keyring
from gossipd.wire.messages import Alive, IndirectPing, Nack, Ping, Suspect, Versions
from gossipd.wire.packet import (
    COMPRESS_AT_LEAST_BYTES,
    KEEP_COMPRESSED_BYTES,
    MESSAGES_MAX,
    NESTING_MAX,
    PACKET_EXPANDED_BYTES_MAX,
    PacketLayers,
    make_compressed,
)

KEY, OTHER = b"k" * 16, b"o" * 32
HOME = Address(b"\x7f\x00\x00\x01", 7946)
PING = encode(Ping(1, "b", HOME, "a"))


def counted_entropy() -> Callable[[int], bytes]:
    counter = itertools.count(1)
    return lambda size: next(counter).to_bytes(size, "big")


def layers(**settings: Any) -> PacketLayers:
    return PacketLayers(**{"compression": False, "entropy": counted_entropy(), **settings})


def refusal(receiver: PacketLayers, data: bytes) -> str:
    with pytest.raises(WireError) as caught:
        receiver.open_packet_untrusted(data)
    return caught.value.reason


def test_a_plain_message_is_sent_as_it_is() -> None:
    assert layers().seal_packet(PING) == PING
    assert layers().open_packet_untrusted(PING).messages == (PING,)


def test_case_24_an_empty_part_is_dropped_and_the_others_live() -> None:
    (packed,) = make_compounds([b"", PING])
    opened = layers().open_packet_untrusted(packed)
    assert opened.messages == (PING,)
    assert [error.reason for error in opened.errors] == ["empty"]


def test_an_unknown_part_is_dropped_and_the_others_live() -> None:
    (packed,) = make_compounds([PING, b"\x0e\x80", PING])
    opened = layers().open_packet_untrusted(packed)
    assert opened.messages == (PING, PING)
    assert [error.reason for error in opened.errors] == ["unknown-kind"]


def test_case_29_a_packet_is_compressed_only_when_that_is_smaller() -> None:
    sender = layers(compression=True)
    long = encode(Ping(1, "b" * 400))
    random_looking = b"\x08" + bytes((n * n * 31 + n * 7) % 251 for n in range(200))
    assert len(make_compressed(random_looking)) >= len(random_looking)
    assert sender.seal_packet(random_looking) == random_looking
    assert sender.seal_packet(long) == make_compressed(long)
    assert layers().open_packet_untrusted(sender.seal_packet(long)).messages == (long,)


@pytest.mark.parametrize("name", ["n%d", "host%04d.dc1.example.com", "ip-10-0-%d-12.ec2.internal"])
def test_below_the_size_that_is_tried_compression_gains_at_most_three_bytes(name: str) -> None:
    one, two = name % 17, name % 18
    samples = [
        encode(Ping(77, one, HOME, two)),
        encode(IndirectPing(77, HOME, one, True, HOME, two)),
        encode(Suspect(one, 3, two)),
        encode(Alive(one, 3, HOME, b"\xff\x81\xa4role\xa3web", Versions())),
        make_compounds([encode(Suspect(one, 3, two)), encode(Nack(5))])[0],
    ]
    short = [sample for sample in samples if len(sample) < COMPRESS_AT_LEAST_BYTES]
    assert len(short) >= 3
    for sample in short:
        assert len(make_compressed(sample)) >= len(sample) - 3


def test_case_31_a_packet_that_expands_too_far_is_refused() -> None:
    bomb = make_compressed(b"\x08" + bytes(PACKET_EXPANDED_BYTES_MAX))
    assert len(bomb) < 65_536
    assert refusal(layers(), bomb) == "too-large"


def test_case_31_many_compressed_parts_share_one_limit() -> None:
    half = make_compressed(b"\x08" + bytes(PACKET_EXPANDED_BYTES_MAX // 2))
    (packed,) = make_compounds([half] * 3)
    opened = layers().open_packet_untrusted(packed)
    assert len(opened.messages) == 1
    assert [error.reason for error in opened.errors] == ["too-large"] * 2


def test_parts_that_cannot_be_expanded_leave_nothing_for_the_others() -> None:
    inner = make_compressed(b"\x08" + bytes(PACKET_EXPANDED_BYTES_MAX))
    (bombs,) = make_compounds([inner] * 100)
    opened = layers().open_packet_untrusted(make_compressed(bombs))
    assert opened.messages == ()
    assert opened.errors[0].detail.startswith("expands to more than")
    assert {error.detail for error in opened.errors[1:]} == {
        "nothing more of this packet is decompressed"
    }


def test_what_goes_into_the_decompression_counts_against_the_limit() -> None:
    """Clear codes expand to nothing, and cost as much time as any others."""
    clears = sum(lzw.CLEAR << 9 * index for index in range(8)).to_bytes(9, "little")
    idle = b"\x09" + pack({"Algo": 0, "Buf": clears * (PACKET_EXPANDED_BYTES_MAX * 5 // 8 // 9)})
    assert refusal(layers(), make_compressed(idle)) == "too-large"


def test_case_32_a_compress_message_that_expands_to_nothing_is_refused() -> None:
    nothing = b"\x09" + pack({"Algo": 0, "Buf": lzw.compress(b"")})
    assert refusal(layers(), nothing) == "empty"


def test_case_33_an_unknown_algorithm_is_refused() -> None:
    data = b"\x09" + pack({"Algo": 1, "Buf": lzw.compress(PING)})
    assert refusal(layers(), data) == "bad-compression"


def test_a_state_that_is_asked_for_again_is_not_compressed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compressed: list[bytes] = []

    def compress(data: bytes) -> bytes:
        compressed.append(data)
        return data

    monkeypatch.setattr(lzw, "compress", compress)
    us = layers(compression=True)
    state, other = bytes(KEEP_COMPRESSED_BYTES), b"\x01" + bytes(KEEP_COMPRESSED_BYTES)
    sealed = us.seal_stream(state, is_dialer=False)
    us.seal_stream(PING, is_dialer=False)
    assert us.seal_stream(state, is_dialer=False) == sealed
    assert us.seal_stream(other, is_dialer=False) != sealed
    assert us.seal_stream(state, is_dialer=False) == sealed
    assert compressed == [state, PING, other, state]


def test_case_34_a_right_checksum_is_accepted_and_a_wrong_one_dropped() -> None:
    sealed = layers().seal_packet(PING, checksum=True)
    assert sealed[0] == 12
    assert len(sealed) == len(PING) + 5
    assert layers().open_packet_untrusted(sealed).messages == (PING,)
    assert refusal(layers(), sealed[:-1] + b"?") == "bad-checksum"
    assert refusal(layers(), b"\x0c\x00\x00\x00\x00") == "empty"


def test_case_35_a_checksum_inside_compress_or_compound_is_unknown() -> None:
    inside = layers().seal_packet(PING, checksum=True)
    assert refusal(layers(), make_compressed(inside)) == "unknown-kind"
    opened = layers().open_packet_untrusted(make_compounds([inside, PING])[0])
    assert opened.messages == (PING,)


def test_case_37_a_packet_under_the_second_key_is_accepted() -> None:
    sealed = layers(keyring=Keyring([OTHER])).seal_packet(PING)
    receiver = layers(keyring=Keyring([KEY, OTHER]))
    assert receiver.open_packet_untrusted(sealed).messages == (PING,)


def test_case_38_a_packet_under_an_unknown_key_is_dropped() -> None:
    sealed = layers(keyring=Keyring([OTHER])).seal_packet(PING)
    assert refusal(layers(keyring=Keyring([KEY])), sealed) == "no-key-fits"


def test_case_39_plaintext_is_dropped_unless_incoming_is_not_verified() -> None:
    with pytest.raises(WireError):
        layers(keyring=Keyring([KEY])).open_packet_untrusted(PING)
    lenient = layers(keyring=Keyring([KEY]), verify_incoming=False)
    assert lenient.open_packet_untrusted(PING).messages == (PING,)


def test_without_verifying_outgoing_packets_leave_in_plain() -> None:
    sender = layers(keyring=Keyring([KEY]), verify_outgoing=False)
    assert sender.seal_packet(PING) == PING
    assert sender.overhead == 0


@pytest.mark.parametrize("length", range(1, 34))
def test_case_40_the_padding_of_version_0_is_removed(length: int) -> None:
    message = b"\x08" + bytes(length)
    sender = layers(keyring=Keyring([KEY]), encryption_version=0)
    sealed = sender.seal_packet(message)
    assert sealed[0] == 0
    assert layers(keyring=Keyring([KEY])).open_packet_untrusted(sealed).messages == (message,)


def test_case_41_other_versions_and_short_payloads_are_dropped() -> None:
    receiver = layers(keyring=Keyring([KEY]))
    assert refusal(receiver, b"\x02" + bytes(60)) == "bad-encryption"
    assert refusal(receiver, b"\x01" + bytes(27)) == "bad-encryption"
    assert refusal(receiver, b"\x00" + bytes(43)) == "bad-encryption"
    assert refusal(receiver, b"") == "empty"


@pytest.mark.parametrize("tail", [0, 17, 255])
def test_an_impossible_padding_is_refused(tail: int) -> None:
    # Sealed as version 1, so the plaintext's last byte is taken for padding when read as 0.
    sealed = Ciphers().seal(KEY, bytes(15) + bytes([tail]), b"", bytes(12))
    assert refusal(layers(keyring=Keyring([KEY])), b"\x00" + sealed[1:]) == "bad-encryption"


def test_an_empty_plaintext_is_refused() -> None:
    sealed = Ciphers().seal(KEY, b"", b"", bytes(12))
    assert refusal(layers(keyring=Keyring([KEY])), sealed) == "empty"


def test_the_nonce_is_taken_from_the_injected_entropy_and_never_repeated() -> None:
    sender = layers(keyring=Keyring([KEY]))
    first, second = sender.seal_packet(PING), sender.seal_packet(PING)
    assert first[1:13] == (1).to_bytes(12, "big")
    assert second[1:13] == (2).to_bytes(12, "big")


def test_a_new_primary_key_is_used_at_once() -> None:
    ring = Keyring([KEY, OTHER])
    sender = layers(keyring=ring)
    sender.seal_packet(PING)
    ring.use(OTHER)
    ring.remove(KEY)
    sealed = sender.seal_packet(PING)
    assert layers(keyring=Keyring([OTHER])).open_packet_untrusted(sealed).messages == (PING,)


def test_case_43_only_packets_with_our_label_are_handled() -> None:
    receiver = layers(label="dc1")
    sealed = receiver.seal_packet(PING)
    assert sealed[:5] == b"\xf4\x03dc1"
    assert receiver.open_packet_untrusted(sealed).messages == (PING,)
    assert refusal(receiver, PING) == "wrong-label"
    assert refusal(receiver, layers(label="dc2").seal_packet(PING)) == "wrong-label"
    assert refusal(receiver, layers(label="dc12").seal_packet(PING)) == "wrong-label"
    assert refusal(layers(), sealed) == "wrong-label"


def test_the_label_is_authenticated() -> None:
    sealed = layers(label="dc1", keyring=Keyring([KEY])).seal_packet(PING)
    moved = b"\xf4\x03dc2" + sealed[5:]
    assert refusal(layers(label="dc2", keyring=Keyring([KEY])), moved) == "no-key-fits"


@pytest.mark.parametrize("header", [b"\xf4", b"\xf4\x00", b"\xf4\x03dc", b""])
def test_case_45_a_cut_label_header_is_refused(header: bytes) -> None:
    with pytest.raises(WireError):
        layers(label="dc1").open_packet_untrusted(header)
    with pytest.raises(WireError):
        layers().open_packet_untrusted(header)


def test_a_label_longer_than_255_bytes_is_refused() -> None:
    assert layers(label="x" * 255).overhead == 257
    with pytest.raises(UsageError):
        layers(label="x" * 256)


def test_the_overhead_is_what_label_and_encryption_add() -> None:
    sender = layers(label="dc1", keyring=Keyring([KEY]))
    assert len(sender.seal_packet(PING)) == len(PING) + sender.overhead == len(PING) + 5 + 29


def test_wrappings_may_nest_to_the_limit_and_no_deeper() -> None:
    data = PING
    for _ in range(NESTING_MAX):
        data = make_compressed(data)
    assert layers().open_packet_untrusted(data).messages == (PING,)
    assert refusal(layers(), make_compressed(data)) == "too-deep"


def test_a_packet_of_endless_parts_stops_at_the_limit() -> None:
    (inner,) = make_compounds([b"\x08"] * 255)
    (packed,) = make_compounds([inner] * 5)
    opened = layers().open_packet_untrusted(packed)
    assert len(opened.messages) == MESSAGES_MAX
    assert opened.lost == 255 * 5 - MESSAGES_MAX
    assert "too-large" in [error.reason for error in opened.errors]
