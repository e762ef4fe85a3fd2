"""How the agent ends: a signal, a leave, or a failure; and with which exit code.

SIGINT and SIGTERM leave gracefully unless configured otherwise; a second one ends
the drain that is waited for, and otherwise at once. SIGHUP reads the configuration
again, SIGUSR1 writes the metrics.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import trio

from gossipd.agent.log.logbook import Logbook
from gossipd.config.agent_model import AgentConfig
from gossipd.errors import ConfigError, GossipdError, Unavailable, UsageError

EXIT_LEFT = 0
EXIT_FAILED = 1
WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
_WORDS = {signal.SIGINT: "interrupt", signal.SIGTERM: "terminated"}


class Lifecycle:
    """Knows whether the agent is to end, and how.

    Args:
        config: the leave switches and the cap of a leave.
        log: told what happens.
        leave: leaves the cluster when services were drained for so many seconds; calls
            ``finish`` by itself when it is over.
        reload: reads the configuration again and logs what comes of it.
        dump: writes the metrics of the last minute.
        hurry: ends a drain that is waited for; returns whether there was one.
    """

    def __init__(
        self,
        config: AgentConfig,
        log: Logbook,
        leave: Callable[[float], Awaitable[None]],
        reload: Callable[[], Awaitable[object]],
        dump: Callable[[], None],
        hurry: Callable[[], bool],
    ) -> None:
        self._config = config
        self._log = log
        self._leave = leave
        self._reload = reload
        self._dump = dump
        self._hurry = hurry
        self._over = trio.Event()
        self.hurried = trio.Event()
        """Set by a second signal: nothing is to be waited for."""
        self.exit_code = EXIT_LEFT
        self.failure: GossipdError | None = None

    def reconfigure(self, config: AgentConfig) -> None:
        """Go by other leave switches from now on."""
        self._config = config

    def finish(self, code: int) -> None:
        """End with ``code``; the first call counts."""
        if not self._over.is_set():
            self.exit_code = code
            self._over.set()

    def fail(self, failure: GossipdError) -> None:
        """End because of ``failure``, exit code 1."""
        if not self._over.is_set():
            self.failure = failure
        self.finish(EXIT_FAILED)

    async def wait(self) -> None:
        """Wait until the agent is to end."""
        await self._over.wait()

    async def watch(self, signals: AsyncIterator[int]) -> None:
        """Act on ``signals``; for ever."""
        async with trio.open_nursery() as nursery:
            is_ending = False
            async for number in signals:
                if number == signal.SIGHUP:
                    nursery.start_soon(self._reload_by_signal)
                elif number == signal.SIGUSR1:
                    self._dump()
                elif is_ending and self._hurry():
                    self._log.show("==> Caught second signal, leaving without a further drain")
                elif is_ending:
                    self._log.show("==> Caught second signal, exiting at once")
                    self.hurried.set()
                    self.finish(EXIT_FAILED)
                else:
                    is_ending = True
                    self._log.show(f"==> Caught signal: {_WORDS[signal.Signals(number)]}")
                    nursery.start_soon(self._end_by_signal, number)

    async def _reload_by_signal(self) -> None:
        with suppress(ConfigError, UsageError):  # logged by then, and the daemon runs on
            await self._reload()

    async def _end_by_signal(self, number: int) -> None:
        config = self._config
        if number == signal.SIGINT:
            leaves = not config.skip_leave_on_interrupt
        else:
            leaves = config.leave_on_terminate
        if not leaves:
            self._log.say("WARN", "serf: Shutdown without a Leave")
            self.finish(EXIT_FAILED)
            return
        self._log.show("==> Gracefully shutting down agent...")
        self._log.say("INFO", "agent: requesting graceful leave from Serf")
        with trio.move_on_after(config.leave_timeout + config.drain_on_leave) as scope:
            try:
                await self._leave(config.drain_on_leave)
            except UsageError:
                self._hurry()
                await self._over.wait()  # a leave is under way already: it ends us
            except Unavailable as error:
                self._log.say("ERR", f"agent: leave failed: {error}")
        if scope.cancelled_caught:
            self._log.say("ERR", f"agent: leave not finished in {config.leave_timeout:g}s")
        self.finish(EXIT_FAILED)  # counts only when the leave itself did not finish
