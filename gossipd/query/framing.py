"""Length-bounded msgpack objects on a byte stream, read incrementally.

The local socket carries plain msgpack objects one after another (rpc.md,
section 2). ``FrameReader`` walks the headers of an object as they come in and
judges the lengths they declare before any memory is taken for them: a string
of 64 MB is refused after its five header bytes. Both generations of the
format are read: the old one, where payloads are raw strings, and the new one
with str8 and bin.

With ``wire/dialect.py`` the only file below the trio line that imports
msgpack. It imports nothing heavier, because the command line lives on it.
"""

from __future__ import annotations

import msgpack

from gossipd.errors import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OBJECT_BYTES_MAX = 1 << 20
"""One request header or body, in bytes."""
STRING_BYTES_MAX = 64 << 10
"""One string, binary or extension value, in bytes."""
DEPTH_MAX = 32
"""Maps and arrays within each other."""
ENTRIES_MAX = 65_536
"""Entries of one map or array."""

TOO_LARGE = "too-large"
"""``WireError.reason`` for a breach of a limit."""
BAD_OBJECT = "bad-object"
"""``WireError.reason`` for bytes that are not msgpack."""

_LENGTH_BYTES = {
    0xC4: 1, 0xC5: 2, 0xC6: 4,              # bin
    0xC7: 1, 0xC8: 2, 0xC9: 4,              # ext, followed by a type byte
    0xD9: 1, 0xDA: 2, 0xDB: 4,              # str
    0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4,     # array, map
}  # fmt: skip
_FIXED_BYTES = {
    0xC0: 0, 0xC2: 0, 0xC3: 0,              # nil, false, true
    0xCA: 4, 0xCB: 8,                       # floats
    0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8,     # unsigned
    0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,     # signed
    0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17,   # fixext with its type byte
}  # fmt: skip


class FrameReader:
    """Cuts a byte stream into msgpack objects, none above the limits.

    Feed bytes, then take objects until there is none. Memory held is at most
    one object's limit plus what was fed since. After a ``WireError`` the stream
    cannot be read on.

    Args:
        object_bytes_max: limit of one object in bytes, header bytes included.
    """

    __slots__ = ("_at", "_buffer", "_limit", "_open", "_owed", "_start")

    def __init__(self, object_bytes_max: int = OBJECT_BYTES_MAX) -> None:
        self._buffer = bytearray()
        self._limit = object_bytes_max
        self._start = 0  # where the current object begins
        self._at = 0  # where its next header stands, or will stand
        self._open: list[int] = []  # entries still to come, outermost container first
        self._owed = 0  # entries still to come of all containers together

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes that were received."""
        if self._start:
            del self._buffer[: self._start]
            self._at -= self._start
            self._start = 0
        self._buffer += data

    @property
    def is_inside_object(self) -> bool:
        """Whether an object has begun that is not complete."""
        return len(self._buffer) > self._start

    def next_frame_untrusted(self) -> bytes | None:
        """Return the bytes of the next whole object, or ``None`` until there is one.

        Raises:
            WireError: ``too-large`` as soon as the headers declare more than a
                limit, ``bad-object`` for a byte that begins no value.
        """
        if not self._walk_untrusted():
            return None
        frame = bytes(memoryview(self._buffer)[self._start : self._at])
        self._start = self._at
        return frame

    def next_object_untrusted(self) -> tuple[Any] | None:
        """Return the next whole object in a 1-tuple, or ``None`` until there is one.

        Text that is not UTF-8 keeps its bytes (``surrogateescape``).

        Raises:
            WireError: as ``next_frame_untrusted``.
        """
        frame = self.next_frame_untrusted()
        return None if frame is None else (decode_frame_untrusted(frame),)

    def _walk_untrusted(self) -> bool:
        """Go over the headers that are there; tell whether the object is complete."""
        buffer, still_open = self._buffer, self._open
        end = len(buffer)
        while self._at < end and (still_open or self._at == self._start):
            head = _header_untrusted(buffer, self._at)
            if head is None:
                return False
            size, entries = head
            self._at += size
            if still_open:
                self._owed -= 1
            self._owed += entries
            # Every entry that is still owed takes a byte at least.
            if self._at + self._owed - self._start > self._limit:
                raise WireError(TOO_LARGE, f"an object of more than {self._limit} bytes")
            if entries:
                if len(still_open) >= DEPTH_MAX:
                    raise WireError(TOO_LARGE, f"more than {DEPTH_MAX} levels")
                still_open.append(entries)
                continue
            while still_open:
                still_open[-1] -= 1
                if still_open[-1]:
                    break
                still_open.pop()
        return not still_open and self._start < self._at <= end


def _header_untrusted(buffer: bytearray, at: int) -> tuple[int, int] | None:
    """Return (bytes to skip, entries to come) of the value at ``at``; None: not all there."""
    kind = buffer[at]
    if kind <= 0x7F or kind >= 0xE0:
        return 1, 0
    if kind <= 0x8F:
        return 1, 2 * (kind & 0x0F)
    if kind <= 0x9F:
        return 1, kind & 0x0F
    if kind <= 0xBF:
        return 1 + (kind & 0x1F), 0
    fixed = _FIXED_BYTES.get(kind)
    if fixed is not None:
        return 1 + fixed, 0
    width = _LENGTH_BYTES.get(kind)
    if width is None:
        raise WireError(BAD_OBJECT, f"byte {kind:#04x} begins no value")
    body = at + 1 + width
    if len(buffer) < body:
        return None
    length = int.from_bytes(buffer[at + 1 : body], "big")
    if kind >= 0xDC:
        if length > ENTRIES_MAX:
            raise WireError(TOO_LARGE, f"{length} entries")
        return 1 + width, length if kind <= 0xDD else 2 * length
    if length > STRING_BYTES_MAX:
        raise WireError(TOO_LARGE, f"a string of {length} bytes")
    return 1 + width + length + (0xC7 <= kind <= 0xC9), 0


def decode_frame_untrusted(frame: bytes) -> Any:
    """Return the value of one whole object whose lengths were already judged.

    Raises:
        WireError: ``bad-object``, the bytes are no legal value.
    """
    try:
        return msgpack.unpackb(frame, raw=False, unicode_errors="surrogateescape")
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise WireError(BAD_OBJECT, str(error)) from error


def encode(*values: object) -> bytes:
    """Return the values as msgpack objects in a row: text as str, bytes as bin."""
    return b"".join(
        [msgpack.packb(v, use_bin_type=True, unicode_errors="surrogateescape") for v in values]
    )
