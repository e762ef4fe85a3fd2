"""What an instance looks like to consumers: what its owner said, and what is thought of the owner.

Pure rules. A record says how a service is; membership says whether its owner
can still be believed. Nothing certain is ever made better by this, with one
exception that ``guard.py`` decides: an instance that is *kept* although its
owner is failed shows what was last known, and says that it is doubtful.
"""

from __future__ import annotations

from operator import attrgetter
from sys import intern
from typing import cast

from gossipd.services.definition import (
    CRITICAL,
    PASSING,
    WARNING,
    CheckState,
    NodeState,
    Service,
    ServiceState,
)
from gossipd.services.instance import (
    OWNER_FAILED,
    OWNER_LEAVING,
    OWNER_SUSPECT,
    Instance,
    worst,
)
from gossipd.value import fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.catalog.item import Item
    from gossipd.catalog.owners import Standing

_visible = attrgetter(
    *(field for field in fields_of(Instance) if field not in ("version", "learned_at"))
)


def status_by_record(service: Service, state: ServiceState, node: NodeState) -> str:
    """Return how the owner itself says the service is: its checks, its node, maintenance.

    A check whose status is not known yet counts as critical.
    """
    if state.maintenance or node.maintenance:
        return CRITICAL
    statuses = state.statuses
    if len(statuses) < len(service.checks):
        return CRITICAL
    if node.checks:
        statuses = (*statuses, *(check.status for check in node.checks))
    return worst(statuses)


def status_by_standing(status: str, standing: str, *, is_kept: bool) -> str:
    """Return what ``status`` becomes by what the cluster thinks of the owner.

    A failed owner's are critical unless ``is_kept``; a leaving one's are about to be gone, so
    they are warning at best.
    """
    if standing == OWNER_FAILED and not is_kept:
        return CRITICAL
    if standing == OWNER_LEAVING and status == PASSING:
        return WARNING
    return status


def is_sound(instance: Instance | None) -> bool:
    """Return whether the instance passes and its owner is not failed: what can be lost."""
    return (
        instance is not None
        and instance.status == PASSING
        and instance.owner_status != OWNER_FAILED
    )


def checks_of(item: Item, node: NodeState) -> tuple[CheckState, ...]:
    """Return the states of a service's checks, then of its node's.

    Of checks that pass and say nothing these are the very values of the definition.
    """
    if item.service is None or not item.service.checks:
        return node.checks
    passing = cast("tuple[CheckState, ...]", item.service.checks)
    statuses, outputs = item.state.statuses, item.outputs
    own = passing
    if outputs or statuses != (PASSING,) * len(passing):
        own = tuple(
            CheckState(
                check.id,
                check.name,
                check.kind,
                statuses[place] if place < len(statuses) else CRITICAL,
                outputs[place] if place < len(outputs) else "",
            )
            for place, check in enumerate(passing)
        )
    return (*own, *node.checks) if node.checks else own


def instance_of(
    service: Service,
    item: Item,
    node: NodeState,
    standing: Standing,
    epoch: int,
    *,
    is_kept: bool,
    checks: tuple[CheckState, ...],
) -> Instance:
    """Return what consumers are told of ``item``, whose definition is ``service``."""
    state = item.state
    by_record = status_by_record(service, state, node)
    is_draining = state.is_draining or node.is_draining
    return Instance(
        owner=standing.name,
        owner_address=intern(standing.address.host),
        service=service,
        status=status_by_standing(by_record, standing.status, is_kept=is_kept),
        checks=checks,
        weight=0 if is_draining else state.weight if item.state_version else service.weight,
        load=state.load,
        zone=service.zone or node.zone,
        maintenance=state.maintenance or node.maintenance,
        is_draining=is_draining,
        owner_status=standing.status,
        suspected_at=standing.suspected_at,
        is_doubtful=is_kept or standing.status == OWNER_SUSPECT,
        epoch=epoch,
        version=item.version,
        learned_at=item.learned_at,
    )


def look_the_same(one: Instance, other: Instance) -> bool:
    """Return whether consumers see no difference, but for when and how often it was said."""
    return bool(_visible(one) == _visible(other))
