"""``AsyncServiceBalancer``: requests to the instances of a service, under trio or asyncio.

``balancing.py`` with a task instead of a thread. Attempts are cancelled when
their time is over.
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import anyio

from gossipd.balance.attempts import Attempts
from gossipd.balance.balancer import Balancer, Pick
from gossipd.balance.outcome import is_failure as looks_failed
from gossipd.balance.policies import NEAREST, P2C, ZONE
from gossipd.balance.settings import settings_from
from gossipd.client.at import At, verdict
from gossipd.client.connection import RequestRefused
from gossipd.client.following import WAIT_SECONDS, Distances, retry_after
from gossipd.errors import GossipdError, Unavailable

if TYPE_CHECKING:
    from gossipd.balance.reports import BalancerReport
    from gossipd.query.replies import CoordinateReply
    from gossipd.services.instance import Instance, ServiceChange, ServiceReset
    from gossipd.services.own import OwnServices

T = TypeVar("T")


class AsyncConnection(Protocol):
    """What a balancer needs of a connected client; ``AsyncClient`` has it."""

    def watch(
        self, name: str, index: int = 0
    ) -> AbstractAsyncContextManager[AsyncIterator[ServiceReset | ServiceChange]]: ...
    async def own_services(self) -> OwnServices: ...
    async def coordinate(self, node: str) -> CoordinateReply | None: ...
    async def stats(self) -> dict[str, dict[str, str]]: ...


class AsyncServiceBalancer:
    """Chooses instances of one service; enter it as an async context manager.

    Args:
        name: of the service.
        connect: opens a connection to the daemon for the time of a context.
        policy, zone, wait, random, settings: as for ``ServiceBalancer``.

    Raises:
        UsageError: the policy or a setting is unknown or wrong.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], AbstractAsyncContextManager[AsyncConnection]],
        *,
        policy: str = P2C,
        zone: str | None = None,
        wait: float = WAIT_SECONDS,
        random: Random | None = None,
        **settings: Any,
    ) -> None:
        self.name = name
        self._connect = connect
        self._wait = wait
        self._random = random or Random()
        self._zone = zone
        self._balancer = Balancer(
            name,
            self._random,
            policy=policy,
            settings=settings_from(settings),
            zone=zone or "",
        )
        self._distances = Distances()
        self._has_set = False
        self._settled: anyio.Event
        self._connection: AsyncConnection | None = None
        self._trouble: Exception | None = None
        self._session: AbstractAsyncContextManager[Self]

    async def __aenter__(self) -> Self:
        self._session = self._following()
        return await self._session.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._session.__aexit__(kind, error, trace)

    @asynccontextmanager
    async def _following(self) -> AsyncIterator[Self]:
        failure: Exception | None = None
        self._settled = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow)
            if self._balancer.policy == NEAREST:
                tasks.start_soon(self._keep_distances)
            try:
                await self._wait_for_set()
                yield self
            except Exception as error:
                # raised again below: the task group would wrap it in a group
                failure = error
            tasks.cancel_scope.cancel()
        self._balancer.lost_sight(anyio.current_time())
        if failure is not None:
            raise failure

    async def _wait_for_set(self) -> None:
        if self._has_set:
            return  # entered again, it has the set from before
        with anyio.move_on_after(self._wait):
            await self._settled.wait()
        if not self._has_set:
            if isinstance(self._trouble, RequestRefused):
                raise self._trouble
            why = f": {self._trouble}" if self._trouble else ""
            raise Unavailable(
                f"{self.name}: no answer about it within {self._wait:g} s{why}"
            ) from self._trouble

    @property
    def instances(self) -> tuple[Instance, ...]:
        """All known instances, whatever their status."""
        return self._balancer.instances

    def snapshot(self) -> BalancerReport:
        """Return what this balancer knows and thinks of each instance."""
        return self._balancer.snapshot(anyio.current_time())

    def pick(
        self, *, key: str | bytes | None = None, exclude: Collection[Instance] = ()
    ) -> AsyncPicking:
        """Choose an instance for the time of an ``async with``; as ``ServiceBalancer.pick``."""
        return AsyncPicking(self._balancer, key, [instance.key for instance in exclude])

    async def call(
        self,
        send: Callable[[At], Awaitable[T]],
        *,
        attempts: int = 3,
        idempotent: bool = False,
        timeout: float | None = None,
        attempt_timeout: float | None = None,
        key: str | bytes | None = None,
        is_failure: Callable[[Any], bool] = looks_failed,
    ) -> T:
        """Return what ``send(at)`` returns; when it fails, try another instance.

        As ``ServiceBalancer.call``, but an attempt whose time is over is cancelled.

        Raises:
            NoInstance: there is none to begin with.
            TimeoutError: the last attempt took too long.
            UsageError: a number makes no sense.
        """
        now = anyio.current_time()
        calls = Attempts(
            self._balancer,
            now,
            attempts=attempts,
            idempotent=idempotent,
            timeout=timeout,
            attempt_timeout=attempt_timeout,
            key=key,
            judge=is_failure,
        )
        pick: Pick | None = calls.begin(now)
        while pick is not None:
            at = At(pick.instance, calls.time_for_attempt(anyio.current_time()))
            error: Exception | None = None
            answer: T
            try:
                with anyio.fail_after(at.timeout):
                    answer = await send(at)
            except Exception as raised:
                error = raised
            except BaseException:
                calls.give_up(anyio.current_time())
                raise
            outcome = answer if error is None else error
            pick = calls.again(outcome, anyio.current_time(), failed=at.is_failed or None)
        if error is not None:
            raise error
        return answer

    async def _follow(self) -> None:
        tries = 0
        while True:
            before = self._balancer.index
            try:
                async with self._connect() as connection:
                    self._connection = connection
                    try:
                        await self._follow_once(connection)
                    finally:
                        self._connection = None
            except (GossipdError, OSError) as error:
                self._trouble = error
                if isinstance(error, RequestRefused) and not self._has_set:
                    self._settled.set()
                    return
            self._balancer.lost_sight(anyio.current_time())
            tries = 0 if self._balancer.index != before else tries + 1
            await anyio.sleep(retry_after(tries, self._random))

    async def _follow_once(self, connection: AsyncConnection) -> None:
        if self._balancer.policy == ZONE and self._zone is None:
            self._zone = (await connection.own_services()).node.zone
            self._balancer.set_zone(self._zone)
        async with connection.watch(self.name, self._balancer.index) as updates:
            if self._has_set:
                self._balancer.in_sight()
            async for update in updates:
                self._balancer.apply(update, anyio.current_time())
                self._has_set = True
                self._settled.set()
                await self._find_distances(connection)

    async def _keep_distances(self) -> None:
        while True:
            await anyio.sleep(self._distances.due_in(anyio.current_time()))
            if self._connection is not None:
                with suppress(GossipdError):  # the task that follows finds out what that means
                    await self._find_distances(self._connection)

    async def _find_distances(self, connection: AsyncConnection) -> None:
        if self._balancer.policy != NEAREST:
            return
        wanted = self._distances.wanted(self._balancer, anyio.current_time())
        if not wanted:
            return
        here = await connection.coordinate((await connection.stats())["agent"]["name"])
        for owner in wanted:
            self._distances.learn(owner, here, await connection.coordinate(owner))
        self._balancer.set_distances(self._distances.known)


class AsyncPicking:
    """The ``async with`` of ``AsyncServiceBalancer.pick``."""

    __slots__ = ("_at", "_balancer", "_exclude", "_key", "_pick")

    def __init__(
        self,
        balancer: Balancer,
        key: str | bytes | None,
        exclude: Collection[tuple[str, str]],
    ) -> None:
        self._balancer = balancer
        self._key = key
        self._exclude = exclude
        self._pick: Pick
        self._at: At

    async def __aenter__(self) -> At:
        self._pick = self._balancer.pick(anyio.current_time(), self._key, self._exclude)
        self._at = At(self._pick.instance)
        return self._at

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pick.done(anyio.current_time(), verdict(self._at, error))
