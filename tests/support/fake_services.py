"""The services half of a ``NodeHandle`` without a node: what is put in is what is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import trio

from gossipd.errors import UsageError
from gossipd.node.handle import ServiceStream
from gossipd.services.definition import (
    CheckDefinition,
    CheckState,
    NodeState,
    Service,
    ServiceState,
)
from gossipd.services.instance import (
    CHANGED,
    DOWN,
    UP,
    Instance,
    ServiceChange,
    ServiceReset,
    ServiceSummary,
    ServiceView,
)
from gossipd.services.own import OwnService, OwnServices

START = 1000 << 20


def make_instance(
    owner: str = "a",
    name: str = "web",
    service_id: str = "",
    *,
    status: str = "passing",
    **more: object,
) -> Instance:
    """Return an instance; ``more`` are fields of it, else of its service."""
    own = [key for key in more if key not in Instance.__match_args__]
    of_service = {key: more.pop(key) for key in own}
    service = Service(id=service_id or name, name=name, **of_service)  # type: ignore[arg-type]
    return Instance(
        owner=owner,
        owner_address="10.0.0.1",
        service=service,
        status=status,
        **more,  # type: ignore[arg-type]
    )


class FakeServices:
    """Keeps services as told by ``show`` and ``hide`` and by registrations.

    Attributes:
        log_max: changes remembered of each service.
        commands: what providers commanded, in order.
        refusal: raised by the next command.
        warnings: what a registration warns of.
    """

    def __init__(self, owner: str = "a") -> None:
        self.owner = owner
        self.index = START
        self.log_max = 64
        self.commands: list[tuple[object, ...]] = []
        self.refusal: UsageError | None = None
        self.warnings: tuple[str, ...] = ()
        self.own = OwnServices()
        self._views: dict[str, ServiceView] = {}
        self._logs: dict[str, list[ServiceChange]] = {}
        self._forgotten: dict[str, int] = {}
        self._summaries: tuple[ServiceSummary, ...] | None = None
        self._hooks: dict[str, dict[Callable[[], None], None]] = {}
        self._changed = trio.Event()

    # -- what tests tell it ------------------------------------------------------

    def show(self, instance: Instance) -> None:
        """Add or replace an instance."""
        name = instance.service.name
        others = [one for one in self.service(name).instances if one.key != instance.key]
        kind = CHANGED if len(others) < len(self.service(name).instances) else UP
        self._change(kind, instance, [*others, instance])

    def show_together(self, name: str, instances: Sequence[Instance]) -> None:
        """Replace all instances of a service in one change, of which no log tells."""
        self.index += 1
        ordered = tuple(sorted(instances, key=lambda one: one.key))
        self._views[name] = ServiceView(name=name, index=self.index, instances=ordered)
        self._forgotten[name] = self.index
        self._summaries = None

    def hide(self, owner: str, name: str, service_id: str = "") -> None:
        """Remove an instance."""
        key = owner, service_id or name
        instances = self.service(name).instances
        gone = next(one for one in instances if one.key == key)
        self._change(DOWN, gone, [one for one in instances if one.key != key])

    def begin_again(self, seconds: int = 1) -> None:
        """Forget the log, as a restart does; the index goes on from a later second."""
        self.index += seconds << 20
        self._logs.clear()
        for name, view in self._views.items():
            self.index += 1
            self._views[name] = ServiceView(name=name, index=self.index, instances=view.instances)
            self._forgotten[name] = self.index

    def watchers_of(self, name: str) -> int:
        """Return how many follow a service."""
        return len(self._hooks.get(name, ()))

    def _change(self, kind: str, instance: Instance, instances: list[Instance]) -> None:
        name = instance.service.name
        self.index += 1
        ordered = tuple(sorted(instances, key=lambda one: one.key))
        self._views[name] = ServiceView(name=name, index=self.index, instances=ordered)
        log = self._logs.setdefault(name, [])
        log.append(ServiceChange(index=self.index, kind=kind, instance=instance))
        while len(log) > self.log_max:
            self._forgotten[name] = log.pop(0).index
        self._summaries = None
        self._changed.set()
        self._changed = trio.Event()
        for wake in list(self._hooks.get(name, ())):
            wake()

    # -- consumers ---------------------------------------------------------------

    def service(self, name: str) -> ServiceView:
        view = self._views.get(name)
        if view is None:
            view = self._views[name] = ServiceView(name=name, index=0)
        return view

    def services(self) -> tuple[ServiceSummary, ...]:
        if self._summaries is None:
            self._summaries = tuple(
                _summary(view) for _, view in sorted(self._views.items()) if view.instances
            )
        return self._summaries

    def services_of(self, node: str) -> tuple[Instance, ...]:
        found = [one for view in self._views.values() for one in view.instances]
        return tuple(one for one in found if one.owner == node)

    def service_changes(self, name: str, index: int) -> tuple[ServiceChange, ...] | None:
        if index < self._forgotten.get(name, 0):
            return None
        return tuple(one for one in self._logs.get(name, ()) if one.index > index)

    def on_service_change(self, name: str, wake: Callable[[], None]) -> Callable[[], None]:
        hooks = self._hooks.setdefault(name, {})
        hooks[wake] = None
        return lambda: hooks.pop(wake)

    async def wait_for_services(self, index: int) -> int:
        while self.index <= index:
            await self._changed.wait()
        return self.index

    @asynccontextmanager
    async def watch_service(self, name: str, index: int = 0) -> AsyncIterator[ServiceStream]:
        async def follow() -> AsyncIterator[ServiceReset | ServiceChange]:
            told = index
            if not index:
                yield ServiceReset(view=self.service(name))
                told = self.service(name).index
            while True:
                changed = self._changed
                for change in self.service_changes(name, told) or ():
                    told = change.index
                    yield change
                await changed.wait()

        yield follow()

    # -- providers ---------------------------------------------------------------

    def own_services(self) -> OwnServices:
        return self.own

    def register_service(self, service: Service, source: str) -> tuple[str, ...]:
        self._commanded("register", service, source)
        statuses = tuple(check.status for check in service.checks)
        checks = tuple(
            CheckState(check.id, check.name, check.kind, check.status) for check in service.checks
        )
        others = [one for one in self.own.services if one.service.id != service.id]
        one = OwnService(
            service=service, state=ServiceState(statuses=statuses), checks=checks, source=source
        )
        self._keep([*others, one])
        self.show(make_instance_of(self.owner, service))
        return self.warnings

    def deregister_service(self, service: str) -> None:
        self._commanded("deregister", service)
        name = self._find(service).service.name
        self._keep([one for one in self.own.services if one.service.id != service])
        self.hide(self.owner, name, service)

    def register_check(self, check: CheckDefinition, service: str = "") -> None:
        self._commanded("register-check", check, service)

    def deregister_check(self, check: str) -> None:
        self._commanded("deregister-check", check)

    def report_check(
        self, check: str, status: str, output: str = "", load: float | None = None
    ) -> None:
        self._commanded("report", check, status, output, load)

    def report_load(self, service: str, load: float) -> None:
        self._commanded("load", service, load)

    def set_maintenance(self, service: str, reason: str | None) -> None:
        self._commanded("maintenance", service, reason)

    def drain(self, service: str, seconds: float) -> None:
        self._commanded("drain", service, seconds)

    def _commanded(self, *command: object) -> None:
        self.commands.append(command)
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            raise refusal

    def _find(self, service: str) -> OwnService:
        for one in self.own.services:
            if one.service.id == service:
                return one
        raise UsageError(f"this node registers no service {service!r}")

    def _keep(self, services: list[OwnService]) -> None:
        ordered = tuple(sorted(services, key=lambda one: one.service.id))
        self.own = OwnServices(node=NodeState(), services=ordered)


def make_instance_of(owner: str, service: Service) -> Instance:
    """Return an instance of ``service`` that passes."""
    return Instance(owner=owner, owner_address="10.0.0.1", service=service, status="passing")


def _summary(view: ServiceView) -> ServiceSummary:
    statuses = [one.status for one in view.instances]
    return ServiceSummary(
        name=view.name,
        index=view.index,
        passing=statuses.count("passing"),
        warning=statuses.count("warning"),
        critical=statuses.count("critical"),
        doubtful=sum(one.is_doubtful for one in view.instances),
        tags=tuple(sorted({tag for one in view.instances for tag in one.service.tags})),
        needs=tuple(sorted({name for one in view.instances for name in one.service.needs})),
    )
