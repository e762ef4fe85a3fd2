"""The msgpack dialect of memberlist and Serf (gossip.md, section 2).

Out goes the old specification: text and bytes are the same "raw" family,
never str8 or bin; integers take the smallest unsigned form. In comes
everything the real decoder takes. This is the only file of the room that
knows msgpack; its exceptions end here as ``WireError``. It knows no message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgpack

from gossipd.errors import WireError
from gossipd.wire.reasons import MALFORMED, TOO_LARGE, TRUNCATED

UINT8_MAX: Final = 0xFF
UINT16_MAX: Final = 0xFFFF
UINT32_MAX: Final = 0xFFFF_FFFF
INT64_MAX: Final = 2**63 - 1

LIST_ITEMS_MAX: Final = 1024
"""Elements of one list inside a message: query filters, events of one slot, keys.

A list takes its memory when its header is read, and 1024 levels may nest:
this bounds what a hostile message of a few kilobytes costs for a moment.
"""
STREAM_LIST_ITEMS_MAX: Final = 128
"""The same on streams, where a cut message is held until its deadline."""
MAP_ENTRIES_MAX: Final = 1024
"""Entries of one map inside a message; tags of 512 bytes hold at most 255."""
STRUCT_BYTES_MAX: Final = 2**20
"""One map or list, and all in it: a byte may become an object of 64.

No packet holds as much; a user message or a state on a stream may be 20 MiB long.
"""
VALUE_STRUCTS_MAX: Final = 64
"""Maps and lists in one value that arrives in pieces: what is built is held until all is there."""
STRING_BYTES_MAX: Final = 65_536
"""One text or byte string inside a stream's maps; a packet cannot hold more."""

Fields: TypeAlias = Mapping[Any, Any]
"""A struct of the wire: field name in bytes to whatever the peer sent."""

_STRUCTS: Final = frozenset(bytes((kind,)) for kind in (*range(0x80, 0xA0), *range(0xDC, 0xE0)))
"""First bytes of maps and lists."""

# Nesting is bounded by msgpack itself: it refuses more than 1024 levels.
_REFUSED: Final = (
    ValueError,  # bad format, nesting too deep, a limit exceeded
    TypeError,  # a map key that cannot be one
    msgpack.UnpackException,
    OverflowError,
    RecursionError,
    MemoryError,  # nested list headers that together claim too much
)

_PACKER: Final = msgpack.Packer(use_bin_type=False, unicode_errors="surrogateescape")

pack = _PACKER.pack
"""Encode one value. Map keys keep their order: build structs sorted by name."""


def uint_bytes(value: int) -> int:
    """Return how long an unsigned integer is when packed."""
    if value < 0x80:
        return 1
    if value <= UINT8_MAX:
        return 2
    if value <= UINT16_MAX:
        return 3
    return 5 if value <= UINT32_MAX else 9


def raw_bytes(value: str | bytes) -> int:
    """Return how long a text or byte string is when packed; nil is as long as nothing."""
    if isinstance(value, str) and not value.isascii():
        value = value.encode("utf-8", "surrogateescape")
    length = len(value)
    return length + (1 if length < 32 else 3)


def pack_signed(value: int) -> bytes:
    """Encode an integer as newer peers encode a signed one: never ``cc`` to ``cf``."""
    if value <= 0x7F:
        return pack(value)
    if value < 2**15:
        return b"\xd1" + value.to_bytes(2, "big")
    if value < 2**31:
        return b"\xd2" + value.to_bytes(4, "big")
    return b"\xd3" + value.to_bytes(8, "big")


def pack_struct_signed(fields: Mapping[str, object], signed: tuple[str, ...]) -> bytes:
    """Encode a struct whose fields named in ``signed`` take the signed form."""
    parts = [bytes((0x80 + len(fields),))]
    for name, value in fields.items():
        parts.append(pack(name))
        if name in signed and isinstance(value, int):
            parts.append(pack_signed(value))
        else:
            parts.append(pack(value))
    return b"".join(parts)


def unpack_untrusted(data: bytes) -> Any:
    """Decode one value and ignore the bytes after it; strings come as bytes.

    Raises:
        WireError: the bytes are no msgpack or exceed a limit of this file.
    """
    if len(data) > STRUCT_BYTES_MAX:
        raise WireError(TOO_LARGE, f"a message of {len(data)} bytes")
    try:
        return msgpack.unpackb(
            data,
            raw=True,
            strict_map_key=False,
            max_array_len=LIST_ITEMS_MAX,
            max_map_len=MAP_ENTRIES_MAX,
        )
    except msgpack.ExtraData as extra:
        return vars(extra)["unpacked"]
    except _REFUSED as error:
        raise WireError(MALFORMED, f"{type(error).__name__}: {error}") from None


