"""Type byte and body to Serf message and back (gossip.md, section 14).

These are the payloads of memberlist's user messages, the user state of a
push/pull and the tags in a node's meta; internal queries are next door, in
``internal_query_codec.py``.
Lamport times of 2**63 and above are refused: a real clock would wrap.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, Final

from gossipd.address import Address
from gossipd.errors import WireError
from gossipd.wire.dialect import (
    UINT8_MAX,
    UINT16_MAX,
    Fields,
    Incomplete,
    Reader,
    bool_untrusted,
    int64_untrusted,
    list_untrusted,
    pack,
    pack_struct_signed,
    raw_bytes,
    raw_untrusted,
    reader_of,
    struct_of_untrusted,
    text_untrusted,
    truncated,
    uint_bytes,
    uint_untrusted,
    unpack_struct_untrusted,
)
from gossipd.wire.extras_codec import OURS, OURS_RAW, extras_fields, extras_untrusted
from gossipd.wire.reasons import EMPTY, MALFORMED, TOO_LARGE, UNKNOWN_KIND
from gossipd.wire.serf_messages import (
    LAMPORT_TIME_MAX,
    BufferedEvent,
    EventSlot,
    JoinIntent,
    LeaveIntent,
    Query,
    QueryResponse,
    Relay,
    SerfMessage,
    SerfPushPull,
    UserEvent,
)

TAGS_MAGIC: Final = b"\xff"
"""First byte of a meta that holds tags; anything else is a legacy role."""
STATE_MEMBERS_MAX: Final = 131_072
"""Names in a push/pull state, as many as nodes in the push/pull itself."""
STATE_EVENTS_MAX: Final = 65_536
"""Slots of the event buffer in a push/pull state, 512 by default, and events in all of them.

An event may be a single byte: 20 MiB of them take half a minute and a gigabyte.
"""


NO_SUMMARY: Final = b"\xc1"
"""Stands for what a peer says of services where that is no byte string: refused when read."""


class SerfKind(enum.IntEnum):
    """First byte of every Serf message."""

    LEAVE = 0
    JOIN = 1
    PUSH_PULL = 2
    USER_EVENT = 3
    QUERY = 4
    QUERY_RESPONSE = 5
    CONFLICT_RESPONSE = 6
    KEY_REQUEST = 7
    KEY_RESPONSE = 8
    RELAY = 9


def encode_serf(message: SerfMessage, *, signed: bool = False) -> bytes:
    """Return type byte and body.

    Args:
        message: what to encode.
        signed: write signed fields as newer peers do; the same value to every reader.
    """
    return _ENCODERS[type(message)](message, signed)


def decode_serf_untrusted(payload: bytes) -> SerfMessage:
    """Return the message in a user payload.

    Raises:
        WireError: empty, of an unknown type, not the body of its type, or with
            a Lamport time of 2**63 or above.
    """
    if not payload:
        raise WireError(EMPTY, "empty user message")
    decoder = _DECODERS.get(payload[0])
    if decoder is None:
        raise WireError(UNKNOWN_KIND, f"serf message type {payload[0]}")
    return decoder(payload[1:])


def encode_serf_state(state: SerfPushPull) -> bytes:
    """Return the user state of a push/pull."""
    fields: dict[str, object] = {
        "EventLTime": state.event_ltime,
        "Events": [_slot_fields(slot) for slot in state.events],
        "LTime": state.ltime,
        "LeftMembers": state.left_members,
        "QueryLTime": state.query_ltime,
        "StatusLTimes": dict(state.status_ltimes),
    }
    if state.catalog:
        fields[OURS] = state.catalog
    return b"\x02" + pack(fields)


def status_time_bytes(name: str, ltime: int) -> int:
    """Return how long one status time is in an encoded state."""
    return raw_bytes(name) + uint_bytes(ltime)


def status_times_head_bytes(members: int) -> int:
    """Return how much longer the head of a map of that many entries is than of none."""
    return 0 if members < 16 else 2 if members <= UINT16_MAX else 4


def decode_serf_state_untrusted(data: bytes) -> SerfPushPull:
    """Return the user state of a push/pull.

    Raises:
        WireError: empty, not of type 2, not the body of it, or a bad Lamport time.
    """
    if not data:
        raise WireError(EMPTY, "empty user state")
    if data[0] != SerfKind.PUSH_PULL:
        raise WireError(UNKNOWN_KIND, f"user state of type {data[0]}")
    reader = reader_of(data[1:])
    try:
        return _read_state_untrusted(reader)
    except Incomplete:
        raise truncated() from None


def encode_tags(tags: Mapping[str, str]) -> bytes:
    """Return the meta for ``tags``; its length is the caller's to check (512)."""
    return TAGS_MAGIC + pack(dict(tags))


