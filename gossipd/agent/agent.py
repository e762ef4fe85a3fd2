"""``run_agent``: one daemon, its whole nursery tree and its order of ending.

    run_agent
    ├─ gossip nursery            ends last: the node answers until the leave is out
    │   ├─ packets.run           datagrams in
    │   ├─ streams.run           accept, one task a stream
    │   ├─ keeper.run            the keyring file, if there is one
    │   ├─ driver.watch_deadline the one timer
    │   ├─ applications.run      coalesced events, queries that nobody answers
    │   └─ handlers.run          one task a running script
    └─ faces nursery             ends first
        ├─ serve_rpc             local socket and Serf's TCP port
        ├─ lifecycle.watch       signals
        └─ retry join            until one seed answers

A program may run it inside a nursery of its own: nothing here touches global
state but the sockets, and signals are only watched when they are handed in.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from ipaddress import ip_address
from random import Random

import trio

from gossipd.agent.applications import TOLD, Applications
from gossipd.agent.driver import DrivenNode, Driver
from gossipd.agent.handle import AgentHandle
from gossipd.agent.handler_spec import Handler, parse_handlers
from gossipd.agent.handlers import Handlers
from gossipd.agent.join import Joiner
from gossipd.agent.key_source import key_source
from gossipd.agent.keyring_keeper import KeyringKeeper
from gossipd.agent.lifecycle import EXIT_FAILED, EXIT_LEFT, Lifecycle
from gossipd.agent.log_lines import LOGGED
from gossipd.agent.log_output import Output
from gossipd.agent.logbook import Logbook, open_log
from gossipd.agent.machine import Machine, Surroundings
from gossipd.agent.seeds import LookUp, look_up_by_system
from gossipd.agent.streams import Streams
from gossipd.config.agent_model import AgentConfig
from gossipd.errors import ConfigError, Unavailable, UsageError
from gossipd.node.events import NodeEvent
from gossipd.node.node import Node
from gossipd.rpc.server import Limits, serve_rpc
from gossipd.serf.coalesce import Coalescer
from gossipd.serf.events import NameVoted
from gossipd.value import replace

LAST_WORDS = 0.05
"""Seconds in which replies under way (to ``leave``) may still be written."""


async def run_agent(
    config: AgentConfig,
    *,
    signals: AsyncIterator[int] | None = None,
    output: Output | None = None,
    look_up: LookUp = look_up_by_system,
    machine: Surroundings | None = None,
    task_status: trio.TaskStatus[AgentHandle] = trio.TASK_STATUS_IGNORED,
) -> int:
    """Run one daemon until it left or failed; cancelling stops it without a leave.

    Args:
        config: see ``gossipd.config.load``.
        signals: numbers of signals to act on, as ``trio.open_signal_receiver`` gives.
        output: where start output and log go; ``None`` is nowhere.
        look_up: host and port to addresses.
        machine: what stands in for the sockets of this machine, in tests.
        task_status: told the running agent's handle, after the start join.

    Returns:
        The exit code: 0 when the node left, 1 when it was stopped without.

    Raises:
        ConfigError: it cannot start this way; exit code 2.
        Unavailable: no seed could be joined; exit code 1.
    """
    source = key_source(config)
    config = replace(config, node=replace(config.node, keys=source.keys))
    scripts = parse_handlers(config.event_handlers)
    log = open_log(config, output)
    for level, text in source.notes:
        log.say(level, text)
    log.show("==> Starting gossipd agent...")
    machine = machine or Machine(config)
    try:
        node = _node(config, machine, saves_keys=bool(source.path))
        lifecycle = await _run(
            config, machine, node, scripts, log, signals, look_up, task_status, source.path
        )
    except BaseException:
        log.close_syslog()
        raise
    finally:
        machine.close()
        log.close()
    log.say("INFO", "agent: shutdown complete")
    log.close_syslog()
    if lifecycle.failure is not None:
        raise lifecycle.failure
    return lifecycle.exit_code


async def _run(
    config: AgentConfig,
    machine: Surroundings,
    node: DrivenNode,
    scripts: Sequence[Handler],
    log: Logbook,
    signals: AsyncIterator[int] | None,
    look_up: LookUp,
    task_status: trio.TaskStatus[AgentHandle],
    keyring_path: str,
) -> Lifecycle:
    def observe(event: NodeEvent, now: float) -> None:
        kind = type(event)  # nearly all are acks, which concern neither
        if kind in LOGGED:
            log.event(event, now)
        if kind in TOLD:
            applications.take_in(event, now)
        if isinstance(event, NameVoted) and event.must_end:
            lifecycle.fail(
                Unavailable(
                    f"another node is called {config.node.name} ({event.rival}):"
                    f" {event.verdict.value}; give this one another node_name"
                )
            )

    driver = Driver(node, machine.packets, observe)
    keeper = KeyringKeeper(keyring_path, driver.keyring_saved, log.say)
    driver.save_keys = keeper.save
    applications, handlers = _applications(config, machine, driver, scripts, log)
    streams = Streams(machine.streams, driver, config.node.wire.stream_timeout)
    driver.attach(streams)
    joiner = Joiner(driver, look_up, machine.bound.port)
    async with trio.open_nursery() as gossip:
        gossip.start_soon(machine.packets.run, driver.packet_in)
        gossip.start_soon(driver.watch_deadline)
        if keyring_path:
            gossip.start_soon(keeper.run)
        await gossip.start(streams.run)
        await gossip.start(handlers.run)
        gossip.start_soon(applications.run)
        log.say("INFO", "agent: Serf agent starting")
        driver.start()
        async with trio.open_nursery() as faces:
            handle = AgentHandle(
                driver,
                joiner,
                applications,
                handlers,
                log,
                faces,
                lambda done: _left(lifecycle, done),
            )
            lifecycle = Lifecycle(config, log, handle.leave)
            await faces.start(_serve_rpc, machine, handle, config, log)
            if signals is not None:
                faces.start_soon(lifecycle.watch, signals)
            _introduce(config, machine, log)
            faces.start_soon(_join, config, joiner, log, lifecycle, handle, task_status)
            await lifecycle.wait()
            log.release()
            driver.fanout.close()
            applications.close()
            await handlers.finish()
            await trio.sleep(LAST_WORDS)
            log.say("INFO", "agent: requesting serf shutdown")
            faces.cancel_scope.cancel()
        gossip.cancel_scope.cancel()
    return lifecycle


def _applications(
    config: AgentConfig,
    machine: Surroundings,
    driver: Driver,
    scripts: Sequence[Handler],
    log: Logbook,
) -> tuple[Applications, Handlers]:
    """Return what tells applications of the driver's events, and what runs the scripts."""

    def identity() -> tuple[str, Mapping[str, str]]:
        view = driver.node.view()
        tags = next((m.tags for m in view.members if m.name == view.name), {})
        return view.name, tags

    applications = Applications(
        Coalescer(config.coalesce_period, config.quiescent_period),
        driver.now,
        lambda query, payload: driver.step(driver.node.respond, query, payload),
        lambda query: driver.step(driver.node.decline, query),
        log.say,
    )
    socket = machine.socket_path
    handlers = Handlers(
        scripts,
        timeout=config.handler_timeout,
        runs_max=config.handlers_max,
        identity=identity,
        answer=applications.run_ended,
        say=log.say,
        environment={b"GOSSIPD_SOCKET": os.fsencode(socket)} if socket else {},
    )
    applications.attach(handlers)
    return applications, handlers


