"""What a node registers, as tables and back: for ``own-services`` and the file of ``data_dir``."""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.errors import UsageError
from gossipd.services.definition import (
    OUTPUT_BYTES_MAX,
    STATUSES,
    WEIGHT_MAX,
    CheckState,
    NodeState,
    ServiceState,
)
from gossipd.services.own import FROM_CLIENT, FROM_CONFIG, FROM_CONNECTION, OwnService, OwnServices
from gossipd.services.reading import read_service
from gossipd.services.table import Table, shown
from gossipd.services.writing import write_service

SERVICES_MAX = 65_536
SOURCES = (FROM_CONFIG, FROM_CLIENT, FROM_CONNECTION)
REASON_MAX = 1024


def write_own_services(own: OwnServices) -> dict[str, object]:
    """Return the table of all that a node registers."""
    return {
        "node": write_node_state(own.node),
        "services": [
            {
                "service": write_service(one.service),
                "state": write_service_state(one.state),
                "checks": [write_check_state(check) for check in one.checks],
                "source": one.source,
            }
            for one in own.services
        ],
    }


def read_own_services(fields: object) -> OwnServices:
    """Return what ``write_own_services`` wrote.

    Raises:
        UsageError: it is not that; the text begins with the field's path.
    """
    table = Table(fields, "")
    node = read_node_state(table.raw("node") or {}, "node")
    services = []
    for index, item in enumerate(_list(table, "services", SERVICES_MAX)):
        at = f"services[{index}]"
        one = Table(item, at)
        definition = one.raw("service")
        if not isinstance(definition, Mapping):
            raise one.refuse("service", f"{shown(definition)} is not a table of fields")
        try:
            service = read_service(definition)
        except UsageError as error:
            raise UsageError(f"{at}.service.{error}") from None
        source = one.text("source", FROM_CLIENT)
        if source not in SOURCES:
            raise one.refuse("source", f"{shown(source)} is not one of {', '.join(SOURCES)}")
        services.append(
            OwnService(
                service=service,
                state=read_service_state(one.raw("state") or {}, f"{at}.state"),
                checks=_check_states(one, "checks"),
                source=source,
            )
        )
    return OwnServices(node=node, services=tuple(services))


def write_check_state(check: CheckState) -> dict[str, object]:
    """Return the table of what is known of a check."""
    return {
        "id": check.id,
        "name": check.name,
        "kind": check.kind,
        "status": check.status,
        "output": check.output,
    }


def read_check_state(fields: object, path: str) -> CheckState:
    """Return what ``write_check_state`` wrote.

    Raises:
        UsageError: it is not that.
    """
    table = Table(fields, path)
    return CheckState(
        table.text("id"),
        table.text("name"),
        table.text("kind"),
        _status(table, "status", table.text("status")),
        table.body("output", most=4 * OUTPUT_BYTES_MAX),
    )


def write_service_state(state: ServiceState) -> dict[str, object]:
    """Return the table of what changes of a service while it runs."""
    table: dict[str, object] = {"statuses": list(state.statuses), "weight": state.weight}
    if state.load is not None:
        table["load"] = state.load
    return table | _write_absence(state)


def read_service_state(fields: object, path: str) -> ServiceState:
    """Return what ``write_service_state`` wrote.

    Raises:
        UsageError: it is not that.
    """
    table = Table(fields, path)
    statuses = tuple(
        _status(table, f"statuses[{index}]", item)
        for index, item in enumerate(_list(table, "statuses", 1024))
    )
    load = table.raw("load")
    if load is not None and (isinstance(load, bool) or not isinstance(load, int | float)):
        raise table.refuse("load", f"{shown(load)} is not a number")
    return ServiceState(
        statuses=statuses,
        weight=table.whole("weight", 1, 0, WEIGHT_MAX),
        load=None if load is None else float(load),
        maintenance=table.body("maintenance", most=REASON_MAX),
        is_draining=table.flag("is_draining", False),
    )


def write_node_state(state: NodeState) -> dict[str, object]:
    """Return the table of what a node tells of itself."""
    table: dict[str, object] = {}
    if state.zone:
        table["zone"] = state.zone
    if state.checks:
        table["checks"] = [write_check_state(check) for check in state.checks]
    return table | _write_absence(state)


def read_node_state(fields: object, path: str) -> NodeState:
    """Return what ``write_node_state`` wrote.

    Raises:
        UsageError: it is not that.
    """
    table = Table(fields, path)
    return NodeState(
        zone=table.text("zone", most=128),
        maintenance=table.body("maintenance", most=REASON_MAX),
        is_draining=table.flag("is_draining", False),
        checks=_check_states(table, "checks"),
    )


def _write_absence(state: ServiceState | NodeState) -> dict[str, object]:
    absence: dict[str, object] = {}
    if state.maintenance:
        absence["maintenance"] = state.maintenance
    if state.is_draining:
        absence["is_draining"] = True
    return absence


def _check_states(table: Table, field: str) -> tuple[CheckState, ...]:
    return tuple(
        read_check_state(item, f"{table.path_of(field)}[{index}]")
        for index, item in enumerate(_list(table, field, 1024))
    )


def _list(table: Table, field: str, most: int) -> list[object]:
    value = table.raw(field)
    if value is None:
        return []
    if not isinstance(value, list | tuple) or len(value) > most:
        raise table.refuse(field, f"{shown(value)} is not a list of at most {most}")
    return list(value)


def _status(table: Table, field: str, value: object) -> str:
    if value not in STATUSES:
        raise table.refuse(field, f"{shown(value)} is not one of {', '.join(STATUSES)}")
    return str(value)
