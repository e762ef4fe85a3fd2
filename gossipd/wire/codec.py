"""Type byte and body to SWIM message and back (gossip.md, section 3).

The names of the wire (``SeqNo``, ``Addr``) end here. Bodies are structs with
keys sorted by byte value; the fields a peer leaves out are empty. Streams
(push/pull, stream user messages) are in ``stream.py``, which shares the
entries of this file.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from gossipd.address import Address
from gossipd.errors import WireError
from gossipd.wire.dialect import (
    UINT16_MAX,
    Fields,
    bool_untrusted,
    pack,
    raw_bytes,
    raw_untrusted,
    struct_of_untrusted,
    text_untrusted,
    uint_bytes,
    uint_untrusted,
    unpack_struct_untrusted,
)
from gossipd.wire.messages import (
    Ack,
    Alive,
    Dead,
    ErrorReply,
    IndirectPing,
    Nack,
    NodeState,
    NodeStatus,
    PacketMessage,
    Ping,
    Suspect,
    UserPayload,
    Versions,
)
from gossipd.wire.reasons import EMPTY, MALFORMED, UNKNOWN_KIND

VERSION_BYTES: Final = 6


class MessageKind(enum.IntEnum):
    """First byte of every message (gossip.md, section 3)."""

    PING = 0
    INDIRECT_PING = 1
    ACK = 2
    SUSPECT = 3
    ALIVE = 4
    DEAD = 5
    PUSH_PULL = 6
    COMPOUND = 7
    USER = 8
    COMPRESS = 9
    ENCRYPT = 10
    NACK = 11
    CHECKSUM = 12
    ERROR = 13
    LABEL = 244


def encode(message: PacketMessage) -> bytes:
    """Return type byte and body as a packet carries them, without wrappings."""
    return _ENCODERS[type(message)](message)


def decode_untrusted(data: bytes) -> PacketMessage:
    """Return the message of a packet part, as ``encode`` makes it.

    Raises:
        WireError: empty, of a type no packet carries, or not the body of its type.
    """
    if not data:
        raise WireError(EMPTY, "missing message type byte")
    decoder = _DECODERS.get(data[0])
    if decoder is None:
        raise WireError(UNKNOWN_KIND, f"message type {data[0]} in a packet")
    return decoder(data[1:])


def encode_error(reply: ErrorReply) -> bytes:
    """Return type byte and body of a stream's error reply."""
    return b"\x0d" + pack({"Error": reply.text})


def error_untrusted(value: object) -> ErrorReply:
    """Return the error reply in a decoded value of a stream.

    Raises:
        WireError: it is none.
    """
    return ErrorReply(text_untrusted(struct_of_untrusted(value, _ERROR_ORDER), b"Error"))


def ping_untrusted(value: object) -> Ping:
    """Return the ping in a decoded value of a stream.

    Raises:
        WireError: it is none.
    """
    return _ping_of_untrusted(struct_of_untrusted(value, _PING_ORDER))


def ack_untrusted(value: object) -> Ack:
    """Return the ack in a decoded value of a stream.

    Raises:
        WireError: it is none.
    """
    return _ack_of_untrusted(struct_of_untrusted(value, _ACK_ORDER))


def encode_node_state(state: NodeState) -> bytes:
    """Return one push/pull entry; it may be kept and sent many times."""
    address = state.address
    return pack(
        {
            "Addr": address.ip or None,
            "Incarnation": state.incarnation,
            "Meta": state.meta or None,
            "Name": state.node,
            "Port": address.port,
            "State": int(state.status),
            "Vsn": _pack_versions(state.versions),
        }
    )


def node_state_bytes(name: str, address: Address, meta: bytes, incarnation: int) -> int:
    """Return how long ``encode_node_state`` makes an entry that states its versions."""
    return (
        _NODE_STATE_FIXED_BYTES
        + raw_bytes(name)
        + raw_bytes(address.ip)
        + raw_bytes(meta)
        + uint_bytes(incarnation)
        + uint_bytes(address.port)
    )


def node_state_untrusted(value: object) -> NodeState:
    """Return the push/pull entry in a decoded value.

    Raises:
        WireError: a field is no value of its kind, or the state none of the four.
    """
    fields = struct_of_untrusted(value, _NODE_STATE_ORDER)
    status = uint_untrusted(fields, b"State", NodeStatus.LEFT)
    return NodeState(
        node=text_untrusted(fields, b"Name"),
        address=_address_untrusted(fields, b"Addr", b"Port"),
        meta=raw_untrusted(fields, b"Meta") or b"",
        incarnation=uint_untrusted(fields, b"Incarnation"),
        status=_STATUSES[status],
        versions=_versions_untrusted(fields),
    )


