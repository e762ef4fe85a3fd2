"""The reasons of a ``WireError``: one short stable key per kind of refused input.

They name statistics counters, so they never change; the detail says the rest.
"""

from __future__ import annotations

from typing import Final

EMPTY: Final = "empty"
"""No bytes where a type byte should be: an empty packet, compound part or message."""
TRUNCATED: Final = "truncated"
"""The input ends before what it announces."""
MALFORMED: Final = "malformed"
"""Not msgpack, not the shape of the message, or a value out of its range."""
UNKNOWN_KIND: Final = "unknown-kind"
"""A type byte that nobody knows, or that is not legal in this place."""
TOO_LARGE: Final = "too-large"
"""A count, a length or a decompressed size above its limit."""
TOO_DEEP: Final = "too-deep"
"""Compound and compress wrapped into one another more often than allowed."""
BAD_CHECKSUM: Final = "bad-checksum"
"""The CRC-32 of the packet does not match."""
BAD_COMPRESSION: Final = "bad-compression"
"""An unknown algorithm, or bytes that are no LZW stream."""
WRONG_LABEL: Final = "wrong-label"
"""The label is missing, not ours, or its header is cut."""
NO_KEY_FITS: Final = "no-key-fits"
"""No installed key opens the payload, or it was altered on the way."""
BAD_ENCRYPTION: Final = "bad-encryption"
"""Unknown encryption version, impossible length or padding."""
PLAINTEXT: Final = "plaintext"
"""Not encrypted although encryption is required."""
NOT_CONFIGURED: Final = "not-configured"
"""An encrypted stream, and no key is set here."""