def decode_tags_untrusted(meta: bytes) -> tuple[dict[str, str], bool]:
    """Return the tags in a meta, and whether all of it could be read.

    Entries before the first bad one are kept, as real nodes do. A meta
    without the magic byte is a legacy role. Never raises.
    """
    if meta[:1] != TAGS_MAGIC:
        return {"role": meta.decode("utf-8", "surrogateescape")}, True
    tags: dict[str, str] = {}
    reader = reader_of(meta[1:])
    try:
        for _ in range(reader.map_header_untrusted()):
            name = text_of_untrusted(reader.value_untrusted())
            tags[name] = text_of_untrusted(reader.value_untrusted())
    except (WireError, Incomplete):
        return tags, False
    return tags, True


_INTENT_ORDER: Final = (b"LTime", b"Node", b"Prune")
_EVENT_ORDER: Final = (b"LTime", b"Name", b"Payload", b"CC")
_QUERY_ORDER: Final = (
    b"LTime",
    b"ID",
    b"Addr",
    b"Port",
    b"SourceNode",
    b"Filters",
    b"Flags",
    b"RelayFactor",
    b"Timeout",
    b"Name",
    b"Payload",
)
_RESPONSE_ORDER: Final = (b"LTime", b"ID", b"From", b"Flags", b"Payload")
_RELAY_ORDER: Final = (b"DestAddr", b"DestName")
_UDP_ADDRESS_ORDER: Final = (b"IP", b"Port", b"Zone")
_SLOT_ORDER: Final = (b"LTime", b"Events")
_BUFFERED_EVENT_ORDER: Final = (b"Name", b"Payload")


def _encode_leave(intent: LeaveIntent, signed: bool) -> bytes:
    return b"\x00" + pack({"LTime": intent.ltime, "Node": intent.node, "Prune": intent.prune})


def _encode_join(intent: JoinIntent, signed: bool) -> bytes:
    return b"\x01" + pack({"LTime": intent.ltime, "Node": intent.node})


def _encode_user_event(event: UserEvent, signed: bool) -> bytes:
    fields: dict[str, object] = {
        "CC": event.may_coalesce,
        "LTime": event.ltime,
        "Name": event.name,
        "Payload": event.payload,
    }
    if event.extras is not None:
        fields[OURS] = extras_fields(event.extras)
    return b"\x03" + pack(fields)


def _encode_query(query: Query, signed: bool) -> bytes:
    fields = {
        "Addr": query.origin.ip or None,
        "Filters": query.filters or None,
        "Flags": query.flags,
        "ID": query.id,
        "LTime": query.ltime,
        "Name": query.name,
        "Payload": query.payload,
        "Port": query.origin.port,
        "RelayFactor": query.relay_factor,
        "SourceNode": query.origin_node,
        "Timeout": query.timeout_ns,
    }
    if query.features:
        fields[OURS] = query.features
    return b"\x04" + (pack_struct_signed(fields, ("Timeout",)) if signed else pack(fields))


def _encode_query_response(response: QueryResponse, signed: bool) -> bytes:
    return b"\x05" + pack(
        {
            "Flags": response.flags,
            "From": response.responder,
            "ID": response.id,
            "LTime": response.ltime,
            "Payload": response.payload,
        }
    )


def _encode_relay(relay: Relay, signed: bool) -> bytes:
    ip, port = relay.destination.ip or None, relay.destination.port
    address = {"IP": ip, "Port": port, "Zone": ""}
    header = b"".join(
        (
            b"\x82",
            pack("DestAddr"),
            pack_struct_signed(address, ("Port",)) if signed else pack(address),
            pack("DestName"),
            pack(relay.destination_node),
        )
    )
    return b"".join((b"\x09", header, relay.payload))


def _slot_fields(slot: EventSlot | None) -> dict[str, object] | None:
    if slot is None:
        return None
    return {"Events": [_event_fields(event) for event in slot.events], "LTime": slot.ltime}