_ERROR_ORDER: Final = (b"Error",)
_PING_ORDER: Final = (b"SeqNo", b"Node", b"SourceAddr", b"SourcePort", b"SourceNode")
_INDIRECT_PING_ORDER: Final = (
    b"SeqNo",
    b"Target",
    b"Port",
    b"Node",
    b"Nack",
    b"SourceAddr",
    b"SourcePort",
    b"SourceNode",
)
_ACK_ORDER: Final = (b"SeqNo", b"Payload")
_NACK_ORDER: Final = (b"SeqNo",)
_ACCUSATION_ORDER: Final = (b"Incarnation", b"Node", b"From")
_ALIVE_ORDER: Final = (b"Incarnation", b"Node", b"Addr", b"Port", b"Meta", b"Vsn")
_NODE_STATE_ORDER: Final = (
    b"Name",
    b"Addr",
    b"Port",
    b"Meta",
    b"Incarnation",
    b"State",
    b"Vsn",
)
_NODE_STATE_FIXED_BYTES: Final = (
    1 + sum(1 + len(key) for key in _NODE_STATE_ORDER) + 1 + 1 + VERSION_BYTES
)
"""Map head, keys, the state and the six version bytes."""
_STATUSES: Final = tuple(NodeStatus)
_PING_HEADS: Final = tuple(bytes((0, 0x82 + more)) + b"\xa4Node" for more in range(4))
"""Type byte, map of two fields and as many more, and the first key."""


def _encode_ping(message: Ping) -> bytes:
    fields, tail = _source_tail(message.source, message.source_node)
    return b"".join(
        (_PING_HEADS[fields], pack(message.node), b"\xa5SeqNo", pack(message.seq), tail)
    )


@lru_cache(maxsize=16384)
def _source_tail(source: Address | None, name: str) -> tuple[int, bytes]:
    """Return how many fields a ping's source has, and these packed: a node's never change."""
    fields: dict[str, object] = {}
    _add_source(fields, source, name)
    return len(fields), pack(fields)[1:]


def _encode_indirect_ping(message: IndirectPing) -> bytes:
    target = message.target
    fields: dict[str, object] = {
        "Nack": message.wants_nack,
        "Node": message.node,
        "Port": target.port,
        "SeqNo": message.seq,
    }
    _add_source(fields, message.source, message.source_node)
    fields["Target"] = target.ip or None
    return b"\x01" + pack(fields)


def _add_source(fields: dict[str, object], source: Address | None, name: str) -> None:
    if source is not None and source.ip:
        fields["SourceAddr"] = source.ip
    if name:
        fields["SourceNode"] = name
    if source is not None and source.port:
        fields["SourcePort"] = source.port


def _encode_ack(message: Ack) -> bytes:
    payload = b"\xc0" if message.payload is None else pack(message.payload)
    return b"".join((b"\x02\x82\xa7Payload", payload, b"\xa5SeqNo", pack(message.seq)))


def _encode_nack(message: Nack) -> bytes:
    return b"\x0b" + pack({"SeqNo": message.seq})


def _encode_suspect(message: Suspect) -> bytes:
    return b"\x03" + _pack_accusation(message)


def _encode_dead(message: Dead) -> bytes:
    return b"\x05" + _pack_accusation(message)


def _pack_accusation(claim: Suspect | Dead) -> bytes:
    return pack({"From": claim.accuser, "Incarnation": claim.incarnation, "Node": claim.node})


def _encode_alive(message: Alive) -> bytes:
    address = message.address
    return b"\x04" + pack(
        {
            "Addr": address.ip or None,
            "Incarnation": message.incarnation,
            "Meta": message.meta or None,
            "Node": message.node,
            "Port": address.port,
            "Vsn": _pack_versions(message.versions),
        }
    )


def _encode_user(message: UserPayload) -> bytes:
    return b"\x08" + message.payload


def _pack_versions(versions: Versions | None) -> bytes | None:
    if versions is None:
        return None
    return bytes(
        (
            versions.protocol_min,
            versions.protocol_max,
            versions.protocol,
            versions.delegate_min,
            versions.delegate_max,
            versions.delegate,
        )
    )


def _decode_ping_untrusted(body: bytes) -> Ping:
    return _ping_of_untrusted(unpack_struct_untrusted(body, _PING_ORDER))


def _ping_of_untrusted(fields: Fields) -> Ping:
    return Ping(
        uint_untrusted(fields, b"SeqNo"),
        text_untrusted(fields, b"Node"),
        _source_untrusted(fields),
        text_untrusted(fields, b"SourceNode"),
    )


