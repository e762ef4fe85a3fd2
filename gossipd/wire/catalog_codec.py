"""The catalog's messages as bytes (docs/catalog-protocol.md).

A type byte of the private range, then msgpack values one after another: arrays
without field names, whose missing last elements are the defaults. What stands
behind the known elements of an array is skipped, so later versions can add some.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Any, Final

from gossipd.errors import WireError
from gossipd.wire.catalog_messages import (
    CatalogMessage,
    Delta,
    Digest,
    Known,
    News,
    Notice,
    Portion,
    Record,
    Wish,
)
from gossipd.wire.dialect import pack, values_untrusted
from gossipd.wire.meta_tail import EPOCH_MAX
from gossipd.wire.reasons import EMPTY, MALFORMED, TOO_LARGE, UNKNOWN_KIND

NAME_BYTES_MAX: Final = 512
"""Of owners."""
ID_BYTES_MAX: Final = 255
"""Of services."""
COVERED_MAX: Final = 64
OWNERS_MAX: Final = 65_536
"""In one digest or wish; as many as members are kept."""
RECORDS_MAX: Final = 512
"""In one portion."""
IDS_MAX: Final = 65_536
PORTIONS_MAX: Final = 16_384
"""In one delta; so many empty ones would be longer than a delta is to be."""
DELTA_RECORDS_MAX: Final = 40_960
"""In all portions of one delta, likewise: decoding and merging them takes some 0.1 s."""
MESSAGE_BYTES_MAX: Final = 2**22
"""A digest of 65,536 owners, or a delta with the ids of so many services."""
CONTENT_MAX: Final = 2**64 - 1


class CatalogKind(enum.IntEnum):
    """First byte of a catalog message."""

    NEWS = 0xC0
    NOTICE = 0xC1
    DELTA = 0xC2
    DIGEST = 0xC3
    WISH = 0xC4


def encode_catalog(message: CatalogMessage) -> bytes:
    """Return type byte and body."""
    match message:
        case News():
            record = record_fields(message.record)
            fields = [message.owner, message.epoch, message.version, list(message.covered), record]
            return b"\xc0" + pack(fields)
        case Notice():
            return b"\xc1" + pack([message.owner, message.epoch, message.version])
        case Delta():
            parts = [b"\xc2", pack([message.sender, message.has_more])]
            parts.extend([encode_portion(portion) for portion in message.portions])
            return b"".join(parts)
        case Digest() | Wish():
            parts = [b"\xc3" if isinstance(message, Digest) else b"\xc4", pack([message.sender])]
            parts.extend([pack(_known_fields(one)) for one in message.known])
            return b"".join(parts)


def encode_portion(portion: Portion) -> bytes:
    """Return one portion as it stands in a ``Delta``."""
    ids = None if portion.ids is None else b"".join(map(pack, portion.ids))
    records = [record_fields(record) for record in portion.records]
    return pack([portion.owner, portion.epoch, portion.base, portion.upto, records, ids])


def _known_fields(known: Known) -> list[object]:
    fields: list[object] = [known.owner, known.epoch, known.floor]
    return [*fields, known.content] if known.content else fields


def record_fields(record: Record) -> list[object]:
    """Return a record as an array, without the parts at its end that are not told."""
    fields: list[object] = [
        record.id, record.removed, record.service_version, record.service, record.state_version,
        record.state, record.outputs_version, record.outputs,
    ]  # fmt: skip
    while len(fields) > 2 and not fields[-1] and not fields[-2]:
        del fields[-2:]
    return fields


def decode_catalog_untrusted(payload: bytes) -> CatalogMessage:
    """Return the message in a user payload.

    Raises:
        WireError: empty, of an unknown type, or not the body of its type.
    """
    if not payload:
        raise WireError(EMPTY, "empty user message")
    if len(payload) > MESSAGE_BYTES_MAX:
        raise WireError(TOO_LARGE, f"a catalog message of {len(payload)} bytes")
    decoder = _DECODERS.get(payload[0])
    if decoder is None:
        raise WireError(UNKNOWN_KIND, f"catalog message type {payload[0]}")
    return decoder(values_untrusted(payload[1:]))


def _decode_news_untrusted(values: Iterator[Any]) -> News:
    fields = _list_untrusted(next(values, None), 5)
    covered = _list_untrusted(fields[3], 0)
    if len(covered) > COVERED_MAX:
        raise WireError(TOO_LARGE, f"{len(covered)} covered versions exceed {COVERED_MAX}")
    return News(
        text_untrusted(fields[0], NAME_BYTES_MAX),
        number_untrusted(fields[1]),
        number_untrusted(fields[2]),
        tuple([number_untrusted(version) for version in covered]),
        _record_untrusted(fields[4]),
    )


def _decode_notice_untrusted(values: Iterator[Any]) -> Notice:
    return Notice(*_three_untrusted(next(values, None)))


def _decode_delta_untrusted(values: Iterator[Any]) -> Delta:
    head = _list_untrusted(next(values, None), 2)
    portions: list[Portion] = []
    told, whole = 0, set()
    for value in values:
        fields = _list_untrusted(value, 6)
        if len(portions) >= PORTIONS_MAX:
            raise WireError(TOO_LARGE, f"more than {PORTIONS_MAX} portions")
        records = _list_untrusted(fields[4], 0)
        if len(records) > RECORDS_MAX:
            raise WireError(TOO_LARGE, f"{len(records)} records exceed {RECORDS_MAX}")
        told += len(records)
        if told > DELTA_RECORDS_MAX:
            raise WireError(TOO_LARGE, f"more than {DELTA_RECORDS_MAX} records")
        if fields[5] is not None:
            owner = text_untrusted(fields[0], NAME_BYTES_MAX)
            if owner in whole:  # each makes the receiver look at all that it holds
                raise WireError(MALFORMED, "two portions with all ids of one owner")
            whole.add(owner)
        portions.append(
            Portion(
                text_untrusted(fields[0], NAME_BYTES_MAX),
                number_untrusted(fields[1]),
                number_untrusted(fields[2]),
                number_untrusted(fields[3]),
                tuple([_record_untrusted(record) for record in records]),
                None if fields[5] is None else _ids_untrusted(fields[5]),
            )
        )
    return Delta(text_untrusted(head[0], NAME_BYTES_MAX), head[1] is True, tuple(portions))


def _decode_digest_untrusted(values: Iterator[Any]) -> Digest:
    return Digest(*_known_untrusted(values))


def _decode_wish_untrusted(values: Iterator[Any]) -> Wish:
    return Wish(*_known_untrusted(values))


def _known_untrusted(values: Iterator[Any]) -> tuple[str, tuple[Known, ...]]:
    head = _list_untrusted(next(values, None), 1)
    known: list[Known] = []
    for value in values:
        if len(known) >= OWNERS_MAX:
            raise WireError(TOO_LARGE, f"more than {OWNERS_MAX} owners")
        content = value[3] if type(value) is list and len(value) > 3 else 0
        if type(content) is not int or not 0 <= content <= CONTENT_MAX:
            raise WireError(MALFORMED, "a content is no integer of 64 bits")
        known.append(Known(*_three_untrusted(value), content))
    return text_untrusted(head[0], NAME_BYTES_MAX), tuple(known)


def _three_untrusted(value: Any) -> tuple[str, int, int]:
    fields = _list_untrusted(value, 3)
    return (
        text_untrusted(fields[0], NAME_BYTES_MAX),
        number_untrusted(fields[1]),
        number_untrusted(fields[2]),
    )


def _record_untrusted(value: Any) -> Record:
    fields = _list_untrusted(value, 2)
    id = text_untrusted(fields[0], ID_BYTES_MAX, may_be_empty=True)
    removed = number_untrusted(fields[1])
    told = len(fields)
    service_version = number_untrusted(fields[2]) if told > 3 else 0
    service = _raw_untrusted(fields[3]) if told > 3 else b""
    state_version = number_untrusted(fields[4]) if told > 5 else 0
    state = _raw_untrusted(fields[5]) if told > 5 else b""
    outputs_version = number_untrusted(fields[6]) if told > 7 else 0
    outputs = _raw_untrusted(fields[7]) if told > 7 else b""
    return Record(
        id, removed, service_version, service, state_version, state, outputs_version, outputs
    )


def _ids_untrusted(value: Any) -> tuple[str, ...]:
    ids: list[str] = []
    for id in values_untrusted(_raw_untrusted(value)):
        if len(ids) >= IDS_MAX:
            raise WireError(TOO_LARGE, f"more than {IDS_MAX} ids")
        ids.append(text_untrusted(id, ID_BYTES_MAX, may_be_empty=True))
    return tuple(ids)


def _list_untrusted(value: Any, least: int) -> list[Any]:
    if type(value) is list and len(value) >= least:
        return value
    raise WireError(MALFORMED, f"a list of at least {least} elements is expected")


def number_untrusted(value: Any) -> int:
    """Return a version or epoch.

    Raises:
        WireError: it is no integer within 0..``EPOCH_MAX``.
    """
    if type(value) is int and 0 <= value <= EPOCH_MAX:
        return value
    raise WireError(MALFORMED, "a version or epoch is no integer within 0..2**53-1")


def text_untrusted(value: Any, bytes_max: int, *, may_be_empty: bool = False) -> str:
    """Return a text of at most ``bytes_max`` bytes.

    Raises:
        WireError: it is no text, too long, or empty.
    """
    if type(value) is not bytes or len(value) > bytes_max or not (value or may_be_empty):
        raise WireError(MALFORMED, f"text of at most {bytes_max} bytes is expected")
    return value.decode("utf-8", "surrogateescape")


def _raw_untrusted(value: Any) -> bytes:
    if type(value) is bytes:
        return value
    raise WireError(MALFORMED, f"bytes are expected, {type(value).__name__} came")


_DECODERS: Final[dict[int, Callable[[Iterator[Any]], CatalogMessage]]] = {
    CatalogKind.NEWS: _decode_news_untrusted,
    CatalogKind.NOTICE: _decode_notice_untrusted,
    CatalogKind.DELTA: _decode_delta_untrusted,
    CatalogKind.DIGEST: _decode_digest_untrusted,
    CatalogKind.WISH: _decode_wish_untrusted,
}
