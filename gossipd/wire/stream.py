"""Streams: bytes in any pieces to messages and back (gossip.md, sections 5.3 and 6).

A stream carries one request and at most one reply. ``StreamDecoder`` peels
label, encryption and compression, each at most once; the message inside is
read as it arrives, in ``stream_body.py``: what came is looked at once, and memory
is taken for what came, never for what a header announces. Long work is done in
portions of some milliseconds, with ``MORE`` in between. Deadlines and the
number of open streams belong to the caller.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeAlias

from gossipd.errors import WireError
from gossipd.wire import lzw
from gossipd.wire.codec import (
    MessageKind,
    encode,
    encode_error,
    encode_node_state,
)
from gossipd.wire.dialect import (
    STRING_BYTES_MAX,
    Incomplete,
    Reader,
    pack,
    pack_struct_signed,
)
from gossipd.wire.label import LABEL_TYPE
from gossipd.wire.messages import (
    ErrorReply,
    PushPull,
    StreamMessage,
    UserPayload,
)
from gossipd.wire.packet import (
    STREAM_EXPANDED_BYTES_MAX,
    PacketLayers,
    compressed_untrusted,
)
from gossipd.wire.reasons import (
    EMPTY,
    NOT_CONFIGURED,
    PLAINTEXT,
    TOO_LARGE,
    TRUNCATED,
    UNKNOWN_KIND,
    WRONG_LABEL,
)
from gossipd.wire.stream_body import PARSERS, Body

FRAME_BYTES_MAX: Final = 20 * 2**20
"""An encrypted frame's payload."""
COMPRESSED_BYTES_MAX: Final = 20 * 2**20
"""The ``Buf`` of a compressed stream that is not encrypted."""
COMPRESSED_ENTRIES_MAX: Final = 16
"""Entries of the map around it; it has two."""
FRAME_HEADER_BYTES: Final = 5
EXPANDER_BYTES_MAX: Final = 8 * 2**20
"""What expanding may hold beside its input and output: 4096 codes of up to 4 kB each."""


class NeedData(enum.Enum):
    """The type of ``NEED_DATA``."""

    NEED_DATA = enum.auto()


NEED_DATA: Final = NeedData.NEED_DATA
"""No complete message yet: feed more, or, at the end of the stream, call ``end``."""


class More(enum.Enum):
    """The type of ``MORE``."""

    MORE = enum.auto()


MORE: Final = More.MORE
"""No message yet, but work that can go on without new bytes: ask again, after others had a turn."""

_Next: TypeAlias = StreamMessage | Literal[NeedData.NEED_DATA, More.MORE]


class StreamError(WireError):
    """A stream that cannot be understood; close it.

    Args:
        reason, detail: as for ``WireError``; the detail is the text of the reply.
        is_reply_owed: whether an ``ErrorReply`` goes out before closing
            (section 6: failures before the message proper, on the accepting side).
    """

    def __init__(self, reason: str, detail: str = "", *, is_reply_owed: bool = False) -> None:
        super().__init__(reason, detail)
        self.is_reply_owed = is_reply_owed


def encode_push_pull(
    is_join: bool,
    entries: Sequence[bytes],
    user_state: bytes,
    *,
    signed: bool = False,
) -> bytes:
    """Return a push/pull message with its type byte, not wrapped.

    Args:
        is_join: the sender joins explicitly.
        entries: of ``encode_node_state``, kept or fresh.
        user_state: Serf's part, may be empty.
        signed: write the lengths as newer peers do; the same value to every reader.
    """
    header = encode_push_pull_header(is_join, len(entries), len(user_state), signed=signed)
    return b"".join((header, *entries, user_state))


def encode_push_pull_header(
    is_join: bool, entries: int, user_state_bytes: int, *, signed: bool = False
) -> bytes:
    """Return what stands before the entries of a push/pull, type byte included."""
    header = {"Join": is_join, "Nodes": entries, "UserStateLen": user_state_bytes}
    lengths = ("Nodes", "UserStateLen")
    return b"\x06" + (pack_struct_signed(header, lengths) if signed else pack(header))


def encode_stream_message(message: StreamMessage, *, signed: bool = False) -> bytes:
    """Return a message with its type byte as a stream carries it, not wrapped."""
    match message:
        case PushPull(is_join, nodes, user_state):
            entries = [encode_node_state(node) for node in nodes]
            return encode_push_pull(is_join, entries, user_state, signed=signed)
        case UserPayload(payload):
            header = {"UserMsgLen": len(payload)}
            packed = pack_struct_signed(header, ("UserMsgLen",)) if signed else pack(header)
            return b"".join((b"\x08", packed, payload))
        case ErrorReply():
            return encode_error(message)
        case _:
            return encode(message)


