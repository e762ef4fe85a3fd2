"""What is encoded is decoded as it was, whole or in pieces, wrapped in any way."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.address import Address
from gossipd.wire import messages as swim
from gossipd.wire import serf_messages as serf
from gossipd.wire.codec import decode_untrusted, encode
from gossipd.wire.compound import make_compounds
from gossipd.wire.internal_query_codec import (
    STARTED_MS_MAX,
    decode_conflict_response_untrusted,
    decode_key_response_untrusted,
    encode_conflict_response,
    encode_key_response,
)
from gossipd.wire.keyring import Keyring
from gossipd.wire.packet import PacketLayers
from gossipd.wire.serf_codec import (
    decode_serf_state_untrusted,
    decode_serf_untrusted,
    decode_tags_untrusted,
    encode_serf,
    encode_serf_state,
    encode_tags,
)
from gossipd.wire.stream import NEED_DATA, StreamDecoder, encode_stream_message

u8 = st.integers(0, 2**8 - 1)
u16 = st.integers(0, 2**16 - 1)
u32 = st.integers(0, 2**32 - 1)
ltime = st.integers(0, serf.LAMPORT_TIME_MAX)
text = st.binary(max_size=60).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
ip = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)
address = st.builds(Address, ip, u16)
source = st.none() | st.builds(Address, ip, st.integers(1, 2**16 - 1))
payload = st.none() | st.binary(max_size=100)
versions = st.none() | st.builds(swim.Versions, u8, u8, u8, u8, u8, u8)
status = st.sampled_from(swim.NodeStatus)
ping = st.builds(swim.Ping, u32, text, source, text)
ack = st.builds(swim.Ack, u32, payload)
user = st.builds(swim.UserPayload, st.binary(max_size=100))
packet_message = st.one_of(
    ping,
    st.builds(swim.IndirectPing, u32, address, text, st.booleans(), source, text),
    ack,
    st.builds(swim.Nack, u32),
    st.builds(swim.Suspect, text, u32, text),
    st.builds(swim.Dead, text, u32, text),
    st.builds(swim.Alive, text, u32, address, st.binary(max_size=80), versions),
    user,
)
node_state = st.builds(swim.NodeState, text, address, st.binary(max_size=80), u32, status, versions)
stream_message = st.one_of(
    ping,
    ack,
    user,
    st.builds(swim.ErrorReply, text),
    st.builds(
        swim.PushPull,
        st.booleans(),
        st.lists(node_state, max_size=6).map(tuple),
        st.binary(max_size=300),
    ),
)
layers = st.builds(
    PacketLayers,
    label=st.sampled_from(["", "dc1"]),
    keyring=st.sampled_from([None, Keyring([b"k" * 16]), Keyring([b"q" * 32, b"k" * 16])]),
    compression=st.booleans(),
    entropy=st.just(bytes),
    encryption_version=st.sampled_from([0, 1]),
)
query = st.builds(
    serf.Query,
    ltime,
    u32,
    address,
    text,
    st.lists(st.binary(max_size=20), max_size=3).map(tuple),
    u32,
    u8,
    st.integers(0, 2**63 - 1),
    text,
    payload,
    u32,
)
extras = st.none() | st.builds(
    serf.EventExtras,
    text,
    st.lists(text, max_size=3).map(tuple),
    st.dictionaries(text, text, max_size=3).map(lambda tags: tuple(tags.items())),
)
serf_message = st.one_of(
    st.builds(serf.LeaveIntent, ltime, text, st.booleans()),
    st.builds(serf.JoinIntent, ltime, text),
    st.builds(serf.UserEvent, ltime, text, payload, st.booleans(), extras),
    query,
    st.builds(serf.QueryResponse, ltime, u32, text, u32, payload),
    st.builds(serf.Relay, address, text, st.binary(min_size=1, max_size=60)),
)
event = st.builds(serf.BufferedEvent, text, payload, extras)
slot = st.none() | st.builds(serf.EventSlot, ltime, st.lists(event, max_size=3).map(tuple))
tags = st.dictionaries(text, text, max_size=6)


@given(packet_message)
def test_a_packet_message_is_decoded_as_it_was(message: Any) -> None:
    assert decode_untrusted(encode(message)) == message


@settings(deadline=None)
@given(st.lists(packet_message, min_size=1, max_size=8), layers, st.booleans())
def test_a_packet_is_opened_as_it_was_sealed(
    messages: list[Any], layers: PacketLayers, checksum: bool
) -> None:
    parts = [encode(message) for message in messages]
    message = parts[0] if len(parts) == 1 else make_compounds(parts)[0]
    sealed = layers.seal_packet(message, checksum=checksum)
    opened = layers.open_packet_untrusted(sealed)
    assert opened.messages == tuple(parts)
    assert (opened.errors, opened.lost) == ((), 0)
    assert len(sealed) <= len(message) + layers.overhead + 5 * checksum


@settings(deadline=None)
@given(stream_message, layers, st.booleans(), st.booleans(), st.data())
def test_a_stream_is_read_as_it_was_written_in_any_pieces(
    message: Any, layers: PacketLayers, is_dialer: bool, signed: bool, data: st.DataObject
) -> None:
    encoded = encode_stream_message(message, signed=signed)
    sealed = layers.seal_stream(encoded, is_dialer=is_dialer)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sealed)), max_size=5)))
    decoder = StreamDecoder(layers, is_dialer=not is_dialer)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(sealed)], strict=True):
        decoder.feed(sealed[start:end])
        found.append(decoder.next_message())
    assert [each for each in found if each is not NEED_DATA] == [message]
    decoder.end()


@given(serf_message, st.booleans())
def test_a_serf_message_is_decoded_as_it_was(message: Any, signed: bool) -> None:
    assert decode_serf_untrusted(encode_serf(message, signed=signed)) == message


@given(
    st.builds(
        serf.SerfPushPull,
        ltime,
        st.dictionaries(text, ltime, max_size=5),
        st.lists(text, max_size=4).map(tuple),
        ltime,
        st.lists(slot, max_size=20).map(tuple),
        ltime,
    )
)
def test_a_serf_state_is_decoded_as_it_was(state: serf.SerfPushPull) -> None:
    assert decode_serf_state_untrusted(encode_serf_state(state)) == state


@given(tags)
def test_tags_are_decoded_as_they_were(tags: dict[str, str]) -> None:
    assert decode_tags_untrusted(encode_tags(tags)) == (tags, True)


@given(
    st.none()
    | st.builds(
        serf.ConflictResponse,
        text,
        address,
        tags,
        st.sampled_from(serf.MemberStatus),
        st.builds(swim.Versions, u8, u8, u8, u8, u8, u8),
        st.integers(0, STARTED_MS_MAX),
    )
)
def test_a_conflict_response_is_decoded_as_it_was(response: serf.ConflictResponse | None) -> None:
    assert decode_conflict_response_untrusted(encode_conflict_response(response)) == response


@given(
    st.builds(
        serf.KeyResponse,
        st.booleans(),
        text,
        st.none() | st.lists(text, max_size=3).map(tuple),
        text,
    )
)
def test_a_key_response_is_decoded_as_it_was(response: serf.KeyResponse) -> None:
    assert decode_key_response_untrusted(encode_key_response(response)) == response
