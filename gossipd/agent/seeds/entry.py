"""How an agent enters its cluster: the start join, then seeds that are tried until one answers."""

from __future__ import annotations

import trio

from gossipd.agent.handle import AgentHandle
from gossipd.agent.lifecycle import Lifecycle
from gossipd.agent.log.logbook import Logbook
from gossipd.agent.seeds.join import Joiner
from gossipd.agent.seeds.retry_join import RetryJoin
from gossipd.config.agent_model import AgentConfig
from gossipd.errors import Unavailable, UsageError


async def enter(
    config: AgentConfig,
    joiner: Joiner,
    log: Logbook,
    lifecycle: Lifecycle,
    handle: AgentHandle,
    retry_join: RetryJoin,
    task_status: trio.TaskStatus[AgentHandle],
) -> None:
    """Join at start, then say that we run, then go on joining in the background."""
    try:
        try:
            if config.start_join and not await _start_join(config, joiner, log, lifecycle):
                return
        except UsageError:
            task_status.started(handle)  # it runs, if only to end soon
            raise
        log.show("\n==> Log data will now stream in as it occurs:\n")
        log.release()
        task_status.started(handle)
        await retry_join.run()
    except UsageError:
        return  # a leave was asked for meanwhile


async def _start_join(
    config: AgentConfig, joiner: Joiner, log: Logbook, lifecycle: Lifecycle
) -> bool:
    log.show(f"==> Joining cluster...(replay: {str(config.replay_on_join).lower()})")
    result = await joiner.join(config.start_join, replay=config.replay_on_join)
    for error in result.errors:
        log.say("WARN", f"agent: error joining: {error}")
    if not result.contacted:
        reasons = "; ".join(result.errors)
        lifecycle.fail(Unavailable(f"could not join the cluster at start: {reasons}"))
        return False
    log.show(f"    Join completed. Synced with {result.contacted} initial agents")
    return True
