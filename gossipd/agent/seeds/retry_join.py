"""The background join: goes on until one seed answers, and begins anew when the seeds change."""

from __future__ import annotations

from collections.abc import Callable

import trio

from gossipd.agent.seeds.join import Joiner
from gossipd.config.agent_model import AgentConfig
from gossipd.errors import Unavailable, UsageError


class RetryJoin:
    """Joins through ``retry_join`` while there is something to join.

    Args:
        config: whose seeds, pauses and limit of tries hold.
        joiner: does the joins.
        is_alone: whether no other member is known to be alive.
        tell: takes log level and text.
        fail: ends the agent.
    """

    def __init__(
        self,
        config: AgentConfig,
        joiner: Joiner,
        is_alone: Callable[[], bool],
        tell: Callable[[str, str], None],
        fail: Callable[[Unavailable], None],
    ) -> None:
        self._config = config
        self._joiner = joiner
        self._is_alone = is_alone
        self._tell = tell
        self._fail = fail
        self._is_joining = False
        self._scope = trio.CancelScope()
        self._begin = trio.Event()
        self._begin.set()

    def reconfigure(self, config: AgentConfig) -> None:
        """Begin anew when the seeds changed, when we are alone, or while still trying."""
        before, self._config = self._config, config
        if config.retry_join != before.retry_join or self._is_joining or self._is_alone():
            self._begin.set()
            self._scope.cancel()

    async def run(self) -> None:
        """Join whenever there is reason to; for ever, unless the node leaves or gives up."""
        while True:
            await self._begin.wait()
            self._begin = trio.Event()
            with trio.CancelScope() as self._scope:
                if self._config.retry_join and not await self._join():
                    return

    async def _join(self) -> bool:
        config = self._config
        self._is_joining = True
        try:
            joined = await self._joiner.retry_until_joined(
                config.retry_join,
                replay=config.replay_on_join,
                interval=config.retry_interval,
                attempts_max=config.retry_max_attempts,
                tell=self._tell,
            )
        except UsageError:
            return False  # a leave was asked for meanwhile
        finally:
            self._is_joining = False
        if not joined:
            self._fail(Unavailable("maximum retry join attempts made, exiting"))
        return joined
