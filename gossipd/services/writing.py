"""Services into tables: the way back of ``reading.py``, for files, the socket and ``--json``.

What is as it is when nothing is said is left out, so ``read_service`` of what
was written gives the same value again.
"""

from __future__ import annotations

from gossipd.services.definition import (
    ALIAS,
    HELD,
    HTTP,
    SCRIPT,
    TCP,
    TTL,
    CheckDefinition,
    Service,
)
from gossipd.services.reading_checks import default_status
from gossipd.value import fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def write_service(service: Service, *, with_checks: bool = True) -> dict[str, object]:
    """Return the table that describes ``service``.

    Args:
        service: a legal one.
        with_checks: write how it is checked too; of others' services nobody knows.
    """
    table: dict[str, object] = {"id": service.id, "name": service.name}
    _write(table, service, _SERVICE_PLAIN)
    for field in ("tags", "needs"):
        if getattr(service, field):
            table[field] = list(getattr(service, field))
    if service.meta:
        table["meta"] = dict(service.meta)
    if service.tagged_addresses:
        table["tagged_addresses"] = {
            label: {"address": address, "port": port}
            for label, (address, port) in service.tagged_addresses.items()
        }
    if with_checks and service.checks:
        table["checks"] = [write_check(check) for check in service.checks]
    return table


def service_table(
    service: str | Service | Mapping[str, object], fields: Mapping[str, object]
) -> dict[str, object]:
    """Return the table of ``service``, which may be its name alone, with further ``fields``."""
    if isinstance(service, Service):
        return write_service(service) | dict(fields)
    return {"name": service, **fields} if isinstance(service, str) else {**service, **fields}


def check_table(check: CheckDefinition | Mapping[str, object]) -> dict[str, object]:
    """Return the table of ``check``."""
    return write_check(check) if isinstance(check, CheckDefinition) else dict(check)


def write_check(check: CheckDefinition) -> dict[str, object]:
    """Return the table that describes ``check``."""
    table: dict[str, object] = {"id": check.id}
    if check.kind in (HTTP, TCP, ALIAS):
        table[check.kind] = check.target
    elif check.kind == SCRIPT:
        table[SCRIPT] = list(check.args)
    elif check.kind == TTL:
        table[TTL] = check.ttl
    elif check.kind == HELD:
        table[HELD] = True
    _write(table, check, _CHECK_PLAIN)
    if check.failures_before_warning != check.failures_before_critical:
        table["failures_before_warning"] = check.failures_before_warning
    if check.headers:
        table["headers"] = [list(pair) for pair in check.headers]
    if check.status != default_status(check.kind):
        table["status"] = check.status
    return table


_SERVICE_PLAIN = ("address", "port", "weight", "warning_weight", "zone")
_CHECK_PLAIN = (
    "name", "method", "body", "verify_tls", "interval", "timeout", "passes_needed",
    "failures_before_critical", "grace", "deregister_after", "notes",
)  # fmt: skip


def _write(
    table: dict[str, object], value: Service | CheckDefinition, plain: tuple[str, ...]
) -> None:
    """Enter the fields of ``plain`` that are not as they are when nothing is said."""
    defaults = type(value)._defaults
    for field in fields_of(value):
        if field in plain and getattr(value, field) != defaults[field]:
            table[field] = getattr(value, field)
