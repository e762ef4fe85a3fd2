"""``open_agent``: a member of the cluster inside somebody else's trio program."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio

from gossipd.agent.agent import run_agent
from gossipd.agent.handle import AgentHandle
from gossipd.agent.log.output import Output
from gossipd.config.agent_model import AgentConfig, check_agent_config
from gossipd.errors import GossipdError, Unavailable, UsageError


@asynccontextmanager
async def open_agent(
    config: AgentConfig, *, output: Output | None = None
) -> AsyncIterator[AgentHandle]:
    """Be a member of the cluster while the context is open, and leave it at its end.

    Nothing global is touched: no signal is watched, no environment read, and a
    program may open several agents. When the body ends by an exception or is
    cancelled the agent stops at once and the others see a failure. When the
    agent ends by itself (somebody made it leave, another node has its name)
    its streams end, and the body goes on.

    Args:
        config: checked here; without ``socket`` and ``rpc_addr`` nobody else can ask it.
        output: where the log goes; ``None`` is nowhere.

    Yields:
        The running agent, after its start join.

    Raises:
        ConfigError: it cannot start this way.
        Unavailable: no seed of ``start_join`` could be joined, or the background
            join gave up; the latter is told when the body has ended.
    """
    check_agent_config(config)
    failure: BaseException | None = None
    ended = trio.Event()

    async def run(*, task_status: trio.TaskStatus[AgentHandle]) -> None:
        nonlocal failure
        try:
            await run_agent(config, output=output, task_status=task_status)
        except GossipdError as error:
            # kept, so that it reaches the caller as it is and not in a group
            failure = failure or error
        finally:
            ended.set()

    async with trio.open_nursery() as nursery:
        try:
            handle: AgentHandle = await nursery.start(run)
        except RuntimeError:
            if failure is None:
                raise
        else:
            try:
                yield handle
            except (Exception, KeyboardInterrupt, SystemExit) as error:
                # out of a nursery the last two would not end the program as they should
                failure = error
            else:
                await _leave(config, handle, ended)
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _leave(config: AgentConfig, handle: AgentHandle, ended: trio.Event) -> None:
    """Leave within the configured times, unless the agent has ended or is leaving."""
    drain = config.drain_on_leave
    with trio.move_on_after(config.leave_timeout + drain):
        with suppress(UsageError, Unavailable):  # it leaves already, or can tell nobody
            await handle.leave(drain=drain)
        await ended.wait()