def _decode_indirect_ping_untrusted(body: bytes) -> IndirectPing:
    fields = unpack_struct_untrusted(body, _INDIRECT_PING_ORDER)
    return IndirectPing(
        seq=uint_untrusted(fields, b"SeqNo"),
        target=_address_untrusted(fields, b"Target", b"Port"),
        node=text_untrusted(fields, b"Node"),
        wants_nack=bool_untrusted(fields, b"Nack"),
        source=_source_untrusted(fields),
        source_node=text_untrusted(fields, b"SourceNode"),
    )


def _decode_ack_untrusted(body: bytes) -> Ack:
    return _ack_of_untrusted(unpack_struct_untrusted(body, _ACK_ORDER))


def _ack_of_untrusted(fields: Fields) -> Ack:
    return Ack(uint_untrusted(fields, b"SeqNo"), raw_untrusted(fields, b"Payload"))


def _decode_nack_untrusted(body: bytes) -> Nack:
    return Nack(uint_untrusted(unpack_struct_untrusted(body, _NACK_ORDER), b"SeqNo"))


def _decode_suspect_untrusted(body: bytes) -> Suspect:
    return Suspect(*_accusation_untrusted(body))


def _decode_dead_untrusted(body: bytes) -> Dead:
    return Dead(*_accusation_untrusted(body))


def _accusation_untrusted(body: bytes) -> tuple[str, int, str]:
    fields = unpack_struct_untrusted(body, _ACCUSATION_ORDER)
    return (
        text_untrusted(fields, b"Node"),
        uint_untrusted(fields, b"Incarnation"),
        text_untrusted(fields, b"From"),
    )


def _decode_alive_untrusted(body: bytes) -> Alive:
    fields = unpack_struct_untrusted(body, _ALIVE_ORDER)
    return Alive(
        node=text_untrusted(fields, b"Node"),
        incarnation=uint_untrusted(fields, b"Incarnation"),
        address=_address_untrusted(fields, b"Addr", b"Port"),
        meta=raw_untrusted(fields, b"Meta") or b"",
        versions=_versions_untrusted(fields),
    )


def _source_untrusted(fields: Fields) -> Address | None:
    ip = raw_untrusted(fields, b"SourceAddr")
    port = uint_untrusted(fields, b"SourcePort", UINT16_MAX)
    # Half a source is none: the answer then goes to where the packet came from.
    if not ip or not port or len(ip) not in (4, 16):
        return None
    return Address(ip, port)


def _address_untrusted(fields: Fields, ip_name: bytes, port_name: bytes) -> Address:
    """Return an address; an IP that is neither 4 nor 16 bytes becomes an unknown one.

    Real nodes hand such an entry on in every push/pull. Refusing the whole
    exchange for it would cut us off; without an IP only the entry is ignored.
    """
    ip = raw_untrusted(fields, ip_name) or b""
    return Address(ip if len(ip) in (4, 16) else b"", uint_untrusted(fields, port_name, UINT16_MAX))


def _versions_untrusted(fields: Fields) -> Versions | None:
    raw = fields.get(b"Vsn")
    if type(raw) is list:  # an array of u8 may arrive as a list of integers
        raw = _bytes_of_list_untrusted(raw)
    elif raw is not None and type(raw) is not bytes:
        raise WireError(MALFORMED, "Vsn is no byte string")
    if raw is None or len(raw) < VERSION_BYTES:
        return None
    if raw in _VERSIONS_SEEN:
        return _VERSIONS_SEEN[raw]
    return Versions(*raw[:VERSION_BYTES])


# What nearly every node says: one shared value instead of one per member.
_VERSIONS_SEEN: Final = {
    bytes((1, 5, 2, 2, 5, delegate)): Versions(delegate=delegate) for delegate in (4, 5)
}


def _bytes_of_list_untrusted(values: list[object]) -> bytes:
    if all(type(value) is int and 0 <= value <= 255 for value in values):
        return bytes(values)  # type: ignore[arg-type]  # just checked
    raise WireError(MALFORMED, "Vsn is no list of bytes")


_ENCODERS: Final[dict[type, Callable[..., bytes]]] = {
    Ping: _encode_ping,
    IndirectPing: _encode_indirect_ping,
    Ack: _encode_ack,
    Nack: _encode_nack,
    Suspect: _encode_suspect,
    Alive: _encode_alive,
    Dead: _encode_dead,
    UserPayload: _encode_user,
}

_DECODERS: Final[dict[int, Callable[[bytes], PacketMessage]]] = {
    MessageKind.PING: _decode_ping_untrusted,
    MessageKind.INDIRECT_PING: _decode_indirect_ping_untrusted,
    MessageKind.ACK: _decode_ack_untrusted,
    MessageKind.NACK: _decode_nack_untrusted,
    MessageKind.SUSPECT: _decode_suspect_untrusted,
    MessageKind.ALIVE: _decode_alive_untrusted,
    MessageKind.DEAD: _decode_dead_untrusted,
    MessageKind.USER: UserPayload,
}
