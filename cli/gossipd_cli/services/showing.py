"""Services and instances as text and as JSON."""

from __future__ import annotations

import time

from gossipd.services.instance import OWNER_ALIVE, OWNER_SUSPECT
from gossipd_cli.render import printable, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from gossipd.services.definition import CheckState
    from gossipd.services.instance import Instance, ServiceChange, ServiceSummary, ServiceView

OUTPUT_SHOWN = 60
"""Characters of a check's output in a table."""


def summary_table(summaries: Sequence[ServiceSummary]) -> str:
    """Return a line for each service: name, how many of which status, tags, needs."""
    rows = []
    for one in summaries:
        counts = [
            f"{number} {what}"
            for number, what in (
                (one.passing, "passing"),
                (one.warning, "warning"),
                (one.critical, "critical"),
                (one.doubtful, "doubtful"),
            )
            if number or what == "passing"
        ]
        if one.is_guarded:
            counts.append("guarded")
        needs = f"needs {','.join(one.needs)}" if one.needs else ""
        texts = printable(",".join(one.tags)), printable(needs)
        rows.append([printable(one.name), ", ".join(counts), *texts])
    return table(rows)


def summary_json(one: ServiceSummary) -> dict[str, Any]:
    """Return a service's line as JSON shows it."""
    return {
        "name": one.name,
        "passing": one.passing,
        "warning": one.warning,
        "critical": one.critical,
        "doubtful": one.doubtful,
        "total": one.total,
        "tags": list(one.tags),
        "needs": list(one.needs),
        "guarded": one.is_guarded,
        "index": one.index,
    }


def instance_table(instances: Sequence[Instance], now: float | None = None) -> str:
    """Return a line for each instance: node, id, where, status, weight, age, tags, why."""
    at = time.monotonic() if now is None else now
    return table([instance_row(instance, at) for instance in instances])


def instance_row(instance: Instance, now: float) -> list[str]:
    """Return the columns of one instance; ``now`` on the clock of its times."""
    return [
        printable(instance.owner),
        printable(instance.service.id),
        printable(endpoint_of(instance)),
        instance.status,
        f"weight {instance.weight}",
        f"{age_text(now - instance.learned_at)} ago",
        printable(",".join(instance.service.tags)),
        remarks(instance, now),
    ]


def endpoint_of(instance: Instance) -> str:
    """Return where it answers, as ``address:port``; without a port the address."""
    address, port = instance.address, instance.service.port
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{port}" if port else host


def remarks(instance: Instance, now: float) -> str:
    """Return in words why an instance is as it is; empty if there is nothing to say."""
    words = []
    if instance.owner_status == OWNER_SUSPECT and instance.suspected_at is not None:
        words.append(f"node suspected for {now - instance.suspected_at:.1f} s")
    elif instance.owner_status != OWNER_ALIVE:
        words.append(f"node {instance.owner_status}")
    if instance.is_doubtful:
        words.append("doubtful")
    if instance.is_draining:
        words.append("draining")
    elif instance.maintenance:
        words.append(f"maintenance: {instance.maintenance}")
    if instance.load is not None:
        words.append(f"load {instance.load:g}")
    words += [_check_words(check) for check in instance.checks if check.status != "passing"]
    return printable("; ".join(words))


def _check_words(check: CheckState) -> str:
    first = check.output.strip().partition("\n")[0]
    shown = first if len(first) <= OUTPUT_SHOWN else first[: OUTPUT_SHOWN - 3] + "..."
    return f"{check.name or check.id} {check.status}" + (f" ({shown})" if shown else "")


def age_text(seconds: float) -> str:
    """Return a duration as one number with its unit: ``3s``, ``5m``, ``2h``, ``4d``."""
    whole = max(0, int(seconds))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole >= 2 * size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def instance_json(instance: Instance, now: float | None = None) -> dict[str, Any]:
    """Return an instance as JSON shows it; times become ages."""
    at = time.monotonic() if now is None else now
    service = instance.service
    shown: dict[str, Any] = {
        "node": instance.owner,
        "id": service.id,
        "name": service.name,
        "status": instance.status,
        "address": instance.address,
        "port": service.port,
        "tagged_addresses": {
            label: {"address": address, "port": port}
            for label, (address, port) in sorted(service.tagged_addresses.items())
        },
        "weight": instance.weight,
        "load": instance.load,
        "tags": list(service.tags),
        "meta": dict(sorted(service.meta.items())),
        "zone": instance.zone,
        "needs": list(service.needs),
        "checks": [check_json(check) for check in instance.checks],
        "maintenance": instance.maintenance,
        "draining": instance.is_draining,
        "doubtful": instance.is_doubtful,
        "node_status": instance.owner_status,
        "node_address": instance.owner_address,
        "epoch": instance.epoch,
        "version": instance.version,
        "age_seconds": round(max(0.0, at - instance.learned_at), 3),
    }
    if instance.suspected_at is not None:
        shown["suspected_for_seconds"] = round(max(0.0, at - instance.suspected_at), 3)
    return shown


def check_json(check: CheckState) -> dict[str, Any]:
    """Return the state of a check as JSON shows it."""
    return {
        "id": check.id,
        "name": check.name,
        "kind": check.kind,
        "status": check.status,
        "output": check.output,
    }


def view_json(view: ServiceView) -> dict[str, Any]:
    """Return a service with its instances as JSON shows it."""
    return {
        "name": view.name,
        "index": view.index,
        "guarded": view.is_guarded,
        "instances": [instance_json(instance) for instance in view.instances],
    }


def change_json(change: ServiceChange) -> dict[str, Any]:
    """Return a change as JSON shows it."""
    return {
        "kind": change.kind,
        "index": change.index,
        "instance": instance_json(change.instance),
    }
