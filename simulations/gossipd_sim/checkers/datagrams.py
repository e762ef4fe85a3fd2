"""No datagram is longer than its limit: the configured budget and the checksum's five bytes."""

from __future__ import annotations

from gossipd.address import Address
from gossipd_sim.checkers.complaint import Complain
from gossipd_sim.host import Host
from gossipd_sim.network import Datagram, size_of

CHECKSUM_BYTES = 5


class Datagrams:
    """Measures every datagram that a host sends."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain

    def on_packet(self, sender: Host, to: Address, data: Datagram, now: float) -> None:
        """Measure one datagram."""
        limit = sender.config.wire.packet_bytes_max + CHECKSUM_BYTES
        size = size_of(data)  # sealed it is never longer
        if size > limit:
            self._complain(sender.name, now, f"{size} bytes to {to}, allowed are {limit}")
        elif not size:
            self._complain(sender.name, now, f"an empty datagram to {to}")