def _event_fields(event: BufferedEvent) -> dict[str, object]:
    fields: dict[str, object] = {"Name": event.name, "Payload": event.payload}
    if event.extras is not None:
        fields[OURS] = extras_fields(event.extras)
    return fields


def _decode_leave_untrusted(body: bytes) -> LeaveIntent:
    fields = unpack_struct_untrusted(body, _INTENT_ORDER)
    return LeaveIntent(
        _ltime_untrusted(fields), text_untrusted(fields, b"Node"), bool_untrusted(fields, b"Prune")
    )


def _decode_join_untrusted(body: bytes) -> JoinIntent:
    fields = unpack_struct_untrusted(body, _INTENT_ORDER)
    return JoinIntent(_ltime_untrusted(fields), text_untrusted(fields, b"Node"))


def _decode_user_event_untrusted(body: bytes) -> UserEvent:
    fields = unpack_struct_untrusted(body, _EVENT_ORDER)
    return UserEvent(
        ltime=_ltime_untrusted(fields),
        name=text_untrusted(fields, b"Name"),
        payload=raw_untrusted(fields, b"Payload"),
        may_coalesce=bool_untrusted(fields, b"CC"),
        extras=extras_untrusted(fields),
    )


def _decode_query_untrusted(body: bytes) -> Query:
    fields = unpack_struct_untrusted(body, _QUERY_ORDER)
    return Query(
        ltime=_ltime_untrusted(fields),
        id=uint_untrusted(fields, b"ID"),
        origin=address_untrusted(fields, b"Addr"),
        origin_node=text_untrusted(fields, b"SourceNode"),
        filters=tuple(_filter_of_untrusted(item) for item in list_untrusted(fields, b"Filters")),
        flags=uint_untrusted(fields, b"Flags"),
        relay_factor=uint_untrusted(fields, b"RelayFactor", UINT8_MAX),
        timeout_ns=int64_untrusted(fields, b"Timeout"),
        name=text_untrusted(fields, b"Name"),
        payload=raw_untrusted(fields, b"Payload"),
        features=uint_untrusted(fields, OURS_RAW),
    )


def _decode_query_response_untrusted(body: bytes) -> QueryResponse:
    fields = unpack_struct_untrusted(body, _RESPONSE_ORDER)
    return QueryResponse(
        ltime=_ltime_untrusted(fields),
        id=uint_untrusted(fields, b"ID"),
        responder=text_untrusted(fields, b"From"),
        flags=uint_untrusted(fields, b"Flags"),
        payload=raw_untrusted(fields, b"Payload"),
    )


def _decode_relay_untrusted(body: bytes) -> Relay:
    reader = reader_of(body)
    try:
        header = struct_of_untrusted(reader.value_untrusted(), _RELAY_ORDER)
    except Incomplete:
        raise truncated() from None
    address = struct_of_untrusted(header.get(b"DestAddr"), _UDP_ADDRESS_ORDER)
    payload = body[reader.tell() :]
    if not payload:
        raise WireError(EMPTY, "a relay that wraps nothing")
    return Relay(
        destination=address_untrusted(address, b"IP"),
        destination_node=text_untrusted(header, b"DestName"),
        payload=payload,
    )


def _read_state_untrusted(reader: Reader) -> SerfPushPull:
    """Read a state piecewise: its lists may be long, those of unknown keys may not."""
    numbers = {b"LTime": 0, b"EventLTime": 0, b"QueryLTime": 0}
    status_ltimes: dict[str, int] = {}
    left_members: tuple[str, ...] = ()
    events: tuple[EventSlot | None, ...] = ()
    catalog = b""
    for _ in range(reader.map_header_untrusted()):
        name = reader.value_untrusted()
        if name == b"StatusLTimes":
            status_ltimes = _read_status_ltimes_untrusted(reader)
        elif name == b"LeftMembers":
            left_members = _read_left_members_untrusted(reader)
        elif name == b"Events":
            events = _read_events_untrusted(reader)
        elif type(name) is bytes and name in numbers:
            numbers[name] = _ltime_of_untrusted(reader.value_untrusted())
        elif name == OURS_RAW:
            said = reader.value_untrusted()
            catalog = said if type(said) is bytes else NO_SUMMARY
        else:
            reader.skip_untrusted()
    return SerfPushPull(
        ltime=numbers[b"LTime"],
        status_ltimes=status_ltimes,
        left_members=left_members,
        event_ltime=numbers[b"EventLTime"],
        events=events,
        query_ltime=numbers[b"QueryLTime"],
        catalog=catalog,
    )


