"""``Registrar``: brings to the node the services of files, of the last run, and of checks.

Made only by a daemon that has services: of its configuration, of the last run, or
from the moment when a client registers one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import trio

from gossipd.agent.checks.runner import CheckRunner, Runs, Tally
from gossipd.catalog.effects import StartCheck, StopCheck
from gossipd.errors import ConfigError, GossipdError, UsageError
from gossipd.services.own import FROM_CLIENT, FROM_CONFIG, OwnServices
from gossipd.value import replace

if TYPE_CHECKING:
    from random import Random

    from gossipd.agent.checks.result import Result
    from gossipd.agent.services.keeper import ServicesKeeper
    from gossipd.services.definition import Service


REFUSALS_MAX = 3
"""Services whose refusal is told at once: one may be refused because of another one."""
SHOWN_MAX = 20
"""Services that are named in one line of the log."""


class ServiceNode(Protocol):
    """What of the node is used here; kept by ``gossipd.node.node.Node``."""

    def register_service(self, service: Service, source: str, now: float) -> tuple[str, ...]: ...
    def deregister_service(self, service: str, now: float) -> None: ...
    def check_result(
        self, check: str, status: str, output: str, load: float | None, now: float
    ) -> None: ...
    def restore_services(self, own: OwnServices, now: float) -> None: ...
    def own_services(self) -> OwnServices: ...


Step = Callable[..., object]
"""``Driver.step``: runs a call of the node with the time as its last argument."""


class Registrar:
    """The services of one agent.

    Args:
        node: told what is registered and what checks found.
        step: how its calls are run.
        runs_max: checks that run at a time.
        random: for jitter.
        say: writes a line to the log: level and text.
        tally: where runs of checks are counted.
        path: where registered services are kept; empty is nowhere.
        socket: of the daemon, told to scripts; empty if there is none.
    """

    def __init__(
        self,
        node: ServiceNode,
        step: Step,
        runs_max: int,
        *,
        random: Random,
        say: Callable[[str, str], None],
        tally: Tally,
        path: str = "",
        socket: str = "",
    ) -> None:
        self._node = node
        self._step = step
        self._say = say
        self._configured: dict[str, Service] = {}
        runs = Runs({b"GOSSIPD_SOCKET": os.fsencode(socket)} if socket else {})
        self.checks = CheckRunner(
            self._report,
            runs_max=runs_max,
            random=random,
            say=say,
            tally=tally,
            run=runs.run,
        )
        self._keeper = self._made_keeper(path) if path else None

    def _made_keeper(self, path: str) -> ServicesKeeper:
        from gossipd.agent.services.keeper import ServicesKeeper  # only where they are kept

        return ServicesKeeper(path, self._node.own_services, self._say)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run checks and keep what is registered; for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.checks.run)
            if self._keeper is not None:
                nursery.start_soon(self._keeper.run)
            task_status.started()

    async def finish(self) -> None:
        """Keep what is not kept yet."""
        if self._keeper is not None:
            await self._keeper.finish()

    # -- what the node tells ----------------------------------------------------

    def take_effect(self, effect: StartCheck | StopCheck) -> None:
        """Begin or end to run a check; must not block."""
        if isinstance(effect, StartCheck):
            self.checks.start(effect.check, effect.service)
        else:
            self.checks.stop(effect.check)

    def own_services_changed(self) -> None:
        """Keep what is registered now, soon."""
        if self._keeper is not None:
            self._keeper.changed()

    def _report(self, check: str, result: Result) -> None:
        self._step(self._node.check_result, check, result.status, result.output, result.load)

    # -- files ------------------------------------------------------------------

    def begin(self, saved: OwnServices | None, services: Sequence[Service]) -> None:
        """Register what the configuration says, and what the last run had of clients.

        A service that a client registered and the configuration has now is the latter's: a
        daemon that does not start over it could not be told to forget it either.

        Raises:
            ConfigError: the node cannot register one of the configuration.
        """
        if saved is None:
            self.configure(services)
            return
        ids = {service.id for service in services}
        clients, rest = [], []
        for own in saved.services:
            if own.source != FROM_CLIENT:
                rest.append(own)
            elif own.service.id not in ids:
                clients.append(own)
            else:
                rest.append(replace(own, source=FROM_CONFIG))
                text = f"service '{own.service.id}' of a client is the configuration's now"
                self._say("WARN", f"agent: {text}")
        self._step(self._node.restore_services, replace(saved, services=tuple(rest)))
        try:
            self.configure(services)
        except ConfigError:
            self._step(self._node.restore_services, saved)  # they are kept for the next start
            raise
        before = len(self._node.own_services().services)
        self._step(self._node.restore_services, OwnServices(services=tuple(clients)))
        kept = len(self._node.own_services().services) - before
        if kept:
            self._say("INFO", f"agent: restored services of the last run: {kept}")

    def configure(self, services: Sequence[Service]) -> None:
        """Have registered what the configuration says now, instead of what it said before.

        Args:
            services: all of them; what ended by itself comes back.

        Raises:
            ConfigError: the node cannot register one; all is as it was.
        """
        wanted = {service.id: service for service in services}
        self._deregister([key for key in self._configured if key not in wanted])
        refused = self._register_all(services)
        if refused:
            self._put_back(wanted)
            text = "; ".join(_told(service, error) for service, error in refused[:REFUSALS_MAX])
            raise ConfigError(text, key=f"service.{refused[0][0].id}")
        self._tell(self._configured, wanted)
        self._configured = wanted

    def _tell(self, before: Mapping[str, Service], after: Mapping[str, Service]) -> None:
        """Say what the files changed, by id."""
        for what, keys in (
            ("registered", [key for key in after if key not in before]),
            ("replaced", [key for key in after if before.get(key, after[key]) != after[key]]),
            ("taken back", [key for key in before if key not in after]),
        ):
            if keys:
                more = f" and {len(keys) - SHOWN_MAX} more" if len(keys) > SHOWN_MAX else ""
                names = ", ".join(keys[:SHOWN_MAX])
                self._say("INFO", f"agent: services of the configuration {what}: {names}{more}")

    def _register_all(self, services: Sequence[Service]) -> list[tuple[Service, GossipdError]]:
        """Register ``services``; return those that are refused, whatever is registered before.

        One may need an id of a check that another one gives up only now.
        """
        waiting = list(services)
        while waiting:
            refused: list[tuple[Service, GossipdError]] = []
            for service in waiting:
                try:
                    self._register(service)
                except GossipdError as error:
                    refused.append((service, error))
            if len(refused) == len(waiting):
                return refused
            waiting = [service for service, _ in refused]
        return []

    def _register(self, service: Service) -> None:
        warnings = self._step(self._node.register_service, service, FROM_CONFIG)
        assert isinstance(warnings, tuple)
        if self._configured.get(service.id) != service:
            for warning in warnings:
                self._say("WARN", f"agent: service '{service.id}': {warning}")

    def _put_back(self, tried: Mapping[str, Service]) -> None:
        """Register what was configured before, instead of what was ``tried``."""
        self._deregister([key for key in tried if key not in self._configured])
        for service, error in self._register_all(tuple(self._configured.values())):
            self._say("ERR", f"agent: service '{service.id}' is lost: {error}")

    def _deregister(self, keys: Sequence[str]) -> None:
        """Take back those of ``keys`` that are the configuration's.

        Others ended by themselves, or their ids are somebody else's by now.
        """
        owned = self._node.own_services().services if keys else ()
        sources = {own.service.id: own.source for own in owned}
        for key in keys:
            if sources.get(key) != FROM_CONFIG:
                continue
            try:
                self._step(self._node.deregister_service, key)
            except UsageError as error:
                self._say("WARN", f"agent: service '{key}': {error}")


def _told(service: Service, error: GossipdError) -> str:
    named = f"service {service.id!r}"
    return str(error) if str(error).startswith(named) else f"{named}: {error}"