class StreamDecoder:
    """Reads one direction of one stream.

    Args:
        layers: label, keys and flags of the node.
        is_dialer: we dialed, so the bytes are a reply: without a label
            header, and never answered with an error.
    """

    __slots__ = ("_body", "_is_dialer", "_is_done", "_layers", "_message_bytes", "_outer")

    def __init__(self, layers: PacketLayers, *, is_dialer: bool) -> None:
        self._layers = layers
        self._is_dialer = is_dialer
        self._is_done = False
        self._outer: _Outer | None = _Outer(layers, expects_label=not is_dialer)
        self._body: Body | None = None
        self._message_bytes = 0

    @property
    def held_bytes(self) -> int:
        """Memory held for what came, within a factor of two; at the end that of the message.

        Copies that live only while something is unwrapped are not counted.
        """
        if self._outer is not None:
            return self._outer.held_bytes
        return self._message_bytes if self._body is None else self._body.held_bytes

    def feed(self, data: bytes) -> None:
        """Add bytes that arrived; they are judged by the next ``next_message``."""
        if self._is_done or not data:
            return
        if self._outer is not None:
            self._outer.feed(data)
        elif self._body is not None:
            self._body.feed(data)

    def next_message(self) -> _Next:
        """Return the message once it is complete, ``NEED_DATA`` or ``MORE`` before.

        Raises:
            StreamError: the peer's bytes are no legal stream; nothing more comes.
        """
        if self._is_done:
            return NEED_DATA
        try:
            return self._advance_untrusted()
        except StreamError:
            self._is_done = True
            raise
        except WireError as error:
            self._is_done = True
            raise StreamError(error.reason, error.detail) from None

    def discard(self) -> None:
        """Let go of what came: the stream is closed."""
        self._is_done = True
        self._outer = self._body = None

    def end(self) -> None:
        """Say that the peer sends no more.

        Raises:
            StreamError: the stream ended inside a message. Ending before the
                type byte, or after a complete message, is fine.
        """
        if self._is_done:
            return
        self._is_done = True
        if self._outer is None:
            raise StreamError(TRUNCATED, "the stream ended inside a message")
        if self._outer.has_begun:
            raise StreamError(
                TRUNCATED, "the stream ended inside a message", is_reply_owed=not self._is_dialer
            )

    def _advance_untrusted(self) -> _Next:
        if self._outer is not None:
            body = self._peel_untrusted(self._outer)
            if body is None:
                return MORE if self._outer.is_expanding else NEED_DATA
            self._outer, self._body = None, body
        assert self._body is not None  # set together with dropping the outer part
        message = self._body.next_untrusted()
        if message is None:
            return MORE if self._body.is_busy else NEED_DATA
        self._is_done = True
        self._message_bytes = self._body.message_bytes
        self._body = None
        return message

    def _peel_untrusted(self, outer: _Outer) -> Body | None:
        try:
            return outer.peel_untrusted()
        except _SilentError:
            raise
        except WireError as error:
            raise StreamError(
                error.reason, error.detail, is_reply_owed=not self._is_dialer
            ) from None


class _SilentError(StreamError):
    """A failure that is never answered: a wrong label, an unknown first type."""


