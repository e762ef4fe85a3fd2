"""A machine on the simulated network that only notes what it is told."""

from __future__ import annotations

from gossipd.address import Address
from gossipd_sim.network import Datagram, Portion
from gossipd_sim.world import World


class SimPeer:
    """An endpoint; ``packets`` holds (when, data, source), ``told`` what streams brought."""

    def __init__(self, world: World, name: str, last_byte: int) -> None:
        self.name = name
        self.address = Address(bytes([10, 0, 0, last_byte]), 7946)
        self.is_up = True
        self.is_powered = True
        self.has_room = True
        self.packets: list[tuple[float, bytes, Address]] = []
        self.told: list[tuple[object, ...]] = []
        self.bytes: dict[int, bytes] = {}
        self._world = world

    def packet_arrived(self, data: Datagram, source: Address, size: int) -> bool:
        if self.has_room:
            self.packets.append((self._world.now, bytes(data), source))
        return self.has_room

    def stream_accepted(self, stream: int, source: Address) -> None:
        self.told.append(("accepted", stream))

    def stream_opened(self, stream: int) -> None:
        self.told.append(("opened", stream))

    def stream_received(self, stream: int, data: Portion) -> None:
        self.bytes[stream] = self.bytes.get(stream, b"") + bytes(data)

    def stream_ended(self, stream: int) -> None:
        self.told.append(("ended", stream))

    def stream_failed(self, stream: int, reason: str) -> None:
        self.told.append(("failed", stream, reason))
