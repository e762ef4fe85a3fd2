"""What a node sends before it is sealed, for drivers that carry values instead of bytes.

A driver that holds several nodes in one process may hand what one of them
sends to another as it is: nothing is compressed, encrypted, parsed. Whoever
wants the bytes that would stand on the wire asks for ``bytes(...)``. A node
takes the short way only where the long one would end the same: its label and
keys fit. Everything else it opens as bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gossipd.shared import SharedDict
from gossipd.swim.anti_entropy import state_of
from gossipd.swim.member import Member
from gossipd.wire.codec import decode_untrusted, encode_node_state
from gossipd.wire.compound import HEADER_BYTES, PART_OVERHEAD_BYTES, make_compounds
from gossipd.wire.messages import Ack, ErrorReply, PacketMessage, Ping, UserPayload
from gossipd.wire.packet import CHECKSUM_BYTES, PacketLayers
from gossipd.wire.serf_codec import encode_serf_state
from gossipd.wire.serf_messages import SerfPushPull
from gossipd.wire.stream import encode_push_pull, encode_stream_message

PARTS_KEPT = 8192
"""Decoded claims and payloads remembered by their bytes: one travels a thousand times."""

_decoded: dict[bytes, PacketMessage] = {}


class UnsealedPacket:
    """One datagram: its messages, encoded each but not wrapped.

    Args:
        lead: the first message, if it was not taken from a queue.
        parts: all messages encoded, ``lead``'s first; not changed any more.
        layers: what seals it.
        checksum: whether a CRC-32 goes in front.
    """

    __slots__ = ("_checksum", "_layers", "_sealed", "key", "label", "lead", "parts", "size")

    def __init__(
        self,
        lead: PacketMessage | None,
        parts: Sequence[bytes],
        layers: PacketLayers,
        *,
        checksum: bool = False,
    ) -> None:
        self.lead = lead
        self.parts = parts
        self.key, overhead = layers.sealing()
        self.label = layers.label
        self._layers = layers
        self._checksum = checksum
        self._sealed = b""
        size = overhead + len(parts[0])
        if len(parts) > 1:
            size += HEADER_BYTES + PART_OVERHEAD_BYTES * len(parts) + sum(map(len, parts[1:]))
        self.size = size + CHECKSUM_BYTES if checksum else size
        """Bytes of the datagram if nothing could be compressed: it is never longer."""

    def __bytes__(self) -> bytes:
        """Return the datagram."""
        if not self._sealed:
            parts = self.parts
            message = parts[0] if len(parts) == 1 else make_compounds(parts)[0]
            seal = self._layers.seal_packet
            self._sealed = seal(message, checksum=self._checksum, key=self.key)
        return self._sealed

    def messages(self) -> Sequence[PacketMessage]:
        """Return what a receiver decodes."""
        lead, parts = self.lead, self.parts
        if lead is None:
            return [_message_of(part) for part in parts]
        if len(parts) == 1:
            return (lead,)
        return [lead, *[_message_of(part) for part in parts[1:]]]


class StateSnapshot:
    """A push/pull: the members and Serf's state as they were when it was made.

    Args:
        members: entries of the sender's table by name.
        serf: what Serf adds.
    """

    __slots__ = ("is_join", "members", "serf")

    def __init__(self, *, is_join: bool, members: Mapping[str, Member], serf: SerfPushPull) -> None:
        self.is_join = is_join
        self.members = members
        self.serf = serf

    def encoded(self) -> bytes:
        """Return the message with its type byte, not wrapped."""
        entries = [encode_node_state(state_of(member)) for member in self.members.values()]
        return encode_push_pull(self.is_join, entries, encode_serf_state(self.serf))

    def news_to(self, table: object) -> Iterable[Member]:
        """Return the entries that may say something new to the owner of ``table``.

        An entry that both share says nothing: hearing that somebody is alive, at an
        incarnation that we know, changes nothing (gossip.md, section 8).
        """
        members = self.members
        if isinstance(members, SharedDict):
            return [member for _, member in members.unlike(table)]
        return members.values()


class UnsealedStream:
    """The one message of one direction of a stream.

    Args:
        message: a state, or what small messages streams carry.
        size: bytes of it, not wrapped.
        layers: what seals it.
        is_dialer: whether the label header goes in front.
    """

    __slots__ = ("_is_dialer", "_layers", "_sealed", "key", "message", "size")

    def __init__(
        self,
        message: StateSnapshot | Ping | Ack | ErrorReply | UserPayload,
        size: int,
        layers: PacketLayers,
        *,
        is_dialer: bool,
    ) -> None:
        self.message = message
        self.size = size
        self.key = layers.sealing_key
        self._layers = layers
        self._is_dialer = is_dialer
        self._sealed = b""

    def __bytes__(self) -> bytes:
        """Return all bytes of the direction."""
        if not self._sealed:
            message = self.message
            if isinstance(message, StateSnapshot):
                plain = message.encoded()
            else:
                plain = encode_stream_message(message)
            self._sealed = self._layers.seal_stream(plain, is_dialer=self._is_dialer, key=self.key)
        return self._sealed

    def fits(self, layers: PacketLayers) -> bool:
        """Say whether a node with ``layers`` would understand it."""
        return layers.accepts(self._layers.label, self.key)


def _message_of(part: bytes) -> PacketMessage:
    message = _decoded.get(part)
    if message is None:
        if len(_decoded) >= PARTS_KEPT:
            _decoded.clear()
        message = _decoded[part] = decode_untrusted(part)
    return message
