"""Every datagram that a node sends can be opened and decoded by its peers.

Opened with the sender's own label and keys: all its wrappings, each part,
and Serf's messages inside. Nothing may be lost on the way. What waited to be
sent may be sealed with a key that its host has removed since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gossipd.address import Address
from gossipd.errors import WireError
from gossipd.node.unsealed import UnsealedPacket
from gossipd.wire.catalog_codec import decode_catalog_untrusted
from gossipd.wire.codec import decode_untrusted
from gossipd.wire.keyring import Keyring
from gossipd.wire.messages import PacketMessage, UserPayload
from gossipd.wire.packet import PacketLayers
from gossipd.wire.serf_codec import decode_serf_untrusted
from gossipd_sim.catalog_traffic import PRIVATE_FIRST
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host
from gossipd_sim.network import Datagram

PARTS_KEPT = 4096
"""Decoded messages remembered by their bytes: one claim travels a thousand times."""


class Decoding:
    """Opens datagrams for all checkers, and complains of those it cannot open.

    Args:
        by_wire: open the bytes of each; otherwise what travels by reference is taken as
            it is, and only what others will pass on is decoded.
    """

    def __init__(self, complain: Complain, *, by_wire: bool = True) -> None:
        self._by_wire = by_wire
        self._complain = complain
        self._layers: dict[str, tuple[int, PacketLayers]] = {}
        self._keyrings: dict[str, tuple[tuple[bytes, ...], Keyring]] = {}
        self._decoded: dict[bytes, PacketMessage] = {}

    def open(
        self, sender: Host, to: Address, data: Datagram, now: float
    ) -> tuple[PacketMessage, ...]:
        """Return the messages of one datagram, as far as they can be decoded."""
        if not to.is_reachable:
            self._complain(sender.name, now, f"a datagram to {to}, which nobody has")
        if not self._by_wire and isinstance(data, UnsealedPacket):
            return self._unsealed(sender, data, now)
        try:
            opened = self._layers_of(sender).open_packet_untrusted(bytes(data))
        except WireError as error:
            self._complain(sender.name, now, f"a datagram that nobody can open: {error}")
            return ()
        if opened.errors or opened.lost:
            what = "; ".join(map(str, opened.errors)) or f"{opened.lost} parts lost"
            self._complain(sender.name, now, f"a datagram of which parts are bad: {what}")
        return tuple(self._messages(sender, opened.messages, now))

    def _unsealed(
        self, sender: Host, packet: UnsealedPacket, now: float
    ) -> tuple[PacketMessage, ...]:
        """Return the messages of a datagram that travels by reference."""
        lead, parts = packet.lead, packet.parts
        if lead is None:
            return tuple(self._messages(sender, parts, now))
        if len(parts) == 1:
            return (lead,)
        return (lead, *self._messages(sender, parts[1:], now))

    def _messages(
        self, sender: Host, parts: Sequence[bytes], now: float
    ) -> Iterator[PacketMessage]:
        for part in parts:
            try:
                yield self._message(part)
            except WireError as error:
                self._complain(sender.name, now, f"a message that nobody can read: {error}")

    def _message(self, part: bytes) -> PacketMessage:
        message = self._decoded.get(part)
        if message is None:
            message = decode_untrusted(part)
            if isinstance(message, UserPayload):
                if message.payload and message.payload[0] >= PRIVATE_FIRST:
                    decode_catalog_untrusted(message.payload)
                else:
                    decode_serf_untrusted(message.payload)
            if len(self._decoded) >= PARTS_KEPT:
                self._decoded.clear()
            self._decoded[part] = message
        return message

    def _layers_of(self, host: Host) -> PacketLayers:
        kept = self._layers.get(host.name)
        if kept is None or kept[0] != host.life:
            config = host.config
            keyring = Keyring(config.keys)
            self._keyrings[host.name] = (config.keys, keyring)
            layers = PacketLayers(
                label=config.wire.label,
                keyring=keyring,
                verify_incoming=config.wire.verify_outgoing,
                entropy=bytes,
            )
            kept = self._layers[host.name] = (host.life, layers)
        keys, keyring = self._keyrings[host.name]
        if keys is not host.config.keys:
            for key in host.config.keys:
                keyring.add(key)
            self._keyrings[host.name] = (host.config.keys, keyring)
        return kept[1]
