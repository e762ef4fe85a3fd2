"""Rejoining: back to the members that a former life knew (gossip.md, section 20).

Members that were alive come first, then failed ones, each in random order. Many
are dialled at a time and only who accepts is joined, so any number of dead
members costs no time-out. When none answers the round is made again with
growing pauses: after a full outage somebody has to be the first.

After a rejoin the remembered members that have not been met are tried now and
then, one at a time: the cluster may have come back in two halves that know
nothing of each other. Serf forgets them (hashicorp/serf#333).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import trio

from gossipd.address import Address
from gossipd.agent.driver import Driver
from gossipd.agent.ports import StreamPort
from gossipd.agent.seeds.join import retry_pauses
from gossipd.config.model import SerfConfig
from gossipd.errors import Unavailable, UsageError
from gossipd.serf.snapshot import Snapshot
from gossipd.wire.serf_messages import MemberStatus

DIALS_AT_ONCE = 256
DIAL_TIMEOUT = 3.0
"""Seconds after which a member that accepts no connection is given up for this round."""
JOIN_PATIENCE = 0.2
"""Seconds after which the next one is joined too: a frozen process accepts, and answers nobody."""
PAUSE_MAX = 30.0
"""Longest pause between two rounds, in seconds."""

Say = Callable[[str, str], None]


class Rejoiner:
    """Finds the members of a former life again.

    Args:
        driver: whose node joins.
        port: dials.
        remembered: members as replayed; read once, now.
        random: decides the order.
        config: how often, and for how long, members are tried that were not met.
        say: logs, with a level and a text.
    """

    def __init__(
        self,
        driver: Driver,
        port: StreamPort,
        remembered: Snapshot,
        random: Random,
        config: SerfConfig,
        say: Say,
    ) -> None:
        self._driver = driver
        self._port = port
        self._random = random
        self._config = config
        self._say = say
        view = driver.node.view()
        groups = (remembered.alive, remembered.failed)
        self._groups = [
            [(name, at) for name, at in group.items() if name != view.name and at != view.address]
            for group in groups
        ]
        # who is renamed and dials his former self has found nobody
        self._former_names = [
            name
            for group in groups
            for name, at in group.items()
            if name != view.name and at == view.address
        ]

    async def run(self, forget: Callable[[list[str]], None]) -> None:
        """Rejoin, then look for those that were not met; ends when we leave.

        Args:
            forget: told the names that we bore ourselves, and those that nobody has shown us
                for ``reconnect_timeout``.
        """
        forget(self._former_names)
        if not any(self._groups):
            return
        try:
            await self._rejoin()
            with trio.move_on_after(self._config.reconnect_timeout):
                await self._look_for_the_others()
        except UsageError:
            return  # we are leaving
        forget([name for name, _ in self._unmet()])

    async def _rejoin(self) -> None:
        pauses = retry_pauses(PAUSE_MAX, is_limited=False)
        level = "WARN"
        while not self._has_company():
            if await self._round():
                return
            self._say(level, "serf: Failed to re-join any previously known node")
            level = "DEBUG"
            await trio.sleep(next(pauses))

    async def _look_for_the_others(self) -> None:
        while unmet := self._unmet():
            await trio.sleep(self._config.reconnect_interval)
            name, address = self._random.choice(unmet)
            if name not in self._known():
                await self._join(name, address)

    def _known(self) -> set[str]:
        return {member.name for member in self._driver.node.view().members}

    def _unmet(self) -> list[tuple[str, Address]]:
        known = self._known()
        return [(name, at) for group in self._groups for name, at in group if name not in known]

    def _has_company(self) -> bool:
        """Say whether another member is alive: somebody joined us, or we joined a seed."""
        view = self._driver.node.view()
        return any(m.status is MemberStatus.ALIVE and m.name != view.name for m in view.members)

    def _in_order(self) -> Iterator[tuple[str, Address]]:
        for group in self._groups:
            yield from self._random.sample(group, len(group))

    async def _round(self) -> bool:
        """Try every member once, until a join works; return whether one did.

        Raises:
            UsageError: we are leaving.
        """
        attempts = _Attempts()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._dial_all, attempts)
            while (reached := await attempts.next_reached()) is not None:
                attempts.begin()
                nursery.start_soon(self._attempt, *reached, attempts)
                with trio.move_on_after(JOIN_PATIENCE):
                    await attempts.answered()
                if attempts.has_joined:
                    break
            while attempts.running and not attempts.has_joined:
                await attempts.answered()
            nursery.cancel_scope.cancel()
        if attempts.refused is not None:
            raise attempts.refused
        return attempts.has_joined

    async def _dial_all(self, attempts: _Attempts) -> None:
        limiter = trio.CapacityLimiter(DIALS_AT_ONCE)
        async with trio.open_nursery() as nursery:
            for name, address in self._in_order():
                await limiter.acquire_on_behalf_of(name)
                nursery.start_soon(self._dial, name, address, attempts, limiter)
        attempts.reached_all()

    async def _dial(
        self, name: str, address: Address, attempts: _Attempts, limiter: trio.CapacityLimiter
    ) -> None:
        try:
            with trio.move_on_after(DIAL_TIMEOUT):
                stream = await self._port.dial(address)
                attempts.reached(name, address)
                await stream.aclose()
        except OSError:
            return  # nobody is there now
        finally:
            limiter.release_on_behalf_of(name)

    async def _attempt(self, name: str, address: Address, attempts: _Attempts) -> None:
        try:
            attempts.end(joined=await self._join(name, address))
        except UsageError as error:
            attempts.refused = error
            attempts.end(joined=True)

    async def _join(self, name: str, address: Address) -> bool:
        """Exchange states with one member; events that we missed are delivered.

        Raises:
            UsageError: we are leaving.
        """
        driver = self._driver
        who = f"previously known node: {name}: {address}"
        self._say("INFO", f"serf: Attempting re-join to {who}")
        try:
            operation = driver.begin(driver.node.join, address, name, ignore_old=False)
            await operation.wait()
        except Unavailable as error:
            self._say("DEBUG", f"serf: {name}: {error}")
            return False
        self._say("INFO", f"serf: Re-joined to {who}")
        return True


class _Attempts:
    """Who was reached in one round, and how the joins through them went."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, Address]] = []
        self._is_complete = False
        self._changed = trio.Event()
        self.running = 0
        self.has_joined = False
        self.refused: UsageError | None = None

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def reached(self, name: str, address: Address) -> None:
        self._waiting.append((name, address))
        self._tell()

    def reached_all(self) -> None:
        self._is_complete = True
        self._tell()

    def begin(self) -> None:
        self.running += 1

    def end(self, *, joined: bool) -> None:
        self.running -= 1
        self.has_joined = self.has_joined or joined
        self._tell()

    async def next_reached(self) -> tuple[str, Address] | None:
        """Return the next one to join; ``None`` when all were tried, or a join worked."""
        while not self._waiting and not self._is_complete and not self.has_joined:
            await self._changed.wait()
        return self._waiting.pop(0) if self._waiting and not self.has_joined else None

    async def answered(self) -> None:
        """Wait until a join ended, well or not."""
        before = self.running
        while self.running >= before and not self.has_joined:
            await self._changed.wait()
