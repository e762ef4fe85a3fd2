"""Several messages in one packet and back (gossip.md, section 4.1).

``07``, count (u8), count lengths (u16), then the messages back to back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gossipd.errors import WireError
from gossipd.wire.reasons import TRUNCATED

PARTS_MAX: Final = 255
HEADER_BYTES: Final = 2
"""Type byte and count."""
PART_OVERHEAD_BYTES: Final = 2
"""What each part costs besides its own bytes."""


def make_compounds(messages: Sequence[bytes]) -> list[bytes]:
    """Return as many compounds as needed, at most 255 parts each, the remainder last.

    Args:
        messages: each with its type byte, at most 65,535 bytes.
    """
    return [
        _make_compound(messages[start : start + PARTS_MAX])
        for start in range(0, len(messages), PARTS_MAX)
    ]


def _make_compound(messages: Sequence[bytes]) -> bytes:
    lengths = [len(message).to_bytes(2, "big") for message in messages]
    return b"".join((b"\x07", bytes((len(messages),)), *lengths, *messages))


def split_compound_untrusted(data: bytes) -> tuple[tuple[bytes, ...], int]:
    """Return the parts of a compound, and how many were lost because it is cut.

    Args:
        data: the whole message with its type byte.

    Raises:
        WireError: the count or the table of lengths is cut; nothing can be saved.
    """
    if len(data) < HEADER_BYTES:
        raise WireError(TRUNCATED, "compound without a count")
    count = data[1]
    start = HEADER_BYTES + PART_OVERHEAD_BYTES * count
    if len(data) < start:
        raise WireError(TRUNCATED, f"compound of {count} with a cut table of lengths")
    parts: list[bytes] = []
    for position in range(HEADER_BYTES, HEADER_BYTES + PART_OVERHEAD_BYTES * count, 2):
        end = start + (data[position] << 8 | data[position + 1])
        if end > len(data):
            break
        parts.append(data[start:end])
        start = end
    return tuple(parts), count - len(parts)
