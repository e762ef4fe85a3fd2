"""Joining: resolve seeds, try every address side by side, retry in the background.

A seed that does not answer costs its own time-out and holds up nobody else.
Names are resolved anew at each try, because the machine behind a name may
have changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import trio

from gossipd.address import Address
from gossipd.agent.driver import Driver
from gossipd.agent.seeds.addresses import LookUp, Seed, parse_seed, resolve
from gossipd.agent.seeds.services import ServiceLookUp, look_up_service
from gossipd.errors import Unavailable, UsageError
from gossipd.node.handle import JoinResult

JOINS_AT_ONCE = 8
FIRST_PAUSE = 1.0
"""Seconds before the first retry of an unlimited retry join; it doubles from there."""


class Joiner:
    """Joins through seeds on behalf of one driver.

    Args:
        driver: whose node joins.
        look_up: host and port to addresses.
        default_port: of a seed that names none.
        look_up_service: name of SRV records to hosts and ports.
    """

    def __init__(
        self,
        driver: Driver,
        look_up: LookUp,
        default_port: int,
        look_up_service: ServiceLookUp = look_up_service,
    ) -> None:
        self._driver = driver
        self._look_up = look_up
        self._look_up_service = look_up_service
        self._default_port = default_port

    async def join(self, addresses: Sequence[str], *, replay: bool) -> JoinResult:
        """Try every address of every seed; announce the join if one answered.

        Raises:
            UsageError: this node has left or is leaving.
        """
        attempt = _Attempt(self._driver, ignore_old=not replay)
        limiter = trio.CapacityLimiter(JOINS_AT_ONCE)
        async with trio.open_nursery() as nursery:
            for text in addresses:
                nursery.start_soon(self._try_seed, text, attempt, limiter)
        if attempt.refused is not None:
            raise attempt.refused
        if attempt.contacted:
            self._driver.step(self._driver.node.announce_join)
        return JoinResult(attempt.contacted, tuple(attempt.errors))

    async def _try_seed(self, text: str, attempt: _Attempt, limiter: trio.CapacityLimiter) -> None:
        try:
            seed = parse_seed(text, self._default_port)
            async with limiter:
                targets = await resolve(seed, self._look_up, self._look_up_service)
        except (UsageError, Unavailable) as error:
            attempt.errors.append(f"Failed to resolve {text}: {error}")
            return
        async with trio.open_nursery() as nursery:
            for target in targets:
                nursery.start_soon(attempt.contact, seed, target, limiter)

    async def retry_until_joined(
        self,
        addresses: Sequence[str],
        *,
        replay: bool,
        interval: float,
        attempts_max: int,
        tell: Callable[[str, str], None],
    ) -> bool:
        """Join in the background until one seed answers.

        Args:
            addresses: tried all, each time.
            replay: deliver old user events.
            interval: longest pause between tries, in seconds.
            attempts_max: retries after the first try before giving up; 0 is never.
            tell: takes log level and text.

        Returns:
            False when it gave up.

        Raises:
            UsageError: this node has left or is leaving.
        """
        failures, pauses = 0, retry_pauses(interval, is_limited=attempts_max > 0)
        tell("INFO", f"agent: Joining cluster...(replay: {str(replay).lower()})")
        while True:
            result = await self.join(addresses, replay=replay)
            if result.contacted:
                tell(
                    "INFO", f"agent: Join completed. Synced with {result.contacted} initial agents"
                )
                return True
            failures += 1
            if attempts_max and failures > attempts_max:
                tell("ERR", "agent: maximum retry join attempts made, exiting")
                return False
            reason, pause = "; ".join(result.errors), next(pauses)
            tell("WARN", f"agent: Join failed: {reason}, retrying in {pause:g}s")
            await trio.sleep(pause)


def retry_pauses(interval: float, *, is_limited: bool) -> Iterator[float]:
    """Yield the seconds between tries: from a second, doubling, up to ``interval``.

    Hosts of a cluster often boot together, so the seed is usually there soon.
    With a limited number of tries each pause is the whole interval, as in
    Serf: the two options together say how long to go on.
    """
    pause = interval if is_limited else min(FIRST_PAUSE, interval)
    while True:
        yield pause
        pause = min(2 * pause, interval)


class _Attempt:
    """What one join command has reached so far."""

    def __init__(self, driver: Driver, *, ignore_old: bool) -> None:
        self._driver = driver
        self._ignore_old = ignore_old
        self.contacted = 0
        self.errors: list[str] = []
        self.refused: UsageError | None = None

    async def contact(self, seed: Seed, to: Address, limiter: trio.CapacityLimiter) -> None:
        """Join through one address and note how it went."""
        driver = self._driver
        async with limiter:
            try:
                operation = driver.begin(
                    driver.node.join, to, seed.node, ignore_old=self._ignore_old
                )
                await operation.wait()
            except UsageError as error:
                self.refused = error
            except Unavailable as error:
                self.errors.append(f"Failed to join {to.host}: {error}")
            else:
                self.contacted += 1
