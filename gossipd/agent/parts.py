"""``Parts``: what one agent is made of, put together before anything runs."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

import trio

from gossipd.agent.driver import Driver
from gossipd.agent.handlers.applications import TOLD, Applications, count_name
from gossipd.agent.log.lines import LOGGED, SERVICE_EVENTS
from gossipd.agent.log.logbook import Logbook
from gossipd.agent.machine import Surroundings
from gossipd.agent.seeds.addresses import LookUp
from gossipd.agent.seeds.join import Joiner
from gossipd.agent.state.folder import epoch_file_of
from gossipd.agent.state.opening import State
from gossipd.agent.streams import Streams
from gossipd.config.agent_model import AgentConfig
from gossipd.errors import ConfigError, UsageError
from gossipd.ledger import Ledger
from gossipd.metrics.collecting import Collector
from gossipd.node.events import NodeEvent
from gossipd.node.node import Node
from gossipd.node.statistics import Statistics
from gossipd.serf.coalesce import Coalescer
from gossipd.serf.memory import NO_MEMORY
from gossipd.value import replace

if TYPE_CHECKING:
    from gossipd.agent.early_warning import EarlyWarning
    from gossipd.agent.handlers.runner import Handlers
    from gossipd.agent.handlers.spec import Handler
    from gossipd.agent.service_wakes import ServiceWakes
    from gossipd.agent.services.registrar import Registrar
    from gossipd.agent.state.keeping import Keeping
    from gossipd.agent.state.keyring_keeper import KeyringKeeper

_NOBODY: Mapping[str, str] = {}


class Parts:
    """The node, its driver, and what surrounds them; ``agent.py`` runs them.

    Args:
        state: the configuration and what the last run left.
        machine: the sockets.
        log: where all of them write.
        look_up: host and port to addresses.

    Raises:
        ConfigError: the node cannot be, or the snapshot cannot be used.
    """

    def __init__(self, state: State, machine: Surroundings, log: Logbook, look_up: LookUp) -> None:
        config = state.config
        self.config = config
        self.machine = machine
        self.log = log
        self.tags = state.tags
        self.keeping = _keeping(config, log)
        self.ledger = Ledger()
        """What the agent itself counts, under the names that metrics have."""
        self.watch: Callable[[NodeEvent], None] = _look_away
        """Told every event that the log or applications are told, after them."""
        self.observers: list[Callable[[NodeEvent, float], None]] = []
        """Faces that see every event and when it happened; they neither wait nor command."""
        self.service_wakes: ServiceWakes | None = None
        """Who follows services; ``None`` until somebody does."""
        self._early_warning = _early_warning(config, self._observe, self.ledger)
        node = self._node(state)
        self.driver = Driver(node, machine.packets, self._observe, self.ledger)
        self.keeper = self._keyring_keeper(state.keyring_path)
        self.applications = Applications(
            Coalescer(config.coalesce_period, config.quiescent_period),
            self.driver.now,
            lambda query, payload: self.driver.step(node.respond, query, payload),
            lambda query: self.driver.step(node.decline, query),
            log.say,
        )
        self._handlers = self._made_handlers(state.scripts, config) if state.scripts else None
        self._runners: trio.Nursery | None = None
        """In which handlers, checks and what nobody waits for run, until the agent ends."""
        self.node = node
        self._state = state
        self._registrar: Registrar | None = None
        self._catalog = config.node.catalog
        self.driver.run_check = lambda effect: self.registrar().take_effect(effect)
        self.streams = Streams(machine.streams, self.driver, config.node.wire.stream_timeout)
        self.driver.attach(self.streams)
        self.collector = Collector(self.statistics, self.ledger)
        self.joiner = Joiner(self.driver, look_up, machine.bound.port)

    def degraded(self) -> Mapping[str, str]:
        """Return the members that behave worse than they usually do, and in what; by name."""
        return _NOBODY if self._early_warning is None else self._early_warning.degraded()

    def statistics(self) -> Statistics:
        """Return the counters of node, sockets and handlers as they are now."""
        statistics = self.driver.statistics()
        lost = dict(statistics.lost)
        handlers = self._handlers
        if handlers is not None and handlers.dropped:
            lost["handler-runs"] = handlers.dropped
        listed = {} if handlers is None else handlers.listed()
        levels = self._service_levels()
        return replace(statistics, lost=lost, event_handlers=listed, levels=levels)

    def _service_levels(self) -> Mapping[str, float]:
        if not self.node.service_levels():
            return {}
        from gossipd.agent.services.levels import service_levels  # most daemons have none

        registrar = self._registrar
        return service_levels(self.node, 0 if registrar is None else len(registrar.checks))

    async def run_handlers(self, nursery: trio.Nursery) -> None:
        """Begin to run event handlers in ``nursery``; none need be configured yet."""
        self._runners = nursery
        if self._handlers is not None:
            await nursery.start(self._handlers.run)

    def run_beside(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run ``work``, which nobody waits for, as long as the agent does."""
        if self._runners is not None:
            self._runners.start_soon(work)

    def set_handlers(self, config: AgentConfig) -> None:
        """Run the event handlers of ``config``, with its limits; what runs already finishes.

        Raises:
            ConfigError: one of them is no handler; nothing was changed.
        """
        if self._handlers is None and not config.event_handlers:
            return
        from gossipd.agent.handlers.spec import parse_handlers  # only where there are handlers

        scripts = parse_handlers(config.event_handlers)
        if self._handlers is not None:
            self._handlers.set_handlers(
                scripts, timeout=config.handler_timeout, runs_max=config.handlers_max
            )
        elif self._runners is not None:
            self._handlers = self._made_handlers(scripts, config)
            self._runners.start_soon(self._handlers.run)

    def end_readers(self) -> None:
        """Tell applications what is left to tell, and end those who follow them."""
        self.driver.fanout.close()
        self.applications.close()
        if self.service_wakes is not None:
            self.service_wakes.close()

    async def finish_handlers(self, hurried: trio.Event) -> None:
        """Begin no more runs, and end those that there are; see ``Handlers.finish``."""
        self._runners = None
        if self._handlers is not None:
            await self._handlers.finish(hurried)

    def _made_handlers(self, scripts: Sequence[Handler], config: AgentConfig) -> Handlers:
        from gossipd.agent.handlers.runner import Handlers  # most daemons have none

        socket = self.machine.socket_path
        handlers = Handlers(
            scripts,
            timeout=config.handler_timeout,
            runs_max=config.handlers_max,
            identity=self._identity,
            answer=self.applications.run_ended,
            say=self.log.say,
            measure=self.ledger.measure,
            environment={b"GOSSIPD_SOCKET": os.fsencode(socket)} if socket else {},
        )
        self.applications.attach(handlers)
        return handlers

    def begin_services(self) -> None:
        """Register the services of the last run and of the configuration.

        Raises:
            ConfigError: the node cannot register one of the latter.
        """
        state = self._state
        if state.services is not None or self.config.services:
            self.registrar().begin(state.services, self.config.services)
            state.services = None

    def set_services(self, config: AgentConfig) -> None:
        """Register the services of ``config`` instead of those of before, with its limits.

        Raises:
            ConfigError: the node cannot register one; nothing was changed.
        """
        before, catalog = self._catalog, config.node.catalog
        self.driver.step(self.node.reconfigure_catalog, catalog)
        try:
            if self._registrar is not None or config.services:
                self.registrar().configure(config.services)
                self.registrar().checks.set_runs_max(catalog.check_runs_max)
        except ConfigError:
            self.driver.step(self.node.reconfigure_catalog, before)
            raise
        self._catalog = catalog

    def registrar(self) -> Registrar:
        """Return who registers services and runs checks, made when it is first needed."""
        if self._registrar is None:
            from gossipd.agent.services.registrar import Registrar  # most daemons have no service

            self._registrar = Registrar(
                self.node,
                self.driver.step,
                self._catalog.check_runs_max,
                random=Random(),
                say=self.log.say,
                tally=self.ledger,
                path=self._state.services_path,
                socket=self.machine.socket_path,
            )
            if self._runners is not None:
                self._runners.start_soon(self._registrar.run)
        return self._registrar

    async def finish_services(self) -> None:
        """Keep what is registered now, and the epoch if it grew: the next one is above it."""
        if self._registrar is not None:
            await self._registrar.finish()
        path, epoch = epoch_file_of(self.config), self.node.catalog_epoch
        if path and epoch > self._state.epoch:
            from gossipd.agent.state.epoch_file import keep_epoch  # seldom: somebody forged ours

            note = await trio.to_thread.run_sync(keep_epoch, path, epoch)
            if note:
                self.log.say("WARN", f"agent: {note}")

    def close(self) -> None:
        """Give back what is held outside of trio: the snapshot's lock."""
        if self.keeping is not None:
            self.keeping.close()

    def _node(self, state: State) -> Node:
        machine = self.machine
        try:
            return Node(
                self.config.node,
                machine.advertised,
                Random(),
                os.urandom,
                bind_port=machine.bound.port,
                saves_keys=bool(state.keyring_path),
                started_at=time.time(),
                catalog_epoch=state.epoch,
                memory=self.keeping.memory if self.keeping is not None else NO_MEMORY,
            )
        except UsageError as error:
            self.close()
            raise ConfigError(str(error)) from error

    def _keyring_keeper(self, path: str) -> KeyringKeeper | None:
        if not path:
            return None
        from gossipd.agent.state.keyring_keeper import KeyringKeeper  # only where keys are kept

        keeper = KeyringKeeper(path, self.driver.keyring_saved, self.log.say)
        self.driver.save_keys = keeper.save
        return keeper

    def _observe(self, event: NodeEvent, now: float) -> None:
        kind = type(event)  # nearly all are acks, which concern nobody here
        if kind in LOGGED:
            self.log.event(event, now)
        elif kind.__module__ == SERVICE_EVENTS:
            self._observe_services(event, now)
        if kind in TOLD:
            count_name(event, self.ledger)
            self.applications.take_in(event, now)
        for observer in self.observers:
            observer(event, now)
        if self._early_warning is not None:
            self._early_warning.take(event, now)
        self.watch(event)

    def _observe_services(self, event: NodeEvent, now: float) -> None:
        self.log.event(event, now)
        if type(event).__name__ == "OwnServicesChanged" and self._state.services_path:
            self.registrar().own_services_changed()

    def _identity(self) -> tuple[str, Mapping[str, str]]:
        """Return our name and tags as they are now."""
        view = self.driver.node.view()
        return view.name, view.own_tags()


def _look_away(_event: NodeEvent) -> None:
    """See nothing: nobody watches yet."""


def _early_warning(
    config: AgentConfig, tell: Callable[[NodeEvent, float], None], ledger: Ledger
) -> EarlyWarning | None:
    if not config.warns_early:
        return None
    from gossipd.agent.early_warning import EarlyWarning  # a daemon without HTTP goes without

    return EarlyWarning(config.node.name, tell, ledger)


def _keeping(config: AgentConfig, log: Logbook) -> Keeping | None:
    if not config.snapshot_path:
        return None
    from gossipd.agent.state.keeping import Keeping  # only a daemon with a snapshot needs it

    return Keeping(config, log.say)
