"""``ServiceFace``: what the faces may ask of an agent, and command it, about services.

A base of ``AgentHandle`` and nothing else: the methods are the handle's, but there
are too many of them for one file. What is only needed where services are followed
is loaded with the first follower.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from gossipd.agent.driver import Driver
from gossipd.agent.parts import Parts

if TYPE_CHECKING:
    from gossipd.agent.service_wakes import ServiceWakes
    from gossipd.node.handle import ServiceStream
    from gossipd.services.definition import CheckDefinition, Service
    from gossipd.services.instance import Instance, ServiceChange, ServiceSummary, ServiceView
    from gossipd.services.own import OwnServices


class ServiceFace:
    """The part of ``NodeHandle`` that is about services."""

    _parts: Parts
    _driver: Driver

    # -- what consumers ask -----------------------------------------------------

    def service(self, name: str) -> ServiceView:
        """Return all instances of one service; the same object until one of them changes."""
        return self._driver.node.service(name)

    def services(self) -> tuple[ServiceSummary, ...]:
        """Return a line for each known service by name; the same object until one changes."""
        return self._driver.node.services()

    def services_of(self, node: str) -> tuple[Instance, ...]:
        """Return the instances that ``node`` registered, sorted by id."""
        return self._driver.node.services_of(node)

    def service_changes(self, name: str, index: int) -> tuple[ServiceChange, ...] | None:
        """Return the changes of a service after ``index``, ``None`` if too old."""
        return self._driver.node.service_changes(name, index)

    def on_service_change(self, name: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` after each change of a service; see ``NodeHandle``."""
        return self._wakes().on_change(name, wake)

    @asynccontextmanager
    async def watch_service(self, name: str, index: int = 0) -> AsyncIterator[ServiceStream]:
        """Follow one service; see ``NodeHandle.watch_service``. It ends with the agent."""
        from gossipd.agent.service_wakes import ServiceReader

        reader = ServiceReader(self._driver.node, self._wakes(), name, index)
        try:
            yield reader
        finally:
            reader.close()

    async def wait_for_services(self, index: int) -> int:
        """Return the newest index once it is above ``index``; any service counts."""
        node = self._driver.node
        while node.service_index <= index:
            await self._wakes().wait()
        return node.service_index

    def _wakes(self) -> ServiceWakes:
        wakes = self._parts.service_wakes
        if wakes is None:
            from gossipd.agent.service_wakes import ServiceWakes

            wakes = self._parts.service_wakes = ServiceWakes()
            self._driver.wake = wakes.take
            self._parts.run_beside(self._expect_services)
        return wakes

    async def _expect_services(self) -> None:
        """Make ready for the first change, between what else there is to do."""
        from gossipd.agent.services.expecting import steps_before_services

        driver = self._driver
        for _ in steps_before_services(lambda: driver.step(driver.node.expect_services)):
            await trio.lowlevel.checkpoint()

    # -- what providers command -------------------------------------------------

    def own_services(self) -> OwnServices:
        """Return what this node registers."""
        return self._driver.node.own_services()

    def register_service(self, service: Service, source: str) -> tuple[str, ...]:
        """Register ``service``, or replace the one of its id; see ``NodeHandle``."""
        return self._driver.step(self._driver.node.register_service, service, source)

    def deregister_service(self, service: str) -> None:
        """Take back the service of that id; see ``NodeHandle``."""
        self._driver.step(self._driver.node.deregister_service, service)

    def register_check(self, check: CheckDefinition, service: str = "") -> None:
        """Add a check to a service, or to the node itself; see ``NodeHandle``."""
        self._driver.step(self._driver.node.register_check, check, service)

    def deregister_check(self, check: str) -> None:
        """Take a check back; see ``NodeHandle``."""
        self._driver.step(self._driver.node.deregister_check, check)

    def report_check(
        self, check: str, status: str, output: str = "", load: float | None = None
    ) -> None:
        """Take the word of a provider for its check; see ``NodeHandle``."""
        self._driver.step(self._driver.node.report_check, check, status, output, load)

    def report_load(self, service: str, load: float) -> None:
        """Take in how busy a service is; see ``NodeHandle``."""
        self._driver.step(self._driver.node.report_load, service, load)

    def set_maintenance(self, service: str, reason: str | None) -> None:
        """Take a service or the whole node out of ``passing``; see ``NodeHandle``."""
        self._driver.step(self._driver.node.set_maintenance, service, reason)

    def drain(self, service: str, seconds: float) -> None:
        """Give consumers time to turn away; see ``NodeHandle``."""
        self._driver.step(self._driver.node.drain, service, seconds)
