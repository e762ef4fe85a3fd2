"""``run_agent``: one daemon, its whole nursery tree and its order of ending.

    run_agent
    ├─ gossip nursery            ends last: the node answers until the leave is out
    │   ├─ packets.run           datagrams in
    │   ├─ driver.watch_deadline the one timer
    │   ├─ keeper.run            the keyring file, if there is one
    │   ├─ streams.run           accept, one task a stream
    │   ├─ handlers.run          one task a running script, if there are handlers
    │   ├─ registrar.run         one task a check, the file of services, if there are any
    │   ├─ applications.run      coalesced events, queries that nobody answers
    │   └─ keeping.write         the snapshot, where one is kept
    └─ faces nursery             ends first
        ├─ serve_rpc             local socket and Serf's TCP port
        ├─ faces.py              HTTP and DNS, if they are wanted
        ├─ lifecycle.watch       signals
        ├─ collector.run         metrics, and one task for each sink
        ├─ keeping.rejoin        members of the last run
        ├─ discovery.run         mDNS, if it is wanted
        └─ enter                 start join, then retry join until one seed answers,
                                 and again when the seeds change

A program may run it inside a nursery of its own: nothing here touches global
state but the sockets, and signals are only watched when they are handed in.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import trio

from gossipd.agent.faces import serve_dns_face, serve_http_face
from gossipd.agent.handle import AgentHandle
from gossipd.agent.introduction import introduce
from gossipd.agent.lifecycle import EXIT_FAILED, EXIT_LEFT, Lifecycle
from gossipd.agent.log.logbook import open_log
from gossipd.agent.log.output import Output
from gossipd.agent.machine import Machine, Surroundings
from gossipd.agent.parts import Parts
from gossipd.agent.seeds.addresses import LookUp, look_up_by_system
from gossipd.agent.seeds.entry import enter
from gossipd.agent.seeds.retry_join import RetryJoin
from gossipd.agent.state.opening import State
from gossipd.config.agent_model import AgentConfig
from gossipd.config.load import Loaded
from gossipd.config.origin import Origin, placed
from gossipd.errors import ConfigError, Unavailable
from gossipd.node.events import NodeEvent
from gossipd.rpc.server import Limits, serve_rpc
from gossipd.serf.events import NameVoted

if TYPE_CHECKING:
    from gossipd.agent.reload import Reloader, Reread

LAST_WORDS = 0.05
"""Seconds in which replies under way (to ``leave``) may still be written."""


async def run_agent(
    config: AgentConfig,
    *,
    signals: AsyncIterator[int] | None = None,
    output: Output | None = None,
    errors: Output | None = None,
    look_up: LookUp = look_up_by_system,
    machine: Surroundings | None = None,
    origins: Mapping[str, tuple[Origin, ...]] | None = None,
    reread: Reread | None = None,
    task_status: trio.TaskStatus[AgentHandle] = trio.TASK_STATUS_IGNORED,
) -> int:
    """Run one daemon until it left or failed; cancelling stops it without a leave.

    Args:
        config: see ``gossipd.config.load``.
        signals: numbers of signals to act on, as ``trio.open_signal_receiver`` gives.
        output: where start output and log go; ``None`` is nowhere.
        errors: where SIGUSR1 writes metrics; ``None`` is nowhere.
        look_up: host and port to addresses.
        machine: what stands in for the sockets of this machine, in tests.
        origins: where the settings came from, as ``gossipd.config.load`` tells.
        reread: reads the same sources again, for a reload.
        task_status: told the running agent's handle, after the start join.

    Returns:
        The exit code: 0 when the node left, 1 when it was stopped without.

    Raises:
        ConfigError: it cannot start this way; exit code 2.
        Unavailable: no seed could be joined; exit code 1.
    """
    state = State(config)
    with ExitStack() as last:
        log = open_log(state.config, output)
        last.callback(log.close_syslog)
        with ExitStack() as ends:
            ends.callback(log.close)
            for level, text in state.notes:
                log.say(level, text)
            log.show("==> Starting gossipd agent...")
            surroundings = machine or Machine(state.config)
            ends.callback(surroundings.close)
            parts = Parts(state, surroundings, log, look_up)
            ends.callback(parts.close)
            lifecycle = await _run(
                parts, signals, Loaded(config, origins or {}), reread, errors, task_status
            )
        log.say("INFO", "agent: shutdown complete")
    if lifecycle.failure is not None:
        raise lifecycle.failure
    return lifecycle.exit_code


async def _run(
    parts: Parts,
    signals: AsyncIterator[int] | None,
    loaded: Loaded,
    reread: Reread | None,
    errors: Output | None,
    task_status: trio.TaskStatus[AgentHandle],
) -> Lifecycle:
    config, log, driver, keeping = parts.config, parts.log, parts.driver, parts.keeping

    def end_if_the_name_is_lost(event: NodeEvent) -> None:
        if isinstance(event, NameVoted) and event.must_end:
            text = (
                f"another node is called {config.node.name} ({event.rival}):"
                f" {event.verdict.value}; give this one another node_name"
            )
            lifecycle.fail(Unavailable(text))

    parts.watch = end_if_the_name_is_lost
    async with trio.open_nursery() as gossip:
        gossip.start_soon(parts.machine.packets.run, driver.packet_in)
        gossip.start_soon(driver.watch_deadline)
        if parts.keeper is not None:
            gossip.start_soon(parts.keeper.run)
        await gossip.start(parts.streams.run)
        await parts.run_handlers(gossip)
        gossip.start_soon(parts.applications.run)
        log.say("INFO", "agent: Serf agent starting")
        if keeping is not None:
            await gossip.start(keeping.write, driver)
        driver.start()
        async with trio.open_nursery() as faces:
            handle = AgentHandle(parts, faces, lambda done: _left(lifecycle, done))
            lifecycle = Lifecycle(
                config,
                log,
                lambda drain: handle.leave(drain=drain),
                handle.reload,
                partial(_dump, parts, errors),
                handle.hurry_leave,
            )
            retry_join = RetryJoin(config, parts.joiner, handle.is_alone, log.say, lifecycle.fail)
            handle.make_reloader = partial(
                _reloader, loaded, reread, handle, parts, lifecycle, retry_join
            )
            try:
                parts.begin_services()
            except ConfigError as error:
                lifecycle.fail(placed(error, loaded.origins))
            else:
                await _open_faces(parts, faces, handle, lifecycle, signals, retry_join, task_status)
            await lifecycle.wait()
            if keeping is not None:
                await keeping.finish()
            await parts.finish_services()
            log.release()
            parts.end_readers()
            await parts.finish_handlers(lifecycle.hurried)
            await parts.collector.finish()
            await trio.sleep(LAST_WORDS)
            log.say("INFO", "agent: requesting serf shutdown")
            faces.cancel_scope.cancel()
        gossip.cancel_scope.cancel()
    return lifecycle


async def _open_faces(
    parts: Parts,
    nursery: trio.Nursery,
    handle: AgentHandle,
    lifecycle: Lifecycle,
    signals: AsyncIterator[int] | None,
    retry_join: RetryJoin,
    task_status: trio.TaskStatus[AgentHandle],
) -> None:
    config, log, keeping = parts.config, parts.log, parts.keeping
    await nursery.start(_serve_rpc, parts, handle)
    await nursery.start(serve_http_face, parts, handle)
    await nursery.start(serve_dns_face, parts, handle)
    nursery.start_soon(parts.collector.run)
    _send_metrics(parts, nursery)
    if signals is not None:
        nursery.start_soon(lifecycle.watch, signals)
    if config.discover:
        nursery.start_soon(_discover, parts)
    introduce(config, parts.machine, log)
    if keeping is not None:
        nursery.start_soon(keeping.rejoin, parts.driver, parts.machine.streams)
    nursery.start_soon(enter, config, parts.joiner, log, lifecycle, handle, retry_join, task_status)


def _reloader(
    loaded: Loaded,
    reread: Reread | None,
    handle: AgentHandle,
    parts: Parts,
    lifecycle: Lifecycle,
    retry_join: RetryJoin,
) -> Reloader:
    from gossipd.agent.reload import Reloader  # most daemons end without

    driver = parts.driver
    return Reloader(
        loaded,
        reread,
        handle=handle,
        driver=driver,
        log=parts.log,
        lifecycle=lifecycle,
        retry_join=retry_join,
        set_handlers=handle.set_handlers,
        set_services=parts.set_services if parts.config.node.catalog.enabled else None,
        set_verification=lambda incoming, outgoing: driver.step(
            driver.node.set_verification, incoming, outgoing
        ),
    )


def _send_metrics(parts: Parts, nursery: trio.Nursery) -> None:
    config, collector = parts.config, parts.collector
    if not (config.statsd_addr or config.statsite_addr):
        return
    from gossipd.metrics.sinks import sinks_of  # most daemons have none

    host = os.uname().nodename
    collector.sinks = sinks_of(config.statsd_addr, config.statsite_addr, host, parts.log.say)
    for sink in collector.sinks:
        parts.driver.counted.append(sink)
        nursery.start_soon(sink.run)


def _dump(parts: Parts, errors: Output | None) -> None:
    if errors is not None:
        for line in parts.collector.dump():
            errors.write(line)


async def _discover(parts: Parts) -> None:
    from gossipd.agent.seeds.discovery import Discovery, group_port  # brings DNS, five megabytes

    discovery = Discovery(
        parts.config,
        parts.machine.advertised,
        group_port(parts.config),
        parts.joiner,
        parts.driver.node.view,
        parts.log.say,
    )
    parts.driver.counted.append(discovery)
    await discovery.run()


async def _serve_rpc(
    parts: Parts,
    handle: AgentHandle,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    listeners = parts.machine.query_listeners()
    if not listeners:
        task_status.started()
        return
    parts.log.show("==> Starting gossipd agent RPC...")
    await serve_rpc(
        listeners,
        handle,
        auth=parts.config.rpc_auth or None,
        limits=Limits(object_bytes_max=parts.config.rpc_request_size_limit),
        log=parts.log.say,
        count=parts.ledger.count,
        measure=parts.ledger.measure,
        task_status=task_status,
    )


def _left(lifecycle: Lifecycle, done: bool) -> None:
    lifecycle.finish(EXIT_LEFT if done else EXIT_FAILED)
