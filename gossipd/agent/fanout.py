"""Items to bounded subscribers; a slow one is told what it lost, and delays nobody."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import trio

from gossipd.node.handle import Lost

Item = TypeVar("Item")


class Subscription(Generic[Item]):
    """One reader's queue; an async iterator that ends when the source is closed."""

    __slots__ = ("_arrived", "_capacity", "_closed", "_lost", "_queue", "_wants")

    def __init__(self, capacity: int, wants: Callable[[Item], bool] | None = None) -> None:
        self._capacity = capacity
        self._wants = wants
        self._queue: deque[Item | Lost] = deque()
        self._arrived = trio.Event()
        self._lost = 0
        self._closed = False

    def put(self, item: Item) -> None:
        """Add ``item`` if it is wanted, or count it as lost when the queue is full."""
        if self._wants is not None and not self._wants(item):
            return
        if len(self._queue) >= self._capacity:
            self._lost += 1
            return
        if self._lost:
            self._queue.append(Lost(self._lost))
            self._lost = 0
        self._queue.append(item)
        self._arrived.set()

    def close(self) -> None:
        """End the iteration after what is queued."""
        self._closed = True
        self._arrived.set()

    def __aiter__(self) -> AsyncIterator[Item | Lost]:
        return self

    async def __anext__(self) -> Item | Lost:
        while not self._queue:
            if self._lost:
                lost, self._lost = Lost(self._lost), 0
                return lost
            if self._closed:
                raise StopAsyncIteration
            await self._arrived.wait()
            self._arrived = trio.Event()
        return self._queue.popleft()


class Fanout(Generic[Item]):
    """Hands each published item to all subscriptions of the moment."""

    __slots__ = ("_closed", "_subscriptions")

    def __init__(self) -> None:
        self._subscriptions: dict[int, Subscription[Item]] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._subscriptions)

    def publish(self, item: Item) -> None:
        """Give ``item`` to every subscription; never waits."""
        for subscription in self._subscriptions.values():
            subscription.put(item)

    @contextmanager
    def subscribe(
        self, capacity: int, wants: Callable[[Item], bool] | None = None
    ) -> Iterator[Subscription[Item]]:
        """Follow from now on, holding at most ``capacity`` unread items (>= 1).

        ``wants`` says which items take part at all; without it all do.
        """
        subscription: Subscription[Item] = Subscription(capacity, wants)
        if self._closed:
            subscription.close()
        self._subscriptions[id(subscription)] = subscription
        try:
            yield subscription
        finally:
            del self._subscriptions[id(subscription)]

    def close(self) -> None:
        """End every subscription after what is queued for it."""
        self._closed = True
        for subscription in self._subscriptions.values():
            subscription.close()
