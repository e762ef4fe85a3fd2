"""The wrappings of packets and streams in their order (gossip.md, section 1).

A packet, inside to outside: message or compound, compress (only if that is
smaller), checksum (only for some recipients), encrypt, label. A stream:
message, compress (always when enabled), encrypt, label header by the dialer.
Opening a packet ends with its plain messages, still encoded; ``codec.py``
decodes them, ``stream.py`` reads what comes on streams.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from zlib import crc32

from gossipd.errors import WireError
from gossipd.value import Value
from gossipd.wire import lzw
from gossipd.wire.codec import MessageKind
from gossipd.wire.compound import split_compound_untrusted
from gossipd.wire.crypto import NONCE_BYTES, OVERHEAD_BYTES, VERSION_PLAIN, Ciphers
from gossipd.wire.dialect import (
    UINT8_MAX,
    pack,
    raw_untrusted,
    struct_of_untrusted,
    uint_untrusted,
    unpack_struct_untrusted,
)
from gossipd.wire.keyring import Keyring
from gossipd.wire.label import make_label_header, strip_label_untrusted
from gossipd.wire.reasons import (
    BAD_CHECKSUM,
    BAD_COMPRESSION,
    EMPTY,
    TOO_DEEP,
    TOO_LARGE,
    UNKNOWN_KIND,
)

CHECKSUM_BYTES: Final = 5
NESTING_MAX: Final = 4
"""Compounds and compressions around one message of a packet."""
MESSAGES_MAX: Final = 1024
"""Messages in one packet; real senders stop at 255."""
PACKET_EXPANDED_BYTES_MAX: Final = 262_144
"""What all compressed parts of one packet may hold, compressed and expanded, together.

Section 7 allows 40 MiB. A real sender compresses one packet's budget (1400
bytes by default, never more than UDP carries, 65,507) once, so four times the
largest datagram refuses nothing legal. What goes in counts too, and a part
that fails leaves nothing for the others: codes that expand to nothing cost as
much time as those that expand to much, and anybody can send them.
"""
STREAM_EXPANDED_BYTES_MAX: Final = 40 * 2**20
COMPRESS_AT_LEAST_BYTES: Final = 128
"""Shorter packets are sent as they are, without trying to compress.

