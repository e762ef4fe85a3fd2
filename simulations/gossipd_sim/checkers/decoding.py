"""Every datagram that a node sends can be opened and decoded by its peers.

Opened with the sender's own label and keys: all its wrappings, each part,
and Serf's messages inside. Nothing may be lost on the way.
"""

from __future__ import annotations

from gossipd.address import Address
from gossipd.errors import WireError
from gossipd.wire.codec import decode_untrusted
from gossipd.wire.keyring import Keyring
from gossipd.wire.messages import PacketMessage, UserPayload
from gossipd.wire.packet import PacketLayers
from gossipd.wire.serf_codec import decode_serf_untrusted
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host

PARTS_KEPT = 4096
"""Decoded messages remembered by their bytes: one claim travels a thousand times."""


class Decoding:
    """Opens datagrams for all checkers, and complains of those it cannot open."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self._layers: dict[str, tuple[int, PacketLayers]] = {}
        self._decoded: dict[bytes, PacketMessage] = {}

    def open(self, sender: Host, to: Address, data: bytes, now: float) -> tuple[PacketMessage, ...]:
        """Return the messages of one datagram, as far as they can be decoded."""
        if not to.is_reachable:
            self._complain(sender.name, now, f"a datagram to {to}, which nobody has")
        try:
            opened = self._layers_of(sender).open_packet_untrusted(data)
        except WireError as error:
            self._complain(sender.name, now, f"a datagram that nobody can open: {error}")
            return ()
        if opened.errors or opened.lost:
            what = "; ".join(map(str, opened.errors)) or f"{opened.lost} parts lost"
            self._complain(sender.name, now, f"a datagram of which parts are bad: {what}")
        messages = []
        for part in opened.messages:
            try:
                messages.append(self._message(part))
            except WireError as error:
                self._complain(sender.name, now, f"a message that nobody can read: {error}")
        return tuple(messages)

    def _message(self, part: bytes) -> PacketMessage:
        message = self._decoded.get(part)
        if message is None:
            message = decode_untrusted(part)
            if isinstance(message, UserPayload):
                decode_serf_untrusted(message.payload)
            if len(self._decoded) >= PARTS_KEPT:
                self._decoded.clear()
            self._decoded[part] = message
        return message

    def _layers_of(self, host: Host) -> PacketLayers:
        kept = self._layers.get(host.name)
        if kept is None or kept[0] != host.life:
            config = host.config
            keyring = Keyring(config.keys) if config.keys else None
            layers = PacketLayers(
                label=config.wire.label,
                keyring=keyring,
                verify_incoming=config.wire.verify_outgoing,
                entropy=bytes,
            )
            kept = self._layers[host.name] = (host.life, layers)
        return kept[1]
