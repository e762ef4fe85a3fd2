"""A ``FakeHandle`` whose services are those of a real node, on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from gossipd.address import Address
from gossipd.config.model import CatalogConfig, NodeConfig
from gossipd.node.events import NodeEvent
from gossipd.node.node import Node
from gossipd.node.statistics import Statistics
from gossipd.node.view import View
from gossipd.services.definition import CheckDefinition, Service
from gossipd.services.instance import Instance, ServiceSummary, ServiceView
from gossipd.services.own import OwnServices
from support.fake_handle import FakeHandle


class CoreHandle(FakeHandle):
    """One node called ``alder`` that nobody joined; ``at`` moves its time."""

    def __init__(self, catalog: CatalogConfig | None = None) -> None:
        super().__init__()
        config = NodeConfig(name="alder", catalog=catalog or CatalogConfig())
        self.clock = 100.0
        self.node = Node(config, Address(b"\x7f\0\0\x01", 7946), Random(1), Random(2).randbytes)
        self._do(self.node.start)

    def _do(self, verb: Callable[..., object], *args: object, **named: object) -> None:
        verb(*args, self.clock, **named)
        self._publish()

    def _publish(self) -> None:
        self.node.take_effects()
        for event in self.node.take_events():
            self.happen(event)

    def at(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        until = self.clock + seconds
        while (deadline := self.node.next_deadline()) is not None and deadline <= until:
            self.clock = max(self.clock, deadline)
            self._do(self.node.handle_deadline)
        self.clock = until

    def heard(self) -> list[NodeEvent]:
        """Return a list to which all that happens from now on is added."""
        events: list[NodeEvent] = []
        self.observe(lambda event, _now: events.append(event))
        return events

    def statistics(self) -> Statistics:
        return self.node.statistics()

    def view(self) -> View:
        return self.node.view()

    async def send_event(
        self,
        name: str,
        payload: bytes | None,
        *,
        may_coalesce: bool = False,
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.calls.append(("event", name, payload, may_coalesce, tuple(nodes), dict(tags or {})))
        self._do(
            lambda now: self.node.send_event(
                name, payload, now, may_coalesce=may_coalesce, nodes=nodes, tags=tags
            )
        )

    def service(self, name: str) -> ServiceView:
        return self.node.service(name)

    def services(self) -> tuple[ServiceSummary, ...]:
        return self.node.services()

    def services_of(self, node: str) -> tuple[Instance, ...]:
        return self.node.services_of(node)

    def own_services(self) -> OwnServices:
        return self.node.own_services()

    def register_service(self, service: Service, source: str) -> tuple[str, ...]:
        warnings = self.node.register_service(service, source, self.clock)
        self._publish()
        return warnings

    def deregister_service(self, service: str) -> None:
        self._do(self.node.deregister_service, service)

    def register_check(self, check: CheckDefinition, service: str = "") -> None:
        self._do(self.node.register_check, check, service)

    def deregister_check(self, check: str) -> None:
        self._do(self.node.deregister_check, check)

    def report_check(
        self, check: str, status: str, output: str = "", load: float | None = None
    ) -> None:
        self._do(self.node.report_check, check, status, output, load)

    def report_load(self, service: str, load: float) -> None:
        self._do(self.node.report_load, service, load)

    def set_maintenance(self, service: str, reason: str | None) -> None:
        self._do(self.node.set_maintenance, service, reason)

    def drain(self, service: str, seconds: float) -> None:
        self._do(self.node.drain, service, seconds)