def values_untrusted(data: bytes) -> Iterator[Any]:
    """Yield the values that stand one after another in ``data``; strings come as bytes.

    Each is bounded as in ``unpack_untrusted``; how many there may be is the caller's.

    Raises:
        WireError: the bytes are no msgpack, end inside a value, or exceed a limit.
    """
    unpacker = msgpack.Unpacker(
        raw=True,
        strict_map_key=False,
        max_buffer_size=max(1, len(data)),
        max_array_len=LIST_ITEMS_MAX,
        max_map_len=MAP_ENTRIES_MAX,
    )
    unpacker.feed(data)
    unpack, tell = unpacker.unpack, unpacker.tell
    while tell() < len(data):
        try:
            value = unpack()
        except msgpack.OutOfData:
            raise truncated() from None
        except _REFUSED as error:
            raise WireError(MALFORMED, f"{type(error).__name__}: {error}") from None
        yield value


def unpack_struct_untrusted(data: bytes, order: tuple[bytes, ...]) -> Fields:
    """Decode one struct: a map, a list in declaration ``order``, or nil.

    Raises:
        WireError: it is none of these.
    """
    value = unpack_untrusted(data)
    if type(value) is dict:
        return value
    return struct_of_untrusted(value, order)


def struct_of_untrusted(value: Any, order: tuple[bytes, ...]) -> Fields:
    """Return a decoded value as a struct.

    Raises:
        WireError: it is no map, list or nil.
    """
    if type(value) is dict:
        return value
    if type(value) is list:
        return dict(zip(order, value, strict=False))
    if value is None:
        return {}
    raise WireError(MALFORMED, f"a struct is expected, {type(value).__name__} came")


def uint_untrusted(fields: Fields, name: bytes, limit: int = UINT32_MAX) -> int:
    """Return an integer field within 0..``limit``; 0 if nil or missing.

    Raises:
        WireError: it is no integer or out of range.
    """
    value = fields.get(name)
    if type(value) is int and 0 <= value <= limit:
        return value
    if value is None:
        return 0
    raise WireError(MALFORMED, f"{name.decode()} is no integer within 0..{limit}")


def int64_untrusted(fields: Fields, name: bytes) -> int:
    """Return a signed 64-bit field; 0 if nil or missing.

    Raises:
        WireError: it is no integer or out of range.
    """
    value = fields.get(name)
    if type(value) is int and -INT64_MAX <= value <= INT64_MAX:
        return value
    if value is None:
        return 0
    raise WireError(MALFORMED, f"{name.decode()} is no signed 64-bit integer")


def text_untrusted(fields: Fields, name: bytes) -> str:
    """Return a text field, its bytes kept by ``surrogateescape``; empty if nil or missing.

    Raises:
        WireError: it is no string.
    """
    value = fields.get(name)
    if type(value) is bytes:
        return value.decode("utf-8", "surrogateescape")
    if value is None:
        return ""
    raise WireError(MALFORMED, f"{name.decode()} is no text")


def raw_untrusted(fields: Fields, name: bytes) -> bytes | None:
    """Return a byte string field; ``None`` if nil or missing.

    Raises:
        WireError: it is no string.
    """
    value = fields.get(name)
    if value is None or type(value) is bytes:
        return value
    raise WireError(MALFORMED, f"{name.decode()} is no byte string")


def bool_untrusted(fields: Fields, name: bytes) -> bool:
    """Return a boolean field, given as boolean or as 0 or 1; false if nil or missing.

    Raises:
        WireError: it is neither.
    """
    value = fields.get(name)
    if value is None:
        return False
    if value is True or value is False or (type(value) is int and value in (0, 1)):
        return bool(value)
    raise WireError(MALFORMED, f"{name.decode()} is no boolean")


def list_untrusted(fields: Fields, name: bytes) -> list[Any]:
    """Return a list field; empty if nil or missing.

    Raises:
        WireError: it is no list.
    """
    value = fields.get(name)
    if value is None:
        return []
    if type(value) is list:
        return value
    raise WireError(MALFORMED, f"{name.decode()} is no list")


class Incomplete(Exception):
    """A ``Reader`` needs more bytes; nothing is lost, call again after ``feed``."""


class _StructLimit:
    """Called with each map and list that is built; refuses too many in one value."""

    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, value: Any) -> Any:
        self.seen += 1
        if self.seen > VALUE_STRUCTS_MAX:
            raise ValueError(f"more than {VALUE_STRUCTS_MAX} maps and lists in one value")
        return value


