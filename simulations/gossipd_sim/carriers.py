"""What a host needs of the network: somewhere for its datagrams and its streams to go."""

from __future__ import annotations

from typing import Protocol

from gossipd.address import Address
from gossipd.node.effects import OpenStream
from gossipd_sim.network import Datagram, Endpoint, Portion


class PacketCarrier(Protocol):
    """Where datagrams go; kept by ``network.Network``."""

    def send(self, sender: Endpoint, to: Address, data: Datagram) -> None: ...
    def attach(self, endpoint: Endpoint) -> None: ...
    def detach(self, endpoint: Endpoint) -> None: ...


class StreamCarrier(Protocol):
    """Where stream effects go; kept by ``streams.VirtualStreams``."""

    def open(self, host: Endpoint, effect: OpenStream) -> bool: ...
    def write(self, host: Endpoint, stream: int, data: Portion) -> None: ...
    def close(self, host: Endpoint, stream: int) -> None: ...
    def process_died(self, host: Endpoint, *, power_lost: bool) -> None: ...
