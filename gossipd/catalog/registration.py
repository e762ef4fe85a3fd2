"""What this node registers, while it runs: one service, and the node itself.

Knows what is to be said of it; says nothing itself (``telling.py``)
and decides nothing (``provider.py``).
"""

from __future__ import annotations

from gossipd.catalog.checks import Check, cut_output
from gossipd.catalog.drains import Drain
from gossipd.catalog.loads import LoadMeter, weight_under
from gossipd.services.definition import (
    CRITICAL,
    WARNING,
    CheckState,
    NodeState,
    Service,
    ServiceState,
)
from gossipd.services.instance import worst
from gossipd.services.own import OwnService
from gossipd.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gossipd.timers import Handle

NODE_OUTPUT_BYTES_MAX = 2048
"""Of what a check of the node says: all of them travel together."""


class Registration:
    """One service of this node.

    Args:
        service: its definition.
        source: who registered it, one of ``services.own``.
        checks: of it, in the order of the definition.
    """

    __slots__ = (
        "checks",
        "drain",
        "drain_timer",
        "is_load_armed",
        "is_output_armed",
        "maintenance",
        "meter",
        "outputs_told_at",
        "service",
        "source",
        "told_outputs",
        "told_state",
    )

    def __init__(self, service: Service, source: str, checks: list[Check]) -> None:
        self.service = service
        self.source = source
        self.checks = checks
        self.maintenance = ""
        """Why an operator took it out."""
        self.drain: Drain | None = None
        self.drain_timer: Handle[Any] | None = None
        self.meter: LoadMeter | None = None
        self.told_state: ServiceState | None = None
        """What others know; ``None`` until the first telling."""
        self.told_outputs: tuple[str, ...] = ()
        self.outputs_told_at = float("-inf")
        self.is_output_armed = self.is_load_armed = False

    @property
    def id(self) -> str:
        """Of the service."""
        return self.service.id

    @property
    def reason_out(self) -> str:
        """Why it takes no part, by an operator or by its drain; empty is that it does."""
        return self.maintenance or ("" if self.drain is None else self.drain.maintenance)

    def state(self) -> ServiceState:
        """Return what is to be told of it."""
        statuses = tuple(check.status for check in self.checks)
        service = self.service
        weight = service.warning_weight if worst(statuses) == WARNING else service.weight
        load = None if self.meter is None else self.meter.told
        return ServiceState(
            statuses=statuses,
            weight=0 if self.drain is not None else weight_under(load, weight),
            load=load,
            maintenance=self.reason_out,
            is_draining=self.drain is not None,
        )

    def outputs(self) -> tuple[str, ...]:
        """Return what its checks printed; empty if none did."""
        outputs = tuple(check.output for check in self.checks)
        return outputs if any(outputs) else ()

    def own_service(self) -> OwnService:
        """Return it as its operator sees it."""
        return OwnService(
            service=self.service,
            state=self.state(),
            checks=tuple(check.state for check in self.checks),
            source=self.source,
        )


def sharing(service: Service, told: Service) -> Service:
    """Return an equal definition whose parts are those of ``told``: what others hold of it.

    Each text, tuple and map would be there twice, as it was read and as it was told.
    """
    checks = tuple(
        replace(check, id=other.id, name=other.name)
        for check, other in zip(service.checks, told.checks, strict=True)
    )
    shared = replace(told, checks=checks)
    return shared if shared == service else service


class OwnNode:
    """What this node says of itself, for all of its services.

    Args:
        zone: where it is.
    """

    __slots__ = (
        "checks",
        "drain",
        "drain_timer",
        "is_output_armed",
        "maintenance",
        "told",
        "told_at",
        "zone",
    )

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self.maintenance = ""
        self.drain: Drain | None = None
        self.drain_timer: Handle[Any] | None = None
        self.checks: list[Check] = []
        self.told = NodeState()
        """What others know."""
        self.told_at = float("-inf")
        self.is_output_armed = False

    def state(self) -> NodeState:
        """Return what is to be told."""
        drained = "" if self.drain is None else self.drain.maintenance
        return NodeState(
            zone=self.zone,
            maintenance=self.maintenance or drained,
            is_draining=self.drain is not None,
            checks=tuple(_shortened(check.state) for check in self.checks),
        )


def _shortened(state: CheckState) -> CheckState:
    output = cut_output(state.output, NODE_OUTPUT_BYTES_MAX)
    return CheckState(state.id, state.name, state.kind, state.status, output)


def state_before_any(service: Service) -> ServiceState:
    """Return how a service is taken to be whose state nobody has told."""
    statuses = (CRITICAL,) * len(service.checks)
    return ServiceState(statuses=statuses, weight=service.weight)


def without_outputs(state: NodeState) -> NodeState:
    """Return ``state`` but for what its checks printed, to see whether anything else changed."""
    silent = tuple(CheckState(c.id, c.name, c.kind, c.status) for c in state.checks)
    return replace(state, checks=silent)
