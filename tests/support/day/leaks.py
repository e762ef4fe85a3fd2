"""What clients may not leave behind: connections, waiters, descriptors, tasks, objects.

While all tasks wait, the server's books and those of the clients must agree to the last one.
Objects are counted after a collection; what the test itself keeps is bounded.
"""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from statistics import median

import trio
import trio.testing

from gossipd.rest.transport.service import Service
from support.day.wire import Wires

CONNECTION_DESCRIPTORS = 2
"""Both ends of a connection are ours."""


class Leak(Exception):
    """Something is kept that nobody needs."""


class Books:
    """The server's books beside those of the clients.

    Args:
        services: the face, the one of each life behind that before.
    """

    def __init__(self, services: list[Service], wires: Wires) -> None:
        self._services = services
        self._wires = wires
        self.looks = 0
        self.held_most = 0

    async def compare(self, descriptors: int) -> None:
        """Compare once nobody has anything to do.

        Args:
            descriptors: how many are open beside those of clients.

        Raises:
            Leak: the books differ.
        """
        await trio.testing.wait_all_tasks_blocked()
        service, wires = self._services[-1], list(self._wires.open)
        deaf = sum(wire.is_deaf for wire in wires)
        streams = sum(wire.is_streaming for wire in wires)
        held = sum(wire.is_waiting for wire in wires)
        topics = service.desk.reading.topics
        wakers = {waker for waiters in topics._waiters.values() for waker in waiters}
        alarms = sum(len(wakers) for wakers in service.alarms._due.values())
        self.looks += 1
        self.held_most = max(self.held_most, held)
        _same("connections", service.connections, len(wires), deaf)
        _same("requests that are watched for departures", len(service.departures._gone),
              held + streams, 0)  # fmt: skip
        _same("wakers", len(wakers), held, 0)
        _same("alarms", alarms, held, 0)
        _same("followers", len(service.desk.timeline.followers), streams, 0)
        open_now = len(os.listdir("/proc/self/fd")) - 1
        ends = CONNECTION_DESCRIPTORS * len(wires)
        _same("descriptors", open_now, descriptors + ends, deaf)
        self._see_bounds(service)

    def _see_bounds(self, service: Service) -> None:
        reading = service.desk.reading
        sizes = {
            "kept answers": (len(reading.kept), 2048),
            "topics": (len(reading.topics._stamps), 200),
            "topics of what is not there": (len(reading.topics._empty), 200),
            "ends of waits": (len(service.alarms._ticks), 700 * 16),
            "heads": (len(service.heads._kept), 256),
        }
        for name, (size, most) in sizes.items():
            if size > most:
                raise Leak(f"{size} {name}, at most {most} were expected")


def _same(what: str, here: int, there: int, fewer: int) -> None:
    if not there - fewer <= here <= there:
        raise Leak(f"{here} {what}, clients know of {there}" + (f" (-{fewer})" if fewer else ""))


class Memory:
    """How many objects there are, hour by hour, after a collection."""

    def __init__(self) -> None:
        self.blocks: list[int] = []
        """Of the allocator of Python."""
        self._kinds: list[Counter[str]] = []

    def look(self, *, closely: bool = False) -> None:
        """Count; ``closely`` by type as well."""
        gc.collect()
        self.blocks.append(sys.getallocatedblocks())
        if closely:
            self._kinds.append(Counter(type(one).__qualname__ for one in gc.get_objects()))

    def growth(self) -> float:
        """Return how much larger it is in the last quarter than in the second one.

        The middle of several hours each: nodes that are down at the hour take nothing.
        """
        quarter = max(1, len(self.blocks) // 4)
        return median(self.blocks[-quarter:]) / median(self.blocks[quarter : 2 * quarter])

    def grew_most(self) -> list[tuple[str, int]]:
        """Return of which types there are more than at the first close look."""
        return (self._kinds[-1] - self._kinds[0]).most_common(6)