The compress message costs 13 to 15 bytes and codes start at 9 bits. Measured
over six styles of node names: below 128 bytes no ping, ack, suspect or alive
gets smaller and compounds of two gain at most 3 bytes, while trying costs
about 0.15 us a byte. The ack with a coordinate (about 150 bytes) is tried.
"""

KEEP_COMPRESSED_BYTES: Final = 4096
"""Stream messages from this size on are kept as compressed last; pings do not replace them."""

_ALGORITHM_LZW: Final = 0
_COMPRESS_ORDER: Final = (b"Algo", b"Buf")
_ENCRYPT_TYPE: Final = b"\x0a"
_PLAIN_KINDS: Final = frozenset(
    (
        MessageKind.PING,
        MessageKind.INDIRECT_PING,
        MessageKind.ACK,
        MessageKind.SUSPECT,
        MessageKind.ALIVE,
        MessageKind.DEAD,
        MessageKind.USER,
        MessageKind.NACK,
    )
)


class Opened(Value):
    """What a packet held.

    Args:
        messages: plain messages in order, each with its type byte.
        errors: parts that were dropped while the others live.
        lost: parts that a cut compound announced and did not hold.
    """

    messages: tuple[bytes, ...]
    errors: tuple[WireError, ...] = ()
    lost: int = 0


class PacketLayers:
    """Wraps and unwraps for one node; packets and streams share label and keys.

    Args:
        label: the cluster's label, empty for none, at most 255 bytes.
        keyring: installed keys; ``None`` or an empty ring is no encryption.
        compression: compress what is sent; what comes is always understood.
        verify_incoming: drop what is not encrypted although a key is set.
        verify_outgoing: encrypt what is sent if a key is set.
        entropy: returns that many unpredictable bytes, for nonces.
        encryption_version: 1, or 0 to speak to peers of protocol 1.

    Raises:
        UsageError: the label is too long.
    """

    __slots__ = (
        "_ciphers",
        "_compression",
        "_encryption_version",
        "_entropy",
        "_header",
        "_keyring",
        "_last_compressed",
        "_verify_incoming",
        "_verify_outgoing",
        "label",
    )

    def __init__(
        self,
        *,
        label: str = "",
        keyring: Keyring | None = None,
        compression: bool = True,
        verify_incoming: bool = True,
        verify_outgoing: bool = True,
        entropy: Callable[[int], bytes],
        encryption_version: int = VERSION_PLAIN,
    ) -> None:
        self.label = label.encode("utf-8", "surrogateescape")
        """The cluster's label, empty without one."""
        self._header = make_label_header(self.label)
        self._keyring = keyring if keyring is not None else Keyring()
        self._compression = compression
        self._verify_incoming = verify_incoming
        self._verify_outgoing = verify_outgoing
        self._entropy = entropy
        self._encryption_version = encryption_version
        self._ciphers = Ciphers()
        self._last_compressed = (b"", b"")

    @property
    def overhead(self) -> int:
        """Bytes that label and encryption add to a packet; a budget must leave them."""
        if self.sealing_key is None:
            return len(self._header)
        return len(self._header) + OVERHEAD_BYTES[self._encryption_version]

    @property
    def overhead_max(self) -> int:
        """Bytes that ``overhead`` may become while this runs: as if all were sealed."""
        if not self._keyring:
            return len(self._header)
        return len(self._header) + OVERHEAD_BYTES[self._encryption_version]

    def verify(self, *, incoming: bool, outgoing: bool) -> None:
        """From now on refuse plaintext or not, and send it or not; without keys all is plain."""
        self._verify_incoming = incoming
        self._verify_outgoing = outgoing

    @property
    def is_exposed(self) -> bool:
        """Whether there are keys and yet plaintext is taken for a member's word, or sent."""
        return self.is_encrypted and not (self._verify_incoming and self._verify_outgoing)

    @property
    def label_header(self) -> bytes:
        """What a dialer writes first, empty without a label."""
        return self._header

    @property
    def is_encrypted(self) -> bool:
        """Whether any key is installed."""
        return len(self._keyring) > 0

    @property
    def needs_encryption(self) -> bool:
        """Whether plaintext from peers is refused."""
        return self._verify_incoming and self.is_encrypted

    def sealing(self) -> tuple[bytes | None, int]:
        """Return ``sealing_key`` and ``overhead``."""
        keys = self._keyring.keys
        if keys and self._verify_outgoing:
            return keys[0], self.overhead
        return None, len(self._header)

    @property
    def sealing_key(self) -> bytes | None:
        """The key that seals what is sent now, ``None`` when it goes out as it is."""
        return self._keyring.primary if self._verify_outgoing else None

    def accepts(self, label: bytes, key: bytes | None) -> bool:
        """Say whether what a node of ``label`` sealed with ``key`` can be opened here."""
        keys = self._keyring.keys
        if key is None:
            return label == self.label and not (keys and self._verify_incoming)
        return label == self.label and key in keys

    def seal_packet(
        self, message: bytes, *, checksum: bool = False, key: bytes | None = None
    ) -> bytes:
        """Return the datagram for one message or compound.

        Args:
            message: with its type byte.
            checksum: put a CRC-32 in front (section 4.3 says for whom).
            key: seal with this one, by default with ``sealing_key``.
        """
        data = message
        if self._compression and len(data) >= COMPRESS_AT_LEAST_BYTES:
            smaller = make_compressed(data)
            if len(smaller) < len(data):
                data = smaller
        if checksum:
            data = b"".join((b"\x0c", crc32(data).to_bytes(4, "big"), data))
        key = key or self.sealing_key
        if key is not None:
            data = self._seal(data, self.label, key)
        return self._header + data if self._header else data

    def seal_stream(self, message: bytes, *, is_dialer: bool, key: bytes | None = None) -> bytes:
        """Return the bytes of a whole stream direction for one message.

        Args:
            message: with its type byte, as ``stream.py`` encodes it.
            is_dialer: the dialer's bytes start with the label header, the reply's do not.
            key: seal with this one, by default with ``sealing_key``.
        """
        data = self._compress_stream(message) if self._compression else message
        key = key or self.sealing_key
        if key is not None:
            length = len(data) + self._sealed_growth(len(data))
            frame = _ENCRYPT_TYPE + length.to_bytes(4, "big")
            data = frame + self._seal(data, frame + self.label, key)
        return self._header + data if is_dialer else data

    def open_packet_untrusted(self, data: bytes) -> Opened:
        """Peel a datagram down to its plain messages.

        Raises:
            WireError: the packet as a whole is dropped: wrong label, not
                decryptable, bad checksum, or its only message is bad.
        """
        if self._header or data[:1] == b"\xf4":
            data = strip_label_untrusted(data, self._header)
        if self._keyring:
            data = self._open_sealed_untrusted(data)
        if data[:1] == b"\x0c" and len(data) >= CHECKSUM_BYTES:
            expected = int.from_bytes(data[1:5], "big")
            data = data[CHECKSUM_BYTES:]
            if crc32(data) != expected:
                raise WireError(BAD_CHECKSUM, "the CRC-32 of the packet does not match")
        if not data:
            raise WireError(EMPTY, "missing message type byte")
        if data[0] in _PLAIN_KINDS:
            return Opened((data,))
        return _Peeling().peel_untrusted(data)

    def open_frame_untrusted(self, frame: bytes, payload: bytes) -> bytes:
        """Return the plaintext of an encrypted stream frame.

        Args:
            frame: its five header bytes, which are authenticated.
            payload: the sealed bytes.

        Raises:
            WireError: as for packets.
        """
        return self._ciphers.open_untrusted(self._keyring.keys, payload, frame + self.label)

    def _compress_stream(self, message: bytes) -> bytes:
        """Compress, unless it is what was compressed last.

        Whoever can connect may ask for our state as often as they like; that of
        5,000 nodes takes 50 ms to compress and seldom changes in between.
        """
        if len(message) < KEEP_COMPRESSED_BYTES:
            return make_compressed(message)
        last, compressed = self._last_compressed
        if message != last:
            compressed = make_compressed(message)
            self._last_compressed = (message, compressed)
        return compressed

    def _open_sealed_untrusted(self, data: bytes) -> bytes:
        try:
            return self._ciphers.open_untrusted(self._keyring.keys, data, self.label)
        except WireError:
            if self._verify_incoming:
                raise
            return data

    def _seal(self, plaintext: bytes, associated: bytes, key: bytes) -> bytes:
        self._ciphers.forget_except(self._keyring.keys)
        nonce = self._entropy(NONCE_BYTES)
        return self._ciphers.seal(key, plaintext, associated, nonce, self._encryption_version)

    def _sealed_growth(self, length: int) -> int:
        if self._encryption_version == VERSION_PLAIN:
            return OVERHEAD_BYTES[VERSION_PLAIN]
        return OVERHEAD_BYTES[VERSION_PLAIN] + 16 - length % 16