def _node(config: AgentConfig, machine: Surroundings, *, saves_keys: bool) -> Node:
    try:
        return Node(
            config.node,
            machine.advertised,
            Random(),
            os.urandom,
            bind_port=machine.bound.port,
            saves_keys=saves_keys,
            started_at=time.time(),
        )
    except UsageError as error:
        raise ConfigError(str(error)) from error


async def _serve_rpc(
    machine: Surroundings,
    handle: AgentHandle,
    config: AgentConfig,
    log: Logbook,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    listeners = machine.query_listeners()
    if not listeners:
        task_status.started()
        return
    log.show("==> Starting gossipd agent RPC...")
    await serve_rpc(
        listeners,
        handle,
        auth=config.rpc_auth or None,
        limits=Limits(object_bytes_max=config.rpc_request_size_limit),
        log=log.say,
        task_status=task_status,
    )


async def _join(
    config: AgentConfig,
    joiner: Joiner,
    log: Logbook,
    lifecycle: Lifecycle,
    handle: AgentHandle,
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
        if config.retry_join:
            joined = await joiner.retry_until_joined(
                config.retry_join,
                replay=config.replay_on_join,
                interval=config.retry_interval,
                attempts_max=config.retry_max_attempts,
                tell=log.say,
            )
            if not joined:
                lifecycle.fail(Unavailable("maximum retry join attempts made, exiting"))
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


def _left(lifecycle: Lifecycle, done: bool) -> None:
    lifecycle.finish(EXIT_LEFT if done else EXIT_FAILED)


def _introduce(config: AgentConfig, machine: Surroundings, log: Logbook) -> None:
    """Print who we are, as Serf's agent does, and log the warnings of the start."""
    node = config.node
    facts = [("Node name", f"'{node.name}'"), ("Bind addr", f"'{machine.bound}'")]
    if machine.advertised != machine.bound:
        facts.append(("Advertise addr", f"'{machine.advertised}'"))
    if machine.socket_path:
        facts.append(("Socket", f"'{machine.socket_path}'"))
    if machine.rpc_address is not None:
        facts.append(("RPC addr", f"'{machine.rpc_address}'"))
    facts += [
        ("Encrypted", str(bool(node.keys)).lower()),
        ("Snapshot", "false"),
        ("Profile", config.profile),
        ("Message Compression Enabled", str(node.wire.compression).lower()),
    ]
    log.show("==> gossipd agent running!")
    for name, value in facts:
        log.show(f"{name:>31}: {value}")
    for warning in config.warnings:
        log.say("WARN", f"agent: {warning}")
    if not node.keys and ip_address(machine.advertised.ip).is_global:
        log.say("WARN", "memberlist: Binding to public address without encryption!")
