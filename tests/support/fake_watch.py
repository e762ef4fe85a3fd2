"""A daemon's watch as balancers see it, told by hand: for threads and for tasks."""

from __future__ import annotations

import queue
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from gossipd.client.connection import DaemonUnreachable
from gossipd.query.replies import CoordinateReply
from gossipd.services.instance import ServiceChange, ServiceReset
from gossipd.services.own import OwnServices

Update = ServiceReset | ServiceChange
PATIENCE = 10.0


class FakeDaemon:
    """What a test says to all who watch; ``connect`` is the balancer's."""

    def __init__(self, first: ServiceReset | None) -> None:
        self.first = first
        self.is_away = False
        self.refusal: Exception | None = None
        self.own = OwnServices()
        self.places: dict[str, CoordinateReply] = {}
        self.asked_from: list[int] = []
        """The index that each watch began with."""
        self.connections: list[FakeConnection] = []
        self.connected = threading.Semaphore(0)
        self.tried = threading.Semaphore(0)

    def connect(self) -> FakeConnection:
        self.tried.release()
        if self.is_away:
            raise DaemonUnreachable("nobody answers at /fake")
        connection = FakeConnection(self)
        self.connections.append(connection)
        self.connected.release()
        return connection

    def tell(self, update: Update) -> None:
        """Send ``update`` to the newest watch; return when it was taken in."""
        connection = self.connections[-1]
        connection.updates.put(update)
        assert connection.taken.acquire(timeout=PATIENCE)

    def go_away(self) -> None:
        """End all connections and take no new ones; return when the loss was noticed."""
        self.is_away = True
        while self.tried.acquire(blocking=False):
            pass
        for connection in self.connections:
            connection.shut_down()
        # the second try in vain comes after what the loss starts
        for _ in range(2):
            assert self.tried.acquire(timeout=PATIENCE)


class FakeConnection:
    """One connection of a blocking balancer."""

    def __init__(self, daemon: FakeDaemon) -> None:
        self.daemon = daemon
        self.updates: queue.SimpleQueue[Update | None] = queue.SimpleQueue()
        self.taken = threading.Semaphore(0)
        self.is_closed = False

    def watch(self, name: str, index: int = 0) -> FakeUpdates:
        if self.daemon.refusal is not None:
            raise self.daemon.refusal
        self.daemon.asked_from.append(index)
        return FakeUpdates(self, None if index else self.daemon.first)

    def own_services(self) -> OwnServices:
        return self.daemon.own

    def coordinate(self, node: str) -> CoordinateReply | None:
        return self.daemon.places.get(node)

    def stats(self) -> dict[str, dict[str, str]]:
        return {"agent": {"name": "here"}}

    def shut_down(self) -> None:
        self.updates.put(None)

    def close(self) -> None:
        self.is_closed = True


class FakeUpdates:
    """What a watch tells; an update is taken in when the next one is asked for."""

    def __init__(self, connection: FakeConnection, first: ServiceReset | None) -> None:
        self._connection = connection
        self._first = first
        self._is_told = False

    def __next__(self) -> Update:
        update = self.next_within(None)
        assert update is not None
        return update

    def next_within(self, seconds: float | None) -> Update | None:
        if self._is_told:
            self._is_told = False
            self._connection.taken.release()
        first, self._first = self._first, None
        if first is not None:
            return first
        try:
            update = self._connection.updates.get(timeout=seconds)
        except queue.Empty:
            return None
        if update is None:
            raise DaemonUnreachable("the daemon at /fake is gone")
        self._is_told = True
        return update


class AsyncFakeDaemon:
    """The same for tasks."""

    def __init__(self, first: ServiceReset | None) -> None:
        self.first = first
        self.is_away = False
        self.refusal: Exception | None = None
        self.own = OwnServices()
        self.places: dict[str, CoordinateReply] = {}
        self.asked_from: list[int] = []
        self.back = anyio.Event()
        """A watch was resumed."""
        self._send, self._receive = anyio.create_memory_object_stream[Update | None](100)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncFakeDaemon]:
        if self.is_away:
            raise DaemonUnreachable("nobody answers at /fake")
        yield self

    @asynccontextmanager
    async def watch(self, name: str, index: int = 0) -> AsyncIterator[AsyncIterator[Update]]:
        if self.refusal is not None:
            raise self.refusal
        self.asked_from.append(index)
        if index:
            self.back.set()
        yield self._updates(index)

    async def _updates(self, index: int) -> AsyncIterator[Update]:
        if self.first is not None and not index:
            yield self.first
        async for update in self._receive:
            if update is None:
                raise DaemonUnreachable("the daemon at /fake is gone")
            yield update

    async def tell(self, update: Update | None) -> None:
        """Send ``update``, ``None`` for the end; return when it was taken in."""
        self._send.send_nowait(update)
        for _ in range(10):
            await anyio.lowlevel.checkpoint()

    def close(self) -> None:
        self._send.close()
        self._receive.close()

    async def own_services(self) -> OwnServices:
        return self.own

    async def coordinate(self, node: str) -> CoordinateReply | None:
        return self.places.get(node)

    async def stats(self) -> dict[str, dict[str, str]]:
        return {"agent": {"name": "here"}}
