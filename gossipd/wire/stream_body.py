"""The message that a stream carries, read as its bytes arrive (gossip.md, section 6).

One parser for each type of message. Each keeps what it has read, so every
value is decoded once however the bytes are cut, and each has its limits.
What is wrapped around a message is ``stream.py``'s part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from gossipd.errors import WireError
from gossipd.wire.codec import (
    MessageKind,
    ack_untrusted,
    error_untrusted,
    node_state_untrusted,
    ping_untrusted,
)
from gossipd.wire.dialect import (
    INT64_MAX,
    STRING_BYTES_MAX,
    Fields,
    Incomplete,
    Reader,
    bool_untrusted,
    struct_of_untrusted,
    uint_untrusted,
)
from gossipd.wire.messages import NodeState, PushPull, StreamMessage, UserPayload
from gossipd.wire.packet import STREAM_EXPANDED_BYTES_MAX
from gossipd.wire.reasons import TOO_LARGE, TRUNCATED

NODES_MAX: Final = 131_072
"""Nodes of a push/pull: twice what our own table takes.

The reference reads up to 1,048,576. Nodes beyond a full table would be decoded,
half a gigabyte of them, only to be thrown away.
"""
USER_STATE_BYTES_MAX: Final = 20 * 2**20
USER_MESSAGE_BYTES_MAX: Final = 20 * 2**20
NODES_PER_PORTION: Final = 512
"""Nodes of a push/pull decoded in one go."""
NODE_BYTES: Final = 256
"""What a decoded node takes, beyond the bytes it came in."""

_HEADER_ORDER: Final = (b"Nodes", b"UserStateLen", b"Join")
_USER_HEADER_ORDER: Final = (b"UserMsgLen",)


class Body:
    """The message proper, read value by value as its bytes arrive.

    Args:
        parser: of its type.
        data: what of it came so far, without the type byte.
        is_whole: that is all of it, as it was wrapped.
    """

    __slots__ = ("_is_whole", "_parser", "_reader", "_whole_bytes", "is_busy")

    def __init__(self, parser: Parser, data: memoryview, *, is_whole: bool) -> None:
        self._parser = parser
        self._is_whole = is_whole
        self.is_busy = False
        """Whether there is work to do without new bytes."""
        self._reader = Reader(STRING_BYTES_MAX, STREAM_EXPANDED_BYTES_MAX + STRING_BYTES_MAX)
        self._reader.feed(data)
        self._whole_bytes = len(data) if is_whole else 0

    @property
    def message_bytes(self) -> int:
        """Memory that what is decoded so far takes, roughly."""
        return self._reader.tell() + NODE_BYTES * self._parser.node_count

    @property
    def held_bytes(self) -> int:
        """The same with what is not decoded; a whole message stays beside what it decodes to."""
        return self.message_bytes + (self._whole_bytes or self._reader.unread_bytes)

    def feed(self, data: bytes) -> None:
        """Add bytes that arrived."""
        if not self._is_whole:  # what follows a wrapped message is nobody's
            self._reader.feed(data)

    def next_untrusted(self) -> StreamMessage | None:
        """Return the message, or ``None`` while bytes are missing or there is more to do."""
        self.is_busy = False
        try:
            message = self._parser.read_untrusted(self._reader)
            self.is_busy = message is None
            return message
        except Incomplete:
            if self._is_whole:
                raise WireError(TRUNCATED, "the message ends inside a value") from None
            return None


class Parser(Protocol):
    """What reads one type of message; it keeps what it has read between calls."""

    @property
    def node_count(self) -> int:
        """How many nodes it has read."""

    def read_untrusted(self, reader: Reader) -> StreamMessage | None:
        """Return the message, ``None`` after a portion; ``Incomplete`` while bytes are missing."""


class _MapParser:
    """A message that is a single map: ping, ack, error reply."""

    __slots__ = ("_decode",)
    node_count: Final = 0

    def __init__(self, decode: Callable[[object], StreamMessage]) -> None:
        self._decode = decode

    def read_untrusted(self, reader: Reader) -> StreamMessage:
        return self._decode(reader.value_untrusted())


class _UserParser:
    """A header with the length, then that many bytes (section 6.4)."""

    __slots__ = ("_tail",)
    node_count: Final = 0

    def __init__(self) -> None:
        self._tail: _Tail | None = None

    def read_untrusted(self, reader: Reader) -> StreamMessage:
        if self._tail is None:
            header = struct_of_untrusted(reader.value_untrusted(), _USER_HEADER_ORDER)
            self._tail = _Tail(_count_untrusted(header, b"UserMsgLen", USER_MESSAGE_BYTES_MAX))
        return UserPayload(self._tail.read(reader))


class _PushPullParser:
    """A header, one map for each node, the user state (section 6.1)."""

    __slots__ = ("_expected", "_is_join", "_nodes", "_tail")

    def __init__(self) -> None:
        self._expected = 0
        self._is_join = False
        self._nodes: list[NodeState] = []
        self._tail: _Tail | None = None

    @property
    def node_count(self) -> int:
        """How many nodes it has read."""
        return len(self._nodes)

    def read_untrusted(self, reader: Reader) -> StreamMessage | None:
        if self._tail is None:
            header = struct_of_untrusted(reader.value_untrusted(), _HEADER_ORDER)
            self._is_join = bool_untrusted(header, b"Join")
            self._expected = _count_untrusted(header, b"Nodes", NODES_MAX)
            self._tail = _Tail(_count_untrusted(header, b"UserStateLen", USER_STATE_BYTES_MAX))
        end = min(self._expected, len(self._nodes) + NODES_PER_PORTION)
        while len(self._nodes) < end:
            self._nodes.append(node_state_untrusted(reader.value_untrusted()))
        if end < self._expected:
            return None
        return PushPull(self._is_join, tuple(self._nodes), self._tail.read(reader))


class _Tail:
    """Raw bytes of a known number, collected as they arrive."""

    __slots__ = ("_data", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._data = bytearray()

    def read(self, reader: Reader) -> bytes:
        """Return all of them; ``Incomplete`` while some are missing."""
        while len(self._data) < self._size:
            piece = reader.raw_bytes(self._size - len(self._data))
            if not piece:
                raise Incomplete
            self._data += piece
        return bytes(self._data)


def _count_untrusted(header: Fields, name: bytes, limit: int) -> int:
    count = uint_untrusted(header, name, INT64_MAX)
    if count > limit:
        raise WireError(TOO_LARGE, f"{name.decode()} {count} exceeds {limit}")
    return count


PARSERS: Final[dict[int, Callable[[], Parser]]] = {
    MessageKind.PING: lambda: _MapParser(ping_untrusted),
    MessageKind.ACK: lambda: _MapParser(ack_untrusted),
    MessageKind.PUSH_PULL: _PushPullParser,
    MessageKind.USER: _UserParser,
    MessageKind.ERROR: lambda: _MapParser(error_untrusted),
}
"""By message type, what begins to read one."""
