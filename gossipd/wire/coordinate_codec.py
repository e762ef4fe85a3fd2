"""Coordinates on the wire: the payload of an ack (gossip.md, section 19).

A version byte, then a struct. Peers skip keys they do not know and bytes after
the struct, and so does this.
"""

from __future__ import annotations

from typing import Final

from gossipd.coordinate import Coordinate
from gossipd.errors import WireError
from gossipd.wire.dialect import Fields, list_untrusted, pack, unpack_struct_untrusted
from gossipd.wire.reasons import EMPTY, MALFORMED, UNKNOWN_KIND

VERSION: Final = 1
_ORDER: Final = (b"Vec", b"Error", b"Adjustment", b"Height")


def encode_coordinate(coordinate: Coordinate) -> bytes:
    """Return the ack payload that tells ``coordinate``."""
    return b"\x01" + pack(
        {
            "Adjustment": float(coordinate.adjustment),
            "Error": float(coordinate.error),
            "Height": float(coordinate.height),
            "Vec": [float(part) for part in coordinate.vec],
        }
    )


def decode_coordinate_untrusted(payload: bytes) -> Coordinate:
    """Return the coordinate in an ack payload; fields a peer leaves out are zero.

    Its numbers may be anything, also NaN; whoever computes with it judges them.

    Raises:
        WireError: empty, of another version, or not the struct of it.
    """
    if not payload:
        raise WireError(EMPTY, "an ack without a coordinate")
    if payload[0] != VERSION:
        raise WireError(UNKNOWN_KIND, f"ack payload of version {payload[0]}")
    fields = unpack_struct_untrusted(payload[1:], _ORDER)
    return Coordinate(
        vec=tuple([_number_untrusted(part, b"Vec") for part in list_untrusted(fields, b"Vec")]),
        error=_field_untrusted(fields, b"Error"),
        adjustment=_field_untrusted(fields, b"Adjustment"),
        height=_field_untrusted(fields, b"Height"),
    )


def _field_untrusted(fields: Fields, name: bytes) -> float:
    value = fields.get(name)
    return 0.0 if value is None else _number_untrusted(value, name)


def _number_untrusted(value: object, name: bytes) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    raise WireError(MALFORMED, f"{name.decode()} is no number")
