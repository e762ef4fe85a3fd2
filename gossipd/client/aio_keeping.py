"""Registrations and watches that outlive the daemon: made again when it is back.

Each has a connection and a task of its own. Tries are further and further apart,
and not at the same time in all clients: a daemon that starts has enough to do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, TypeAlias

import anyio

from gossipd.client.aio_services import AsyncHeld
from gossipd.client.connection import DaemonUnreachable
from gossipd.client.following import retry_after
from gossipd.errors import GossipdError
from gossipd.services.instance import ServiceChange, ServiceReset

if TYPE_CHECKING:
    from gossipd.client.aio_services import AsyncServiceCalls

Connect: TypeAlias = "Callable[[], AbstractAsyncContextManager[AsyncServiceCalls]]"
Update: TypeAlias = "ServiceReset | ServiceChange"


class _Keeper:
    """Connects and works on the connection, again and again; the first failure is raised.

    Args:
        connect: makes a connection for the time of a context.
        work: what is done on it until it ends; calls ``settled`` when it is well begun.
    """

    def __init__(
        self, connect: Connect, work: Callable[[AsyncServiceCalls], Awaitable[None]]
    ) -> None:
        self._connect = connect
        self._work = work
        self._settled = anyio.Event()
        self._is_settled = False
        self._tries = 0
        self._random = Random()
        self.failure: GossipdError | None = None
        """Why it is not as it should be now."""
        self.on_failure: Callable[[GossipdError], None] = lambda _: None

    def settled(self) -> None:
        """It works."""
        self.failure = None
        self._tries = 0
        self._is_settled = True
        self._settled.set()

    async def wait(self) -> None:
        """Return when it works for the first time.

        Raises:
            GossipdError: it does not, and is not tried again.
        """
        await self._settled.wait()
        if not self._is_settled:
            assert self.failure is not None
            raise self.failure

    async def run(self) -> None:
        """Work until cancelled, or until the first try fails."""
        while True:
            try:
                async with self._connect() as client:
                    await self._work(client)
            except GossipdError as error:
                self.failure = error
            if not self._is_settled:
                self._settled.set()
                return
            self.on_failure(self.failure or DaemonUnreachable("the daemon went away"))
            await anyio.sleep(retry_after(self._tries, self._random))
            self._tries += 1


@asynccontextmanager
async def _running(keeper: _Keeper) -> AsyncIterator[None]:
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keeper.run)
        try:
            await keeper.wait()
            yield
        except Exception as error:
            failure = error  # raised below: the task group would wrap it in a group
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


@asynccontextmanager
async def keep_registered(
    connect: Connect, table: Mapping[str, object]
) -> AsyncIterator[AsyncHeld]:
    """Keep a service registered while the context is open; see ``AsyncClient.register``."""
    held = AsyncHeld(table)

    def tell(is_registered: bool, trouble: GossipdError | None) -> None:
        changed = is_registered != held.is_registered or str(trouble) != str(held.trouble)
        held.is_registered, held.trouble = is_registered, trouble
        if changed and held.on_change is not None:
            held.on_change()

    async def work(client: AsyncServiceCalls) -> None:
        held.warnings = await client.register_held(table)
        keeper.settled()
        tell(True, None)
        await client.wait_for_end()

    keeper = _Keeper(connect, work)
    keeper.on_failure = lambda error: tell(False, error)
    async with _running(keeper):
        yield held


@asynccontextmanager
async def keep_watching(
    connect: Connect, name: str, index: int
) -> AsyncIterator[AsyncIterator[Update]]:
    """Follow a service over the daemon's absences; see ``AsyncClient.watch``."""
    send, receive = anyio.create_memory_object_stream[Update](0)
    at = index

    async def work(client: AsyncServiceCalls) -> None:
        nonlocal at
        async with client.watch(name, at) as changes:
            keeper.settled()
            async for change in changes:
                # one at a time, so nothing is lost between two connections
                await send.send(change)
                at = change.view.index if isinstance(change, ServiceReset) else change.index

    keeper = _Keeper(connect, work)
    with send, receive:
        async with _running(keeper):
            yield receive