def _read_status_ltimes_untrusted(reader: Reader) -> dict[str, int]:
    count = _count_untrusted(reader.map_header_untrusted(), STATE_MEMBERS_MAX)
    times: dict[str, int] = {}
    for _ in range(count):
        name = text_of_untrusted(reader.value_untrusted())
        times[name] = _ltime_of_untrusted(reader.value_untrusted())
    return times


def _read_left_members_untrusted(reader: Reader) -> tuple[str, ...]:
    count = _count_untrusted(reader.list_header_untrusted(), STATE_MEMBERS_MAX)
    return tuple([text_of_untrusted(reader.value_untrusted()) for _ in range(count)])


def _read_events_untrusted(reader: Reader) -> tuple[EventSlot | None, ...]:
    count = _count_untrusted(reader.list_header_untrusted(), STATE_EVENTS_MAX)
    slots = []
    events = 0
    for _ in range(count):
        slot = _slot_of_untrusted(reader.value_untrusted())
        slots.append(slot)
        if slot is not None:
            events = _count_untrusted(events + len(slot.events), STATE_EVENTS_MAX)
    return tuple(slots)


def _slot_of_untrusted(value: object) -> EventSlot | None:
    if value is None:
        return None
    fields = struct_of_untrusted(value, _SLOT_ORDER)
    events = []
    for item in list_untrusted(fields, b"Events"):
        event = struct_of_untrusted(item, _BUFFERED_EVENT_ORDER)
        events.append(
            BufferedEvent(
                text_untrusted(event, b"Name"),
                raw_untrusted(event, b"Payload"),
                extras_untrusted(event),
            )
        )
    return EventSlot(_ltime_untrusted(fields), tuple(events))


def _count_untrusted(count: int, limit: int) -> int:
    if count > limit:
        raise WireError(TOO_LARGE, f"{count} entries exceed {limit}")
    return count


def _ltime_untrusted(fields: Fields) -> int:
    return _ltime_of_untrusted(fields.get(b"LTime"))


def _ltime_of_untrusted(value: object) -> int:
    if type(value) is int and 0 <= value <= LAMPORT_TIME_MAX:
        return value
    if value is None:
        return 0
    raise WireError(MALFORMED, "a Lamport time is no integer within 0..2**63-1")


def text_of_untrusted(value: object) -> str:
    if type(value) is bytes:
        return value.decode("utf-8", "surrogateescape")
    if value is None:
        return ""
    raise WireError(MALFORMED, f"text is expected, {type(value).__name__} came")


def _filter_of_untrusted(value: object) -> bytes:
    if value is None:
        return b""
    if type(value) is bytes:
        return value
    raise WireError(MALFORMED, "a filter is no byte string")


def address_untrusted(fields: Fields, name: bytes) -> Address:
    ip = raw_untrusted(fields, name) or b""
    if len(ip) not in (0, 4, 16):
        raise WireError(MALFORMED, f"an address of {len(ip)} bytes")
    return Address(ip, uint_untrusted(fields, b"Port", UINT16_MAX))


def body_untrusted(payload: bytes, kind: SerfKind) -> bytes:
    if not payload:
        raise WireError(EMPTY, "empty payload")
    if payload[0] != kind:
        raise WireError(UNKNOWN_KIND, f"serf message type {payload[0]} instead of {int(kind)}")
    return payload[1:]


_ENCODERS: Final[dict[type, Callable[[Any, bool], bytes]]] = {
    LeaveIntent: _encode_leave,
    JoinIntent: _encode_join,
    UserEvent: _encode_user_event,
    Query: _encode_query,
    QueryResponse: _encode_query_response,
    Relay: _encode_relay,
}

_DECODERS: Final[dict[int, Callable[[bytes], SerfMessage]]] = {
    SerfKind.LEAVE: _decode_leave_untrusted,
    SerfKind.JOIN: _decode_join_untrusted,
    SerfKind.USER_EVENT: _decode_user_event_untrusted,
    SerfKind.QUERY: _decode_query_untrusted,
    SerfKind.QUERY_RESPONSE: _decode_query_response_untrusted,
    SerfKind.RELAY: _decode_relay_untrusted,
}
