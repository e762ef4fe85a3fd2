"""Payloads of Serf's internal queries and their answers (gossip.md, sections 14.1, 17.1, 18).

Who owns a name (conflict response), and the keys (key request and response).
They travel inside a query's or a response's payload, with a type byte of
their own.
"""

from __future__ import annotations

from typing import Final

from gossipd.errors import WireError
from gossipd.wire.dialect import (
    UINT8_MAX,
    bool_untrusted,
    list_untrusted,
    pack,
    raw_untrusted,
    struct_of_untrusted,
    text_untrusted,
    uint_untrusted,
    unpack_struct_untrusted,
    unpack_untrusted,
)
from gossipd.wire.extras_codec import OURS, OURS_RAW
from gossipd.wire.messages import Versions
from gossipd.wire.reasons import MALFORMED
from gossipd.wire.serf_codec import (
    SerfKind,
    address_untrusted,
    body_untrusted,
    text_of_untrusted,
)
from gossipd.wire.serf_messages import ConflictResponse, KeyRequest, KeyResponse, MemberStatus

STARTED_MS_MAX: Final = 2**53
"""Milliseconds since 1970, far beyond any calendar."""
_KEY_RESPONSE_ORDER: Final = (b"Result", b"Message", b"Keys", b"PrimaryKey")
_VERSION_NAMES: Final = (
    b"ProtocolMin",
    b"ProtocolMax",
    b"ProtocolCur",
    b"DelegateMin",
    b"DelegateMax",
    b"DelegateCur",
)
_MEMBER_ORDER: Final = (b"Name", b"Addr", b"Port", b"Tags", b"Status", *_VERSION_NAMES)


def encode_conflict_response(response: ConflictResponse | None) -> bytes:
    """Return the answer to a name conflict query; ``None`` says the name is unknown."""
    if response is None:
        return b"\x06" + pack(None)
    versions = response.versions
    claim = {OURS: response.started_ms} if response.started_ms else {}
    return b"\x06" + pack(
        {
            "Addr": response.address.ip or None,
            "DelegateCur": versions.delegate,
            "DelegateMax": versions.delegate_max,
            "DelegateMin": versions.delegate_min,
            "Name": response.name,
            "Port": response.address.port,
            "ProtocolCur": versions.protocol,
            "ProtocolMax": versions.protocol_max,
            "ProtocolMin": versions.protocol_min,
            "Status": int(response.status),
            "Tags": dict(response.tags),
            **claim,
        }
    )


def decode_conflict_response_untrusted(payload: bytes) -> ConflictResponse | None:
    """Return the answer to a name conflict query; ``None`` if the name is unknown there.

    Raises:
        WireError: it is none.
    """
    value = unpack_untrusted(body_untrusted(payload, SerfKind.CONFLICT_RESPONSE))
    if value is None:
        return None
    fields = struct_of_untrusted(value, _MEMBER_ORDER)
    tags = fields.get(b"Tags")
    if tags is not None and type(tags) is not dict:
        raise WireError(MALFORMED, "Tags is no map")
    return ConflictResponse(
        name=text_untrusted(fields, b"Name"),
        address=address_untrusted(fields, b"Addr"),
        tags={text_of_untrusted(k): text_of_untrusted(v) for k, v in (tags or {}).items()},
        status=MemberStatus(uint_untrusted(fields, b"Status", MemberStatus.FAILED)),
        versions=Versions(*(uint_untrusted(fields, name, UINT8_MAX) for name in _VERSION_NAMES)),
        started_ms=uint_untrusted(fields, OURS_RAW, STARTED_MS_MAX),
    )


def encode_key_request(request: KeyRequest) -> bytes:
    """Return the payload of a key query."""
    return b"\x07" + pack({"Key": request.key})


def decode_key_request_untrusted(payload: bytes) -> KeyRequest:
    """Return the payload of a key query.

    Raises:
        WireError: it is none; an empty payload, which crashes real nodes, too.
    """
    body = body_untrusted(payload, SerfKind.KEY_REQUEST)
    return KeyRequest(raw_untrusted(unpack_struct_untrusted(body, (b"Key",)), b"Key"))


def encode_key_response(response: KeyResponse) -> bytes:
    """Return the answer to a key query."""
    return b"\x08" + pack(
        {
            "Keys": response.keys,
            "Message": response.message,
            "PrimaryKey": response.primary_key,
            "Result": response.ok,
        }
    )


def decode_key_response_untrusted(payload: bytes) -> KeyResponse:
    """Return the answer to a key query.

    Raises:
        WireError: it is none.
    """
    body = body_untrusted(payload, SerfKind.KEY_RESPONSE)
    fields = unpack_struct_untrusted(body, _KEY_RESPONSE_ORDER)
    keys = fields.get(b"Keys")
    return KeyResponse(
        ok=bool_untrusted(fields, b"Result"),
        message=text_untrusted(fields, b"Message"),
        keys=None
        if keys is None
        else tuple(text_of_untrusted(key) for key in list_untrusted(fields, b"Keys")),
        primary_key=text_untrusted(fields, b"PrimaryKey"),
    )
