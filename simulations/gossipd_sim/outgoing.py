"""``Outgoing``: effects on their way out of a node, which may have to wait.

The counterpart of ``Inbox``. Everything goes out in the order in which the
node asked for it; while nothing can be sent it waits here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gossipd.node.effects import CloseStream, NodeEffect, OpenStream, SendPacket, WriteStream
from gossipd.serf.effects import SaveKeyring
from gossipd_sim.carriers import PacketCarrier, StreamCarrier
from gossipd_sim.observer import Observer
from gossipd_sim.world import World

if TYPE_CHECKING:
    from gossipd_sim.host import Host

SENDS_WAITING_MAX = 1024
"""Datagrams that wait at a host that cannot send; older ones are not dropped for newer."""


class Outgoing:
    """What the node of ``host`` wants done, given to the network.

    Args:
        observers: told packets; a live list.
        refused: called with a stream that could not even be tried.
    """

    __slots__ = (
        "_host",
        "_network",
        "_observers",
        "_refused",
        "_streams",
        "_waiting",
        "_world",
        "is_shut",
        "sends_dropped",
    )

    def __init__(
        self,
        host: Host,
        world: World,
        network: PacketCarrier,
        streams: StreamCarrier,
        observers: Sequence[Observer],
        refused: Callable[[int], None],
    ) -> None:
        self._host = host
        self._world = world
        self._network = network
        self._streams = streams
        self._observers = observers
        self._refused = refused
        self._waiting: deque[NodeEffect] = deque()
        self.is_shut = False
        """Whether what goes in waits; set it to shut, ``open`` ends it."""
        self.sends_dropped = 0
        """Datagrams given up because too many waited to be sent."""

    def open(self) -> None:
        """Carry out what waits, and from then on everything as it comes."""
        self.is_shut = False
        while self._waiting and not self.is_shut:
            self.carry_out(self._waiting.popleft())

    def clear(self) -> None:
        """Throw away what waits, and be open."""
        self.is_shut = False
        self._waiting.clear()

    def keep_back(self, effect: NodeEffect) -> None:
        """Let ``effect`` wait; a datagram for which there is no room is lost."""
        if type(effect) is SendPacket and len(self._waiting) >= SENDS_WAITING_MAX:
            self.sends_dropped += 1
        else:
            self._waiting.append(effect)

    def carry_out(self, effect: NodeEffect) -> None:
        """Do at once what ``effect`` asks for."""
        if type(effect) is SendPacket:
            now = self._world.now
            for observer in self._observers:
                observer.on_packet(self._host, effect.to, effect.data, now)
            self._network.send(self._host, effect.to, effect.data)
            return
        match effect:
            case OpenStream():
                if not self._streams.open(self._host, effect):
                    self._refused(effect.stream)
            case WriteStream():
                self._streams.write(self._host, effect.stream, effect.data)
            case CloseStream():
                self._streams.close(self._host, effect.stream)
            case SaveKeyring():
                raise AssertionError("hosts keep keys in their configuration")
            case SendPacket():
                pass
            case _:
                pass  # checks are not run by simulated hosts: their results come by script
