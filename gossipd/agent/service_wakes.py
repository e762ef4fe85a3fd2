"""``ServiceWakes``: who is woken when a service changes, and ``ServiceReader``, who follows one.

Nobody has a queue: what a follower lacks is read from the node's change log
when it gets to it. Loaded with the first follower; what the first change needs
beside is loaded then too (``services/expecting.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from gossipd.catalog.events import ServiceChanged
from gossipd.node.events import NodeEvent
from gossipd.services.instance import ServiceChange, ServiceReset, ServiceView


class ServiceLog(Protocol):
    """What a reader reads; kept by ``gossipd.node.node.Node``."""

    def service(self, name: str) -> ServiceView: ...
    def service_changes(self, name: str, index: int) -> tuple[ServiceChange, ...] | None: ...


class ServiceWakes:
    """Wakes those who follow a service, and nobody who follows another."""

    def __init__(self) -> None:
        self._hooks: dict[str, dict[Callable[[], None], None]] = {}
        self._changed: trio.Event | None = None
        self.is_closed = False

    def on_change(self, name: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` after each change of a service; returns what ends that."""
        hooks = self._hooks.setdefault(name, {})
        hooks[wake] = None

        def unhook() -> None:
            hooks.pop(wake, None)
            if not hooks and self._hooks.get(name) is hooks:
                del self._hooks[name]

        return unhook

    def take(self, events: Sequence[NodeEvent]) -> None:
        """Wake, once each, whom ``events`` of one step concern."""
        changed = {event.name: None for event in events if type(event) is ServiceChanged}
        if not changed:
            return
        for name in changed:
            for wake in tuple(self._hooks.get(name, ())):
                wake()
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def wait(self) -> None:
        """Return after the next change of any service; the agent's end wakes nobody here."""
        if self._changed is None:
            self._changed = trio.Event()
        await self._changed.wait()

    def close(self) -> None:
        """End every reader after what it can read still."""
        self.is_closed = True
        for hooks in tuple(self._hooks.values()):
            for wake in tuple(hooks):
                wake()


class ServiceReader:
    """Follows one service: the set as it is, then each change once and in order.

    Args:
        log: the node.
        wakes: tells when there is something to read.
        name: of the service.
        index: go on after the change of that index; 0 begins with the set.
    """

    def __init__(self, log: ServiceLog, wakes: ServiceWakes, name: str, index: int) -> None:
        self._log = log
        self._wakes = wakes
        self._name = name
        self._index = index or -1
        self._ready: deque[ServiceReset | ServiceChange] = deque()
        self._woken = trio.Event()
        self._woken.set()
        self._unhook = wakes.on_change(name, self._wake)

    def close(self) -> None:
        """Follow no more."""
        self._unhook()

    def _wake(self) -> None:
        self._woken.set()

    def __aiter__(self) -> ServiceReader:
        return self

    async def __anext__(self) -> ServiceReset | ServiceChange:
        await trio.lowlevel.checkpoint()
        while not self._ready:
            await self._woken.wait()
            self._woken = trio.Event()
            self._read()
            if self._wakes.is_closed:
                self._woken.set()
                if not self._ready:
                    raise StopAsyncIteration
        return self._ready.popleft()

    def _read(self) -> None:
        view = self._log.service(self._name)
        if view.index == self._index:
            return
        index = self._index
        changes = self._log.service_changes(self._name, index) if index >= 0 else None
        if changes is None:
            self._ready.append(ServiceReset(view=view))
        else:
            self._ready.extend(changes)
        self._index = view.index
