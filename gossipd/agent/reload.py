"""Taking over another configuration while the daemon runs: SIGHUP and ``gossipd reload``.

All or nothing goes first: a configuration that is wrong, or tags that do not
fit, change nothing. What can change then does; what cannot is named, in the
answer and in the log, and goes on as it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import trio

from gossipd.agent.driver import Driver
from gossipd.agent.lifecycle import Lifecycle
from gossipd.agent.log.logbook import Logbook
from gossipd.agent.seeds.retry_join import RetryJoin
from gossipd.config.agent_model import AgentConfig
from gossipd.config.changes import (
    CATALOG,
    HANDLERS,
    LIVE,
    SERVICES,
    VERIFICATION,
    changes,
    tag_changes,
)
from gossipd.config.load import Loaded
from gossipd.config.origin import Origin, placed
from gossipd.errors import ConfigError, Unavailable, UsageError
from gossipd.node.handle import ReloadReport
from gossipd.value import replace

AT_RUN_TIME = Origin("set at run time")

Reread = Callable[[], Awaitable[Loaded]]
"""Reads the same files, environment and flags again; may raise ``ConfigError``."""


class Reloadable(Protocol):
    """What of the agent's handle a reload uses."""

    async def rebase_tags(
        self,
        base: Mapping[str, str],
        go_on: Callable[[Mapping[str, str], Mapping[str, str]], None],
    ) -> None: ...
    def own_tags(self) -> dict[str, str]: ...


class Reloader:
    """Knows what the agent was configured with, and brings it to something else.

    Args:
        loaded: what it was started with.
        reread: reads the sources again; ``None`` when there are none.
        handle: sets tags.
        driver: whose node gets other timings.
        log: told what happens; its level may change.
        lifecycle: has the leave switches.
        retry_join: has the background seeds.
        set_handlers: brings other event handlers into effect, or raises ``ConfigError``;
            without it they wait for a restart.
        set_services: registers other services than before, or raises ``ConfigError``;
            without it they wait for a restart.
        set_verification: takes whether to refuse and not to send plaintext; without
            it these switches wait for a restart.
    """

    def __init__(
        self,
        loaded: Loaded,
        reread: Reread | None,
        *,
        handle: Reloadable,
        driver: Driver,
        log: Logbook,
        lifecycle: Lifecycle,
        retry_join: RetryJoin,
        set_handlers: Callable[[AgentConfig], None] | None = None,
        set_services: Callable[[AgentConfig], None] | None = None,
        set_verification: Callable[[bool, bool], None] | None = None,
    ) -> None:
        self._loaded = loaded
        self._reread = reread
        self._handle = handle
        self._driver = driver
        self._log = log
        self._lifecycle = lifecycle
        self._retry_join = retry_join
        self._set_handlers = set_handlers
        self._set_services = set_services
        self._set_verification = set_verification
        self._turn = trio.Lock()

    def running(self) -> Loaded:
        """Return what holds now, with the tags that the node has."""
        loaded, tags = self._loaded, self._handle.own_tags()
        configured = loaded.config.node.tags
        by_hand = {
            f"tags.{tag}": (AT_RUN_TIME,)
            for tag, text in tags.items()
            if configured.get(tag) != text
        }
        node = replace(loaded.config.node, tags=dict(sorted(tags.items())))
        return Loaded(replace(loaded.config, node=node), {**loaded.origins, **by_hand})

    async def reload(self) -> ReloadReport:
        """Read the sources again and apply what can change.

        Raises:
            ConfigError: they are wrong; nothing was changed.
            UsageError: there are none, or the tags do not fit; nothing was changed.
        """
        self._log.show("==> Reloading configuration...")
        try:
            if self._reread is None:
                raise UsageError("this agent was not started from files")
            async with self._turn:
                return await self._apply(await self._reread())
        except (ConfigError, UsageError) as error:
            self._log.show("==> Failed to reload configs")
            self._log.say("ERR", f"agent: configuration not reloaded: {error}")
            raise

    async def apply(self, loaded: Loaded) -> ReloadReport:
        """Apply what can change of ``loaded``, which is checked; see ``reload``."""
        async with self._turn:
            return await self._apply(loaded)

    async def _apply(self, loaded: Loaded) -> ReloadReport:
        report = ReloadReport()

        def apply_the_rest(before: Mapping[str, str], after: Mapping[str, str]) -> None:
            nonlocal report
            report = self._apply_now(loaded, before, after)

        try:
            await self._handle.rebase_tags(loaded.config.node.tags, apply_the_rest)
        except Unavailable as error:  # they are set, and go on being told
            self._log.say("WARN", f"agent: new tags: {error}")
        return report

    def _apply_now(
        self, loaded: Loaded, tags_before: Mapping[str, str], tags_after: Mapping[str, str]
    ) -> ReloadReport:
        """Apply everything but the tags, which are known to fit."""
        live = LIVE if self._set_handlers is None else (*LIVE, *HANDLERS)
        live_wire = () if self._set_verification is None else VERIFICATION
        live_catalog: tuple[str, ...] = ()
        if self._set_services is not None:
            live, live_catalog = (*live, *SERVICES), CATALOG
        before, wanted = self._loaded.config, loaded.config
        found = changes(before, wanted, live=live, live_wire=live_wire, live_catalog=live_catalog)
        config = found.config
        if self._set_services is not None:
            try:
                self._set_services(config)
            except ConfigError as error:
                raise placed(error, loaded.origins) from error
        if self._set_handlers is not None:
            self._set_handlers(config)  # the last that may refuse
        self._driver.step(self._driver.node.reconfigure, config.node.swim, config.node.serf)
        if self._set_verification is not None:
            wire = config.node.wire
            self._set_verification(wire.verify_incoming, wire.verify_outgoing)
        self._log.set_level(config.log_level)
        self._lifecycle.reconfigure(config)
        self._retry_join.reconfigure(config)
        self._loaded = Loaded(config, _origins(self._loaded, loaded, found.needs_restart))
        tags = tag_changes(before.node.tags, wanted.node.tags, tags_before, tags_after)
        report = ReloadReport(
            (*found.applied, *(f"tags.{tag}" for tag in tags.applied)),
            found.needs_restart,
            tuple(f"tags.{tag}" for tag in tags.kept),
        )
        self._tell(report, config)
        return report

    def _tell(self, report: ReloadReport, config: AgentConfig) -> None:
        names = ", ".join(report.applied) or "nothing changed"
        self._log.say("INFO", f"agent: configuration reloaded: {names}")
        if report.needs_restart:
            names = ", ".join(report.needs_restart)
            self._log.say("WARN", f"agent: changed, but only after a restart: {names}")
        if report.kept:
            names = ", ".join(report.kept)
            self._log.say("WARN", f"agent: changed at run time, kept as they are: {names}")
        for warning in config.warnings:
            self._log.say("WARN", f"agent: {warning}")


def _origins(
    before: Loaded, after: Loaded, needs_restart: Sequence[str]
) -> dict[str, tuple[Origin, ...]]:
    """Return where what runs came from: the old sources for what waits for a restart."""
    origins = dict(after.origins)
    targets = {"node_name": "name", "encrypt_key": "keys"}
    for key in needs_restart:
        target = targets.get(key, key)
        origins.pop(target, None)
        if target in before.origins:
            origins[target] = before.origins[target]
    return origins