def make_compressed(message: bytes) -> bytes:
    """Return the compress message that holds ``message`` (section 4.2)."""
    return b"\x09" + pack({"Algo": _ALGORITHM_LZW, "Buf": lzw.compress(message)})


def expand_untrusted(body: bytes, size_max: int) -> bytes:
    """Return the message in the ``body`` of a compress message (no type byte).

    Args:
        body: the map after the type byte.
        size_max: most bytes accepted.

    Raises:
        WireError: unknown algorithm, no LZW, too large, or it expands to nothing.
    """
    compressed = compressed_untrusted(unpack_struct_untrusted(body, _COMPRESS_ORDER))
    message = lzw.decompress_untrusted(compressed, size_max)
    if not message:
        raise WireError(EMPTY, "decompressed message is empty")
    return message


def compressed_untrusted(fields: object) -> bytes:
    """Return the LZW bytes in a compress map that is decoded already.

    Raises:
        WireError: it is none, or of an unknown algorithm.
    """
    struct = struct_of_untrusted(fields, _COMPRESS_ORDER)
    algorithm = uint_untrusted(struct, b"Algo", UINT8_MAX)
    if algorithm != _ALGORITHM_LZW:
        raise WireError(BAD_COMPRESSION, f"unknown compression algorithm {algorithm}")
    return raw_untrusted(struct, b"Buf") or b""


class _Peeling:
    """One packet being unwrapped: what was found, and what may still be spent."""

    __slots__ = ("_budget", "_errors", "_lost", "_messages")

    def __init__(self) -> None:
        self._messages: list[bytes] = []
        self._errors: list[WireError] = []
        self._lost = 0
        self._budget = PACKET_EXPANDED_BYTES_MAX

    def peel_untrusted(self, data: bytes) -> Opened:
        self._unwrap_untrusted(data, NESTING_MAX)
        return Opened(tuple(self._messages), tuple(self._errors), self._lost)

    def _unwrap_untrusted(self, data: bytes, levels: int) -> None:
        if not data:
            raise WireError(EMPTY, "missing message type byte")
        kind = data[0]
        if kind in _PLAIN_KINDS:
            self._messages.append(data)
        elif kind not in (MessageKind.COMPOUND, MessageKind.COMPRESS):
            raise WireError(UNKNOWN_KIND, f"message type {kind} in a packet")
        elif levels == 0:
            raise WireError(TOO_DEEP, f"more than {NESTING_MAX} wrappings")
        elif kind == MessageKind.COMPRESS:
            self._unwrap_untrusted(self._expand_untrusted(data[1:]), levels - 1)
        else:
            self._split_untrusted(data, levels)

    def _expand_untrusted(self, body: bytes) -> bytes:
        left, self._budget = self._budget - len(body), 0
        if left <= 0:
            raise WireError(TOO_LARGE, "nothing more of this packet is decompressed")
        message = expand_untrusted(body, left)
        self._budget = left - len(message)
        return message

    def _split_untrusted(self, data: bytes, levels: int) -> None:
        parts, lost = split_compound_untrusted(data)
        self._lost += lost
        for index, part in enumerate(parts):
            if len(self._messages) + len(self._errors) >= MESSAGES_MAX:
                self._errors.append(
                    WireError(TOO_LARGE, f"more than {MESSAGES_MAX} messages in a packet")
                )
                self._lost += len(parts) - index
                return
            try:
                self._unwrap_untrusted(part, levels - 1)
            except WireError as error:
                self._errors.append(error)
