"""Changes of services in words: what came, went, and turned, and why.

An event says only that something of a service changed. Here its instances before and
after are compared, and what changed alike (all that a failed node had) is told together.
Pure. Loads and doubts change all the time and are not told: the suspicion of the node is.
"""

from __future__ import annotations

from collections.abc import Sequence

from gossipd.rest.happening.words import (
    BAD,
    GOOD,
    INFO,
    SERVICE_CHANGED,
    SERVICE_DOWN,
    SERVICE_UP,
    WARN,
    Told,
    clipped,
)
from gossipd.services.definition import CRITICAL, PASSING, WARNING
from gossipd.services.instance import OWNER_FAILED, OWNER_LEAVING, Instance

NAMED_MAX = 20
"""Instances named in one line; the rest are counted."""
_LEVELS = {PASSING: GOOD, WARNING: WARN, CRITICAL: BAD}


def tell_services(
    name: str, before: Sequence[Instance], after: Sequence[Instance]
) -> tuple[Told, ...]:
    """Return what happened to the instances of a service, one line for all that is alike."""
    if before is after:
        return ()
    known = {instance.key: instance for instance in before}
    groups: dict[tuple[str, str, str, str], list[Instance]] = {}
    for instance in after:
        was = known.pop(instance.key, None)
        if was is instance:
            continue
        words = _came(instance) if was is None else _turned(was, instance)
        if words is not None:
            groups.setdefault(words, []).append(instance)
    for instance in known.values():
        groups.setdefault((SERVICE_DOWN, WARN, "is gone", _why_gone(instance)), []).append(instance)
    return tuple(_told(name, words, instances) for words, instances in groups.items())


def _told(name: str, words: tuple[str, str, str, str], instances: Sequence[Instance]) -> Told:
    kind, level, what, why = words
    owners = {instance.owner for instance in instances}
    one = instances[0]
    if len(instances) == 1:
        subject = f"{name} on {one.owner}"
        if one.service.id != name:
            subject = f"{name} ({one.service.id}) on {one.owner}"
    else:
        where = f" on {one.owner}" if len(owners) == 1 else f" on {len(owners)} nodes"
        subject = f"{len(instances)} instances of {name}{where}"
        what = what.replace("is ", "are ", 1) if what.startswith("is ") else what
    detail: dict[str, object] = {
        "count": len(instances),
        "instances": [
            {"node": each.owner, "id": each.service.id, "status": each.status}
            for each in instances[:NAMED_MAX]
        ],
    }
    return Told(
        kind=kind,
        level=level,
        node=one.owner if len(owners) == 1 else "",
        service=name,
        text=f"{subject} {what}",
        why=why,
        detail=detail,
    )


def _came(instance: Instance) -> tuple[str, str, str, str]:
    level = GOOD if instance.status == PASSING else INFO
    return SERVICE_UP, level, f"is registered, {instance.status}", ""


def _why_gone(instance: Instance) -> str:
    if instance.owner_status in (OWNER_LEAVING, OWNER_FAILED):
        return f"{instance.owner} is {instance.owner_status}"
    return "it was draining" if instance.is_draining else "it was deregistered, or its node left"


def _turned(was: Instance, now: Instance) -> tuple[str, str, str, str] | None:
    """Return what an operator sees of a change, if anything."""
    if was.status != now.status:
        level = _LEVELS.get(now.status, WARN)
        return SERVICE_CHANGED, level, f"is {now.status}, was {was.status}", _why(was, now)
    if was.maintenance != now.maintenance:
        what = "is in maintenance" if now.maintenance else "is back from maintenance"
        return SERVICE_CHANGED, WARN, what, clipped(now.maintenance)
    if was.is_draining != now.is_draining:
        what = "is draining" if now.is_draining else "is not draining any more"
        return SERVICE_CHANGED, WARN, what, ""
    if was.service != now.service:
        return SERVICE_CHANGED, INFO, "is defined anew", _differences(was, now)
    if was.weight != now.weight and now.load is None:
        return SERVICE_CHANGED, INFO, "is weighted anew", f"{now.weight}, was {was.weight}"
    return None


def _why(was: Instance, now: Instance) -> str:
    """Return why the status of an instance is another now."""
    if now.status == PASSING:
        if was.owner_status == OWNER_FAILED:
            return f"{now.owner} is back"
        if was.maintenance:
            return "maintenance is over"
        return "all its checks pass"
    if now.owner_status == OWNER_FAILED and was.owner_status != OWNER_FAILED:
        return f"{now.owner} failed"
    if now.maintenance and not was.maintenance:
        return f"in maintenance: {clipped(now.maintenance)}"
    if now.is_draining and now.weight == 0:
        return "it is draining"
    for check in now.checks:
        if check.status == now.status:
            said = f": {clipped(check.output)}" if check.output else ""
            return f"check {check.name or check.id} is {check.status}{said}"
    return ""


def _differences(was: Instance, now: Instance) -> str:
    before, after = was.service, now.service
    names = ("address", "port", "tags", "meta", "weight", "zone", "needs", "checks")
    changed = [name for name in names if getattr(before, name) != getattr(after, name)]
    return f"changed: {', '.join(changed)}" if changed else ""