class _Outer:
    """What stands before the message proper: label, type, encryption, compression."""

    __slots__ = (
        "_buffer", "_compressed_bytes", "_expand", "_expanded", "_expanded_bytes",
        "_label", "_layers", "_portions", "has_begun",
    )  # fmt: skip

    def __init__(self, layers: PacketLayers, *, expects_label: bool) -> None:
        self._layers = layers
        self._buffer = bytearray()
        self._label: bytes | None = layers.label_header if expects_label else None
        self._expand: Reader | None = None
        self._portions: Iterator[bytes] | None = None
        self._compressed_bytes = 0
        self._expanded: list[bytes] = []
        self._expanded_bytes = 0
        self.has_begun = False

    @property
    def is_expanding(self) -> bool:
        """Whether there is work to do without new bytes."""
        return self._portions is not None

    @property
    def held_bytes(self) -> int:
        """Memory held, roughly; every code learnt while expanding was part of the output."""
        unread = len(self._buffer) if self._expand is None else self._expand.unread_bytes
        expanded = self._expanded_bytes
        return unread + self._compressed_bytes + expanded + min(expanded, EXPANDER_BYTES_MAX)

    def feed(self, data: bytes) -> None:
        if self._portions is not None:
            return  # what follows the compressed message is nobody's
        if self._expand is not None:
            self._expand.feed(data)
        else:
            self._buffer += data

    def peel_untrusted(self) -> Body | None:
        if self._portions is not None:
            return self._next_portion_untrusted(self._portions)
        if self._expand is not None:
            return self._expanded_untrusted(self._expand)
        if self._label is not None and not self._strip_label_untrusted(self._label):
            return None
        if not self._buffer:
            return None
        self.has_begun = True
        kind = self._buffer[0]
        if kind == MessageKind.ENCRYPT:
            return self._decrypted_untrusted()
        if self._layers.needs_encryption:
            raise WireError(PLAINTEXT, "Encryption is configured but remote state is not encrypted")
        if kind == MessageKind.COMPRESS:
            self._expand = _compressed_reader()
            self._expand.feed(bytes(self._buffer[1:]))
            self._buffer.clear()
            return self._expanded_untrusted(self._expand)
        return self._plain_untrusted(bytes(self._buffer), is_whole=False)

    def _strip_label_untrusted(self, header: bytes) -> bool:
        """Return whether the label is dealt with; wait while it may still be right."""
        if not self._buffer:
            return False
        start = bytes(self._buffer[: len(header)])
        if header and not header.startswith(start):
            raise _SilentError(WRONG_LABEL, "the label is missing or not ours")
        if not header and self._buffer[0] == LABEL_TYPE:
            raise _SilentError(WRONG_LABEL, "a label came, none is configured")
        if len(start) < len(header):
            return False
        del self._buffer[: len(header)]
        self._label = None
        return True

    def _decrypted_untrusted(self) -> Body | None:
        if not self._layers.is_encrypted:
            raise WireError(
                NOT_CONFIGURED, "Remote state is encrypted and encryption is not configured"
            )
        if len(self._buffer) < FRAME_HEADER_BYTES:
            return None
        frame = bytes(self._buffer[:FRAME_HEADER_BYTES])
        length = int.from_bytes(frame[1:], "big")
        if length > FRAME_BYTES_MAX:
            raise WireError(TOO_LARGE, f"Remote node state is larger than limit ({length})")
        end = FRAME_HEADER_BYTES + length
        if len(self._buffer) < end:
            return None
        plain = self._layers.open_frame_untrusted(
            frame, bytes(self._buffer[FRAME_HEADER_BYTES:end])
        )
        self._buffer.clear()
        if plain[0] != MessageKind.COMPRESS:
            return self._plain_untrusted(plain, is_whole=True)
        reader = _compressed_reader()
        reader.feed(plain[1:])
        body = self._expanded_untrusted(reader)
        if body is None and self._portions is None:
            raise WireError(TRUNCATED, "the compressed message is cut")
        return body

    def _expanded_untrusted(self, reader: Reader) -> Body | None:
        try:
            fields = reader.value_untrusted()
        except Incomplete:
            return None
        compressed = compressed_untrusted(fields)
        self._expand = None
        self._compressed_bytes = len(compressed)
        self._portions = lzw.portions_untrusted(compressed, STREAM_EXPANDED_BYTES_MAX)
        body = self._next_portion_untrusted(self._portions)
        # nearly every message is one portion: its end costs no turn of its own
        return body or self._next_portion_untrusted(self._portions)

    def _next_portion_untrusted(self, portions: Iterator[bytes]) -> Body | None:
        portion = next(portions, None)
        if portion is not None:
            self._expanded.append(portion)
            self._expanded_bytes += len(portion)
            return None
        message = b"".join(self._expanded)
        self._expanded.clear()
        if not message:
            raise WireError(EMPTY, "decompressed message is empty")
        return self._plain_untrusted(message, is_whole=True)

    def _plain_untrusted(self, message: bytes, *, is_whole: bool) -> Body:
        parser = PARSERS.get(message[0])
        if parser is None:
            raise _SilentError(UNKNOWN_KIND, f"message type {message[0]} on a stream")
        return Body(parser(), memoryview(message)[1:], is_whole=is_whole)


def _compressed_reader() -> Reader:
    """Return a reader of the map around compressed bytes: long, but of few entries."""
    return Reader(
        COMPRESSED_BYTES_MAX,
        COMPRESSED_BYTES_MAX + STRING_BYTES_MAX,
        list_items_max=COMPRESSED_ENTRIES_MAX,
        map_entries_max=COMPRESSED_ENTRIES_MAX,
    )
