"""No datagram is longer than its limit: the configured budget and the checksum's five bytes."""

from __future__ import annotations

from gossipd.address import Address
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host

CHECKSUM_BYTES = 5


class Datagrams:
    """Measures every datagram that a host sends."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain

    def on_packet(self, sender: Host, to: Address, data: bytes, now: float) -> None:
        """Measure one datagram."""
        limit = sender.config.wire.packet_bytes_max + CHECKSUM_BYTES
        if len(data) > limit:
            self._complain(sender.name, now, f"{len(data)} bytes to {to}, allowed are {limit}")
        elif not data:
            self._complain(sender.name, now, f"an empty datagram to {to}")