class Reader:
    """Reads values one after another from bytes that arrive in pieces.

    A value that is not there yet raises ``Incomplete``; the next call goes on
    where this one stopped, so many small pieces cost no more than one large.
    Memory is taken for what arrived, not for what a header announces.

    Args:
        string_bytes_max: longest text or byte string accepted.
        buffer_bytes_max: most bytes held unread.
        list_items_max: longest list accepted inside a value.
        map_entries_max: largest map accepted.
        is_whole: all bytes come at once (``reader_of``).
    """

    __slots__ = ("_fed", "_limit", "_read", "_unpacker", "_value_bytes_max", "_whole")

    def __init__(
        self,
        string_bytes_max: int,
        buffer_bytes_max: int,
        list_items_max: int = STREAM_LIST_ITEMS_MAX,
        map_entries_max: int = MAP_ENTRIES_MAX,
        *,
        is_whole: bool = False,
    ) -> None:
        self._whole = b""
        self._fed = 0
        self._read = 0
        # Many strings of legal length in one unfinished value must not add up for ever.
        self._value_bytes_max = string_bytes_max + STRING_BYTES_MAX
        self._limit = _StructLimit()
        hook = None if is_whole else self._limit
        self._unpacker = msgpack.Unpacker(
            object_hook=hook,
            list_hook=hook,
            raw=True,
            strict_map_key=False,
            read_size=min(1024, buffer_bytes_max),
            max_buffer_size=buffer_bytes_max,
            max_str_len=string_bytes_max,
            max_bin_len=string_bytes_max,
            max_ext_len=STRING_BYTES_MAX,
            max_array_len=list_items_max,
            max_map_len=map_entries_max,
        )

    @property
    def unread_bytes(self) -> int:
        """How many bytes were fed and are not read."""
        return self._fed - self._read

    def feed(self, data: bytes | memoryview) -> None:
        """Add bytes.

        Raises:
            WireError: more than ``buffer_bytes_max`` would be held.
        """
        try:
            self._unpacker.feed(data)
            self._fed += len(data)
        except _REFUSED as error:
            raise WireError(MALFORMED, f"{type(error).__name__}: {error}") from None

    def value_untrusted(self) -> Any:
        """Return the next value.

        Raises:
            Incomplete: it is not all there.
            WireError: it is no msgpack or exceeds a limit.
        """
        if self._whole:
            begin = self.tell()
            if self._whole[begin : begin + 1] in _STRUCTS:
                self.skip_untrusted()
                return unpack_untrusted(self._whole[begin : self.tell()])
        try:
            value = self._unpacker.unpack()
        except msgpack.OutOfData:
            if self._fed - self._read > self._value_bytes_max:
                raise WireError(TOO_LARGE, "one value does not end") from None
            raise Incomplete from None
        except _REFUSED as error:
            raise WireError(MALFORMED, f"{type(error).__name__}: {error}") from None
        self._limit.seen = 0
        self._read = self._unpacker.tell()
        return value

    def raw_bytes(self, limit: int) -> bytes:
        """Return up to ``limit`` bytes as they are; fewer when fewer are there."""
        data = bytes(self._unpacker.read_bytes(limit))
        self._read = self._unpacker.tell()
        return data

    def map_header_untrusted(self) -> int:
        """Return the entry count of the map that follows; nil counts as empty.

        Only for bytes that are all there (``reader_of``).

        Raises:
            Incomplete, WireError: as ``value_untrusted``.
        """
        return self._header_untrusted(self._unpacker.read_map_header)

    def list_header_untrusted(self) -> int:
        """Return the element count of the list that follows; nil counts as empty.

        Only for bytes that are all there (``reader_of``).

        Raises:
            Incomplete, WireError: as ``value_untrusted``.
        """
        return self._header_untrusted(self._unpacker.read_array_header)

    def skip_untrusted(self) -> None:
        """Pass over one value without building it.

        Raises:
            Incomplete, WireError: as ``value_untrusted``.
        """
        try:
            self._unpacker.skip()
        except msgpack.OutOfData:
            raise Incomplete from None
        except _REFUSED as error:
            raise WireError(MALFORMED, f"{type(error).__name__}: {error}") from None

    def tell(self) -> int:
        """Return how many bytes have been read since the beginning."""
        return int(self._unpacker.tell())

    def _header_untrusted(self, read: Callable[[], int]) -> int:
        position = self.tell()
        if self._whole[position : position + 1] == b"\xc0":
            self.skip_untrusted()
            return 0
        try:
            return int(read())
        except msgpack.OutOfData:
            raise Incomplete from None
        except _REFUSED as error:
            raise WireError(MALFORMED, f"{type(error).__name__}: {error}") from None


def reader_of(data: bytes) -> Reader:
    """Return a reader over bytes that are all there."""
    reader = Reader(len(data), max(len(data), 1), LIST_ITEMS_MAX, is_whole=True)
    reader.feed(data)
    reader._whole = data
    return reader


def truncated() -> WireError:
    """Return the error for a value that ends too early in bytes that are all there."""
    return WireError(TRUNCATED, "the message ends inside a value")
